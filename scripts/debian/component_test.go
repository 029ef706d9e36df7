package debian

import (
	"testing"

	"fate-installer/bundle"
	"fate-installer/payload"
)

// What is described can be built from: the lock is whole as it is written.
func TestComponent(t *testing.T) {
	c := Component("nginx", "debs", []Package{
		{Name: "nginx", Version: "1.22.1-9+deb12u1", File: "nginx_1.22.1-9+deb12u1_amd64.deb", Size: 7, SHA256: sum},
		{Name: "nginx-common", Version: "1.22.1-9", File: "nginx-common_1.22.1-9_all.deb", Size: 8, SHA256: sum},
	})
	l := bundle.Lock{Release: payload.Release{FATE: "1", Platform: "linux/amd64"}, Components: []bundle.Component{c}}
	parsed, err := bundle.ParseLock("debian.lock.yaml", l.Encode("test"))
	if err != nil {
		t.Fatal(err)
	}
	if missing := parsed.Unlocked(); len(missing) > 0 {
		t.Errorf("not locked: %q", missing)
	}
	if got := parsed.Components[0]; got.Version != "1.22.1" || len(got.Sources) != 2 ||
		got.Sources[1].Path != "debs/nginx-common_1.22.1-9_all.deb" {
		t.Errorf("component %+v", got)
	}
}
