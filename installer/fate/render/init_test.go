package render

import (
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

func TestInitMakesWhatItSays(t *testing.T) {
	side := func(r cluster.Role, text string) *cluster.InitSide {
		in, err := cluster.ParseInitSide(r, text)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	flows := side(cluster.RoleHost, "10000:192.168.0.1")
	flows.Flows = []string{"192.168.0.1", "192.168.0.2", "192.168.0.3"}
	flows.Nodes = []string{"192.168.0.1", "192.168.0.4"}
	for _, tc := range []struct {
		name string
		o    cluster.InitOptions
		want []string // lines of the file
	}{
		{"one side", cluster.InitOptions{Host: side(cluster.RoleHost, "10000:192.168.0.1")},
			[]string{"partyid: 10000", "dbpasswd: "}},
		{"two sides", cluster.InitOptions{Host: side(cluster.RoleHost, "10000:192.168.0.1"),
			Guest: side(cluster.RoleGuest, "9999:192.168.0.2")},
			[]string{"- id: default", "ip: 192.168.0.2"}},
		{"three sides, TLS host and exchange", cluster.InitOptions{
			Host: side(cluster.RoleHost, "10000:192.168.0.1"), Guest: side(cluster.RoleGuest, "9999:192.168.0.2"),
			Exchange: side(cluster.RoleExchange, "192.168.0.88"),
			TLS:      []cluster.Role{cluster.RoleHost, cluster.RoleExchange},
		}, []string{"server_secure: true", "port: 9371", "is_secure: true"}},
		{"polling", cluster.InitOptions{Host: side(cluster.RoleHost, "10000:192.168.0.1"),
			Exchange: side(cluster.RoleExchange, "192.168.0.88"),
			Polling:  cluster.RoleHost},
			[]string{"ids:", "- 10000"}},
		{"high availability", cluster.InitOptions{Host: flows},
			[]string{"zk:", "nginx:", "port: 9999", "model_store:"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.o.Secrets = fatetest.Generated(t)
			c, err := cluster.NewCluster(tc.o)
			if err != nil {
				t.Fatal(err)
			}
			data, err := c.ClusterFile()
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range tc.want {
				if !strings.Contains(string(data), line) {
					t.Errorf("no %q in\n%s", line, data)
				}
			}
			for _, published := range []string{cluster.PublishedSecrets().MySQLRoot.Reveal(),
				cluster.PublishedSecrets().MySQLUser.Reveal()} {
				if strings.Contains(string(data), published) {
					t.Errorf("a new cluster has the published password %s", published)
				}
			}
			back := fatetest.Reparse(t, c)
			if diff := fatetest.SideDiff(c, back); diff != "" {
				t.Errorf("init (-) and what its file means (+):\n%s", diff)
			}
			for _, s := range back.Sides() {
				for _, ip := range s.Addresses() {
					spec, err := back.Spec(cluster.Selection{IP: ip,
						Versions: fatetest.Merged(fatetest.Versions1113,
							map[string]string{"zookeeper": "3.5.8", "nginx": "1.26"}),
						Env: fatetest.Env1113})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := Files(spec); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

// TestFault01PasswordsAreDrawn holds the defaults of a file without passwords against the published ones.
func TestFault01PasswordsAreDrawn(t *testing.T) {
	first, second := fatetest.Generated(t)[cluster.RoleHost], fatetest.Generated(t)[cluster.RoleHost]
	seen := make(map[string]bool)
	for _, s := range []cluster.Secrets{first, second} {
		for _, name := range cluster.SecretNames() {
			v := s.Get(name).Reveal()
			if len(v) < 20 || seen[v] {
				t.Errorf("%s is %q", name, v)
			}
			seen[v] = true
		}
	}
	c := cluster.DefaultCluster(cluster.RoleHost, 10000, "192.168.0.1", "")
	s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Secrets: first, Env: fatetest.Env1113,
		Versions: fatetest.Versions1113})
	if err != nil {
		t.Fatal(err)
	}
	files := rendered(t, s)
	for name, content := range files {
		for _, published := range []string{cluster.PublishedSecrets().MySQLRoot.Reveal(),
			cluster.PublishedSecrets().MySQLUser.Reveal(), "password=admin\n",
			"table.key=fate\n"} {
			if strings.Contains(content, published) {
				t.Errorf("%s has the published %q", name, published)
			}
		}
	}
	if !strings.Contains(files["/data/projects/fate/eggroll/conf/eggroll.properties"], first.MySQLUser.Reveal()) {
		t.Error("the generated password does not reach eggroll.properties")
	}
}
