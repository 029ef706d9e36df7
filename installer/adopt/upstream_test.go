package adopt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
	"fate-installer/scripts/ansiblefate"
)

const rendered = "installer/fate/fatetest/testdata/upstream/rendered"

// TestRealFiles plans hosts with the very files that AnsibleFATE's templates gave, unedited.
func TestRealFiles(t *testing.T) {
	for name, c := range map[string]struct {
		dir   string
		o     ansiblefate.Options
		role  string
		party int
		want  string
	}{
		"plain": {"a-host-guest-plain/host-192.168.0.1", ansiblefate.Options{}, "host", 10000,
			"{name: default, ip: 192.168.1.1, port: 9370}"},
		"guest": {"a-host-guest-plain/guest-192.168.1.1", ansiblefate.Options{IP: "192.168.1.1", Party: 9999}, "host",
			9999, "{name: default, ip: 192.168.0.1, port: 9370}"},
		"tls": {"b-host-exchange-tls/host-192.168.0.1", ansiblefate.Options{TLS: true}, "host", 10000,
			"{name: default, ip: 192.168.0.88, port: 9371, is_secure: true}"},
		"exchange": {"b-host-exchange-tls/exchange-192.168.0.88", ansiblefate.Options{Role: "exchange",
			IP: "192.168.0.88", TLS: true}, "exchange", 0, "{name: default, ip: 192.168.0.1, port: 9371, is_secure: true}"},
	} {
		t.Run(name, func(t *testing.T) {
			_, dir := tree(t, c.o)
			overlay(t, fatetest.Repository(rendered+"/"+c.dir), dir)
			h, err := host.New(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			ip := c.o.IP
			if ip == "" {
				ip = "192.168.0.1"
			}
			p := mustPlan(t, h, options(ip))
			if p.Role != c.role || p.Party != c.party {
				t.Errorf("the host is %s %d, want %s %d", p.Role, p.Party, c.role, c.party)
			}
			if got := edits(p); len(got) > 0 {
				t.Errorf("edits were found where there are none: %q", got)
			}
			if !strings.Contains(p.ClusterFile, c.want) {
				t.Errorf("the cluster file lacks %q:\n%s", c.want, p.ClusterFile)
			}
			checkComplete(t, p)
		})
	}
}

// overlay copies the files of a tree over those of another one.
func overlay(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		put(t, to, rel, string(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFixtureIsLikeTheRealThing compares the fixture maker's files with those that AnsibleFATE's templates gave, key by
// key.
func TestFixtureIsLikeTheRealThing(t *testing.T) {
	for name, o := range map[string]ansiblefate.Options{
		"a-host-guest-plain/host-192.168.0.1":       {Peer: "192.168.1.1"},
		"b-host-exchange-tls/host-192.168.0.1":      {TLS: true, Exchange: "192.168.0.88"},
		"b-host-exchange-tls/exchange-192.168.0.88": {Role: "exchange", IP: "192.168.0.88", TLS: true},
	} {
		h, dir := tree(t, o)
		p := mustPlan(t, h, options("192.168.0.1", "192.168.0.88"))
		for _, made := range p.documents.list {
			if made.kind.given() {
				continue // its templates do not have it
			}
			data, err := os.ReadFile(filepath.Join(fatetest.Repository(rendered+"/"+name), made.file))
			if err != nil {
				t.Errorf("%s: AnsibleFATE has no such file: %v", name, err)
				continue
			}
			entries, err := made.kind.parse(data)
			if err != nil {
				t.Fatal(err)
			}
			real := newDocument(made.kind, made.file, entries)
			for _, key := range append(real.keys(), made.keys()...) {
				want, there := real.get(key)
				got, ok := made.get(key)
				switch {
				case key == "fate_project_base": // a line that finds its own directory, of no use to the fixture
				case made.kind == kindTest && strings.ContainsAny(key, "["): // both parties, where both are known
				case made.kind == kindRoutes && o.Role == "exchange" && strings.Contains(key, "9999"):
				case there != ok || want.value != got.value:
					t.Errorf("%s in %s: %s is %q (%v), and the fixture has %q (%v)", name, dir, key, want.value, there,
						got.value, ok)
				}
			}
		}
	}
}
