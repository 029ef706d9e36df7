package deploy

import (
	"reflect"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/installer/pyenv"
	"fate-installer/payload"
)

func storedSite() *Site {
	return &Site{
		Schema: SiteSchema, Role: "host", Party: 10000, IP: "192.168.0.1", User: "app", Group: "apps",
		Peer:       "192.168.0.2:9370",
		Components: map[string]Component{"jdk": {Version: "8u345", Digest: "d", LibraryPath: []string{"lib"}}},
		Env:        map[string]string{"FATE": "1.11.4"}, Waivers: []preflight.Waiver{{ID: "swap", Reason: "trial"}},
	}
}

func TestSiteFillsInWhatWasNotAskedFor(t *testing.T) {
	asked := Site{Schema: SiteSchema, User: "app", Group: "apps"}
	if err := asked.fillFrom(storedSite(), cluster.Install{}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(asked, *storedSite()) {
		t.Errorf("got %+v, want %+v", asked, *storedSite())
	}
}

func TestSiteRefusesToBecomeSomebodyElse(t *testing.T) {
	for _, asked := range []Site{{Role: "guest"}, {Role: "host", Party: 9999}} {
		err := asked.fillFrom(storedSite(), cluster.Install{})
		if err == nil || !strings.Contains(exit.HintOf(err), "uninstall") {
			t.Errorf("%s of party %d: got %v with hint %q", asked.Role, asked.Party, err, exit.HintOf(err))
		}
	}
}

func TestSiteFileSurvivesARoundTripAndRefusesANewerOne(t *testing.T) {
	h, err := host.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	layout := cluster.Layout{Base: "/data"}
	write := func(s *Site) {
		t.Helper()
		data, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := h.MkdirAll(layout.State(), host.FileMode{}); err != nil {
			t.Fatal(err)
		}
		if err := h.WriteFile(layout.State()+"/"+SiteName, data, host.FileMode{Perm: 0o600}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := LoadSite(h, layout); err != ErrNotInstalled {
		t.Errorf("without a file: %v", err)
	}
	write(storedSite())
	back, err := LoadSite(h, layout)
	if err != nil || !reflect.DeepEqual(back, storedSite()) {
		t.Errorf("got %+v, %v", back, err)
	}
	newer := storedSite()
	newer.Schema = SiteSchema + 1
	write(newer)
	if _, err := LoadSite(h, layout); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer file: %v", err)
	}
}

func TestOnlyAddress(t *testing.T) {
	for _, tt := range []struct {
		addrs     []string
		want, err string
	}{
		{[]string{"192.168.0.1"}, "192.168.0.1", ""},
		{[]string{"fe80::1", "192.168.0.1"}, "192.168.0.1", ""},
		{nil, "", "no network interface"},
		{[]string{"192.168.0.1", "10.0.0.1"}, "", "192.168.0.1, 10.0.0.1"},
	} {
		got, err := onlyAddress(tt.addrs)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%v: got %q, %v", tt.addrs, got, err)
		}
	}
}

// A flag's default is no statement: it contradicts neither the cluster file nor what is installed.
func TestSiteKeepsTheAccountThatIsInstalled(t *testing.T) {
	stored := storedSite()
	stored.User, stored.Group = "fate", "fates"
	for _, tt := range []struct {
		asked     Site
		written   cluster.Install
		user, grp string
	}{
		{Site{}, cluster.Install{}, "fate", "fates"},
		{Site{User: "other"}, cluster.Install{}, "other", "fates"},
		{Site{}, cluster.Install{User: "written"}, "", "fates"}, // the cluster file's own is taken later
	} {
		if err := tt.asked.fillFrom(stored, tt.written); err != nil || tt.asked.User != tt.user ||
			tt.asked.Group != tt.grp {
			t.Errorf("%+v: %q %q %v, want %q %q", tt.written, tt.asked.User, tt.asked.Group, err, tt.user, tt.grp)
		}
	}
}

func TestHostsOwnAddress(t *testing.T) {
	for _, tt := range []struct {
		addrs      []string
		want, says string
	}{
		{[]string{"10.0.0.1", "fd00::1"}, "10.0.0.1", ""},
		{[]string{"10.0.0.1", "10.0.0.2"}, "", "it has 10.0.0.1, 10.0.0.2"},
		{nil, "", "no network interface has an IPv4 address"},
		{[]string{"fd00::1", "2001:db8::1"}, "",
			"cannot use this host's addresses (fd00::1, 2001:db8::1): FATE's programs reach each other over IPv4 only"},
	} {
		got, err := onlyAddress(tt.addrs)
		if got != tt.want || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(),
			tt.says) {
			t.Errorf("%v: %q, %v; want %q, %q", tt.addrs, got, err, tt.want, tt.says)
		}
	}
}

// TestSiteHasThePythonThatIsMade: an environment that is made on the host is remembered as one that was unpacked.
func TestSiteHasThePythonThatIsMade(t *testing.T) {
	components := []payload.Component{{Name: "miniconda", Version: "py38_4.12.0", Digest: "c", Size: 1000},
		{Name: "pypi", Version: "1.11.4", Digest: "w", Size: 1000}, {Name: "eggroll", Version: "2.5.3", Digest: "e"}}
	var s Site
	s.UsePayload(&payload.Manifest{Components: components})
	all := pyenv.WithMade(components)
	made := all[len(all)-1]
	if made.Digest == "" || s.Components["python"].Digest != made.Digest || s.Components["eggroll"].Digest != "e" {
		t.Errorf("%+v", s.Components)
	}
}
