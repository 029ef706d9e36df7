package host

import (
	"reflect"
	"syscall"
	"testing"
)

func TestHardeningIsRead(t *testing.T) {
	g := gatherer{f: &Facts{Unknown: Unknown{}}, h: newTree(t, map[string]string{
		"/proc/self/mountinfo":                    "1 2 0:5 / /proc rw,nosuid - proc proc rw,hidepid=invisible\n",
		"/sys/module/apparmor/parameters/enabled": "Y\n",
		"/proc/sys/crypto/fips_enabled":           "1\n",
		"/proc/self/status":                       "Name:\tx\nUmask:\t0077\n",
		"/etc/ld.so.preload":                      "/opt/agent/liba.so /opt/agent/libb.so\n",
	})}
	g.hardening()
	want := Hardening{"invisible", "enabled", true, "0077", []string{"/opt/agent/liba.so", "/opt/agent/libb.so"}}
	if !reflect.DeepEqual(g.f.Hardening, want) || len(g.f.Unknown) > 0 {
		t.Errorf("%+v, %v; want %+v", g.f.Hardening, g.f.Unknown, want)
	}
	g = gatherer{f: &Facts{Unknown: Unknown{}}, h: newTree(t, map[string]string{"/proc/self/status": "Name:\tx\n"})}
	g.hardening()
	if g.f.Unknown["umask"] == "" || g.f.Unknown["hidepid"] == "" || g.f.Unknown["fips"] != "" {
		t.Errorf("unknown: %v", g.f.Unknown)
	}
}

func TestHidePIDOfTheMountOnTop(t *testing.T) {
	for table, want := range map[string]string{
		"":                                    "",
		"1 2 0:5 / /proc rw - proc proc rw\n": "",
		"1 2 0:5 / /proc rw - proc proc rw,hidepid=off\n":                                         "",
		"1 2 0:5 / /proc rw,hidepid=2 - proc proc rw\n":                                           "2",
		"1 2 0:5 / /proc rw - proc proc rw,hidepid=2\n3 2 0:6 / /proc rw - proc proc rw\n":        "",
		"1 2 0:5 / /jail/proc rw - proc proc rw,hidepid=2\n3 2 0:6 / /proc rw - tmpfs tmpfs rw\n": "",
	} {
		if got := hidePID(table); got != want {
			t.Errorf("%q: %q, want %q", table, got, want)
		}
	}
}

// TestUnreadableIsUnknown: that there is no such file is an answer, and that it cannot be read is none.
func TestUnreadableIsUnknown(t *testing.T) {
	for err, want := range map[error]bool{syscall.ENOENT: false, syscall.ENOTDIR: false, syscall.EACCES: true,
		syscall.EIO: true} {
		g := gatherer{h: &Host{root: "/"}, f: &Facts{Unknown: Unknown{}}}
		g.unreadable("x", err)
		if _, unknown := g.f.Unknown["x"]; unknown != want {
			t.Errorf("%v: unknown is %v", err, unknown)
		}
	}
}
