package cluster_test

import (
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

func TestSeveralFilesContradictEachOther(t *testing.T) {
	_, err := cluster.Parse([]cluster.Source{
		{Name: "a", Data: []byte("host: {partyid: 1, ip: 10.0.0.1}\ndefault_engines: eggroll\n")},
		{Name: "b", Data: []byte("default_engines: standalone\nhost: {partyid: 2, ip: 10.0.0.2}\n")},
	})
	fatetest.WantProblem(t, err, "b:1:18", "contradicts a:2:18")
	fatetest.WantProblem(t, err, "b:2:17", "host.partyid contradicts a:1:17")
	fatetest.WantProblem(t, err, "b:2:", "host.ip contradicts a:1:")
}

func TestDirectoryOfVarFilesWithInventory(t *testing.T) {
	c := fatetest.MustParse(t, fatetest.Upstream+"/var-files-1.5/host-guest-plain")
	fatetest.WantProblem(t, c.Notes(), "hosts", "inventory is not used")
}

// TestNothingIsSilentlyIgnored checks that a value without effect is noted, and AnsibleFATE's own value is not.
func TestNothingIsSilentlyIgnored(t *testing.T) {
	const side = "\nhost: {partyid: 1, ip: 10.0.0.1}\n"
	for text, note := range map[string]string{
		"base_dir: /opt/ansible":                                       "base_dir is not used",
		"envCheck: False":                                              "--waive",
		"init: {dirs: [common, data]}":                                 "init.dirs is not used",
		"supervisord: {account: {password: x}}":                        "its socket is open to",
		"supervisord: {service: {port: 9002}}":                         "opens no port",
		"redis: {version: 6.0}":                                        "no part of FATE uses redis",
		"python: {venv: venv}":                                         "python.venv is not used",
		"mysql: {path: db}":                                            "mysql.path is not used",
		"host: {partyid: 1, ip: 10.0.0.1, rollsite: {pool_size: 100}}": "size their pools themselves",
	} {
		if !strings.HasPrefix(text, "host:") {
			text += side
		}
		c, err := fatetest.ParseText(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		fatetest.WantProblem(t, c.Notes(), "cluster.yaml:1:", note)
	}
	c := fatetest.MustParse(t, fatetest.Upstream+"/var-files-1.7/host-guest-plain")
	for _, n := range c.Notes() {
		if !strings.Contains(n.Message, "published") {
			t.Errorf("AnsibleFATE's own value is noted: %s", n)
		}
	}
}

func TestYAML11Words(t *testing.T) {
	c, err := fatetest.ParseText("host:\n  partyid: '10000'\n  ip: 192.168.0.1\n  zk: {enable: Off, use_acl: NO}\n  " +
		"fateboard: {enable: False}\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.Host.FateBoard.Enable || c.Host.PartyID != 10000 {
		t.Errorf("fateboard %v, party %d", c.Host.FateBoard.Enable, c.Host.PartyID)
	}
}

func TestAnchorsAndMerges(t *testing.T) {
	c, err := fatetest.ParseText(`
host: &side
  partyid: 10000
  ip: 192.168.0.1
  mysql: &db {dbpasswd: x, port: 3307}
guest:
  <<: *side
  partyid: 9999
  ip: 192.168.0.2
  mysql: *db
`)
	if err != nil {
		t.Fatal(err)
	}
	if c.Guest.PartyID != 9999 || c.Guest.MySQL.Port != 3307 || c.Guest.Secrets.MySQLUser.Reveal() != "x" {
		t.Errorf("the guest is %+v", c.Guest.MySQL)
	}
}

func TestChoosingTheHost(t *testing.T) {
	c, err := fatetest.ParseText(two("", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		sel  cluster.Selection
		want string // blank: found
	}{
		{"by address", cluster.Selection{IP: "192.168.0.2"}, ""},
		{"by own addresses", cluster.Selection{LocalAddrs: []string{"10.1.1.1", "192.168.0.1"}}, ""},
		{"two of them", cluster.Selection{LocalAddrs: []string{"192.168.0.2", "192.168.0.1"}},
			"several addresses of the cluster: 192.168.0.1 (host), 192.168.0.2 (guest)"},
		{"two, but one role", cluster.Selection{Role: cluster.RoleGuest,
			LocalAddrs: []string{"192.168.0.2", "192.168.0.1"}}, ""},
		{"none", cluster.Selection{LocalAddrs: []string{"10.1.1.1"}},
			"none of the addresses of the cluster: 192.168.0.1 (host), 192.168.0.2 (guest)"},
		{"not in the file", cluster.Selection{IP: "10.1.1.1"}, "10.1.1.1 is none of the addresses"},
		{"role not in the file", cluster.Selection{Role: cluster.RoleExchange, LocalAddrs: []string{"192.168.0.1"}},
			"the cluster file has no exchange"},
		{"other party", cluster.Selection{IP: "192.168.0.1", Party: 5}, "the command line 5"},
		{"user root", cluster.Selection{IP: "192.168.0.1", User: "root"}, "--user cannot be root"},
		{"group root", cluster.Selection{IP: "192.168.0.1", Group: "root"}, "--group cannot be root"},
		{"user", cluster.Selection{IP: "192.168.0.1", User: "Root User"}, "--user cannot be"},
	} {
		_, err := c.Spec(tc.sel)
		if tc.want == "" && err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if tc.want != "" {
			fatetest.WantProblem(t, err, tc.want)
		}
	}
}

func TestBaseInitAgainstTheCommandLine(t *testing.T) {
	c, err := fatetest.ParseText("base: /srv\nhost: {partyid: 1, ip: 10.0.0.1}\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Spec(cluster.Selection{IP: "10.0.0.1", Base: "/data"}); err == nil {
		t.Error("the command line silently wins over base_init")
	}
	s, err := c.Spec(cluster.Selection{IP: "10.0.0.1", Base: "/srv"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Layout.Base != "/srv" {
		t.Errorf("the base is %s", s.Layout.Base)
	}
}

func TestDefaultClusterOfOneLine(t *testing.T) {
	for _, tc := range []struct {
		role    cluster.Role
		peer    string
		modules int
		route   string
	}{
		{cluster.RoleHost, "", 6, ""}, {cluster.RoleGuest, "10.0.0.2", 6, "10.0.0.2:9370"},
		{cluster.RoleHost, "10.0.0.2:9371:secure", 6, "10.0.0.2:9371"}, {cluster.RoleExchange, "", 1, ""},
	} {
		c := cluster.DefaultCluster(tc.role, 9999, "10.0.0.1", tc.peer)
		s, err := c.Spec(cluster.Selection{IP: "10.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Modules()) != tc.modules {
			t.Errorf("%s runs %v", tc.role, s.Modules())
		}
		if r, ok := s.Side.Route("default", cluster.RouteDefault); ok != (tc.route != "") || ok &&
			r.Endpoint() != tc.route {
			t.Errorf("%s %q: default route %v", tc.role, tc.peer, r)
		}
	}
	_, err := cluster.DefaultCluster(cluster.RoleHost, 10000, "10.0.0.1",
		"10.0.0.2:x").Spec(cluster.Selection{IP: "10.0.0.1"})
	fatetest.WantProblem(t, err, "--peer", "the port must be a number")
	_, err = cluster.DefaultCluster(cluster.RoleHost, 0, "127.0.0.1", "").Spec(cluster.Selection{IP: "127.0.0.1"})
	fatetest.WantProblem(t, err, "no party id")
	fatetest.WantProblem(t, err, "something else on every host")
}
