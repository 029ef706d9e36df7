package host

import (
	"slices"
	"testing"
)

// TestAccountLocksOfTheDead: a lock goes with its owner, and no other file does.
func TestAccountLocksOfTheDead(t *testing.T) {
	h := newTree(t, map[string]string{
		"/etc/passwd": "root:x:0:0::/:/bin/sh\n", "/proc/77/comm": "useradd\n",
		"/etc/passwd.lock": "4711\x00", "/etc/passwd.4711": "4711\x00", "/etc/group.lock": "77\x00",
		"/etc/group.77":    "77\x00",
		"/etc/shadow.lock": "of an operator", "/etc/gshadow.4712": "", "/etc/subuid.lock": "4711",
		"/etc/subuid+": "half", "/etc/passwd.2024": "a copy of an operator",
	})
	removed, err := ClearAccountLocks(h)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/etc/passwd.lock", "/etc/passwd.4711", "/etc/gshadow.4712", "/etc/subuid.lock", "/etc/subuid+"}
	if !slices.Equal(removed, want) {
		t.Errorf("%q, want %q", removed, want)
	}
	for _, file := range []string{"/etc/passwd", "/etc/group.lock", "/etc/group.77", "/etc/shadow.lock",
		"/etc/passwd.2024"} {
		if !h.Exists(file) {
			t.Errorf("%s is gone", file)
		}
	}
	if again, err := ClearAccountLocks(h); err != nil || len(again) > 0 {
		t.Errorf("the second time it removed %q, %v", again, err)
	}
}
