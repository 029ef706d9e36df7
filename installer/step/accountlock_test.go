package step

import "testing"

// TestLockOfAKilledTool: a user and a group are made although a tool that is gone holds the locks, and they go.
func TestLockOfAKilledTool(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with("/etc/passwd.lock", "4711\x00", "/etc/passwd.4711", "4711\x00",
		"/etc/gshadow.lock", "4712\x00"))
	_, err := w.apply(t.Context(), Group{Name: "fate"}, User{Name: "app", Group: "fate"})
	must(t, err)
	for _, file := range []string{"/etc/passwd.lock", "/etc/passwd.4711", "/etc/gshadow.lock"} {
		if w.exists(file) {
			t.Errorf("%s is still there", file)
		}
	}
}
