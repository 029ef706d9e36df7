package fate

import (
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/problem"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func drawn(t *testing.T) map[Role]Secrets {
	t.Helper()
	out := make(map[Role]Secrets)
	for _, r := range Roles {
		s, err := NewSecrets(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		out[r] = s
	}
	return out
}

// reparse writes a cluster as a file and reads it back.
func reparse(t *testing.T, c *Cluster) *Cluster {
	t.Helper()
	data, err := c.ClusterFile()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse([]Source{{Name: "cluster.yaml", Data: data}})
	if err != nil {
		t.Fatalf("cannot read back what was written:\n%v\n%s", err, data)
	}
	return back
}

// sideDiff compares the sides of two clusters, passwords included, by what they mean.
func sideDiff(a, b *Cluster) string {
	plain := func(c *Cluster) []Side {
		sides := comparable(c)
		for i, s := range c.Sides() {
			sides[i].Secrets = s.Secrets
			if s.Role == RoleExchange {
				sides[i].Secrets = SecretsConf{RouteTableKey: s.Secrets.RouteTableKey}
			}
			sides[i].Rollsite.RouteTableKey, sides[i].FateBoard.Password, sides[i].IP = Secret{}, Secret{}, ""
			if !sides[i].ZK.Enable {
				sides[i].Secrets.ZooKeeper = Secret{}
			}
			if !sides[i].ModelStore.Enable {
				sides[i].ModelStore = ModelStoreConf{}
			}
			rollsite := &sides[i].Rollsite
			rollsite.PoolSize, rollsite.DefaultRules, rollsite.Rules, rollsite.Polling.ID = 0, nil, nil, 0
			if !sides[i].Rollsite.Polling.Enable {
				sides[i].Rollsite.Polling.IDs = nil
			}
		}
		return sides
	}
	return cmp.Diff(plain(a), plain(b), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Endpoint{}, "At"))
}

func TestClusterFileRoundTrip(t *testing.T) {
	var sets []string
	for _, pattern := range []string{"/setup-conf/*/setup.conf", "/var-files-*/*",
		"/ha-fateflow/fate_host.second-flow"} {
		more, err := filepath.Glob(upstream + pattern)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, more...)
	}
	for _, set := range sets {
		c, err := Parse(sources(t, set))
		if err != nil {
			continue // refused, as another test checks
		}
		if diff := sideDiff(c, reparse(t, c)); diff != "" {
			t.Errorf("%s changes on the way through the cluster file:\n%s", set, diff)
		}
	}
	c, err := parseText("host: {partyid: 1, ip: 10.0.0.1, fate_flow: {job_defaults: {task_cores: 2, " +
		"max_cores_percent_per_job: 0.5, default_component_provider_path: yes, task_process_classpath: off}}}")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"task_cores": "2", "max_cores_percent_per_job": "0.5",
		"default_component_provider_path": "yes", "task_process_classpath": "false"}
	if diff := cmp.Diff(want, reparse(t, c).Host.FateFlow.JobDefaults); diff != "" {
		t.Errorf("defaults of jobs change on the way through the cluster file:\n%s", diff)
	}
}

func TestInitMakesWhatItSays(t *testing.T) {
	side := func(r Role, text string) *InitSide {
		in, err := ParseInitSide(r, text)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	flows := side(RoleHost, "10000:192.168.0.1")
	flows.Flows = []string{"192.168.0.1", "192.168.0.2", "192.168.0.3"}
	flows.Nodes = []string{"192.168.0.1", "192.168.0.4"}
	for _, tc := range []struct {
		name string
		o    InitOptions
		want []string // lines of the file
	}{
		{"one side", InitOptions{Host: side(RoleHost, "10000:192.168.0.1")}, []string{"partyid: 10000", "dbpasswd: "}},
		{"two sides", InitOptions{Host: side(RoleHost, "10000:192.168.0.1"),
			Guest: side(RoleGuest, "9999:192.168.0.2")},
			[]string{"- id: default", "ip: 192.168.0.2"}},
		{"three sides, TLS host and exchange", InitOptions{
			Host: side(RoleHost, "10000:192.168.0.1"), Guest: side(RoleGuest, "9999:192.168.0.2"),
			Exchange: side(RoleExchange, "192.168.0.88"),
			TLS:      []Role{RoleHost, RoleExchange},
		}, []string{"server_secure: true", "port: 9371", "is_secure: true"}},
		{"polling", InitOptions{Host: side(RoleHost, "10000:192.168.0.1"), Exchange: side(RoleExchange, "192.168.0.88"),
			Polling: RoleHost},
			[]string{"ids:", "- 10000"}},
		{"high availability", InitOptions{Host: flows}, []string{"zk:", "nginx:", "port: 9999", "model_store:"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.o.Secrets = drawn(t)
			c, err := NewCluster(tc.o)
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
			for _, published := range []string{PublishedSecrets().MySQLRoot.Reveal(),
				PublishedSecrets().MySQLUser.Reveal()} {
				if strings.Contains(string(data), published) {
					t.Errorf("a new cluster has the published password %s", published)
				}
			}
			back := reparse(t, c)
			if diff := sideDiff(c, back); diff != "" {
				t.Errorf("init (-) and what its file means (+):\n%s", diff)
			}
			for _, s := range back.Sides() {
				for _, ip := range s.Addresses() {
					spec, err := back.Spec(Selection{IP: ip,
						Versions: merged(versions1113, map[string]string{"zookeeper": "3.5.8", "nginx": "1.26"}),
						Env:      env1113})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := Render(spec); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

func TestInitRefusesWhatCannotWork(t *testing.T) {
	host, _ := ParseInitSide(RoleHost, "10000:192.168.0.1")
	guest, _ := ParseInitSide(RoleGuest, "9999:192.168.0.2")
	exchange, _ := ParseInitSide(RoleExchange, "192.168.0.88")
	_, err := NewCluster(InitOptions{Host: host, Guest: guest, Exchange: exchange, TLS: []Role{RoleHost, RoleGuest},
		Secrets: drawn(t)})
	wantProblem(t, err, "cannot work with an exchange between them")
	_, err = NewCluster(InitOptions{Host: host, Polling: RoleHost, Secrets: drawn(t)})
	wantProblem(t, err, "polling needs an exchange")
	var ps problem.Problems
	if !errors.As(err, &ps) {
		t.Errorf("%T is not Problems", err)
	}
	for _, text := range []string{"192.168.0.1", "x:192.168.0.1", "10000:192.168.0.300", "12345678901:10.0.0.1"} {
		if _, err := ParseInitSide(RoleHost, text); err == nil {
			t.Errorf("accepts %q", text)
		}
	}
}

// TestFault01PasswordsAreDrawn holds the defaults of a file without passwords against the published ones.
func TestFault01PasswordsAreDrawn(t *testing.T) {
	first, second := drawn(t)[RoleHost], drawn(t)[RoleHost]
	seen := make(map[string]bool)
	for _, s := range []Secrets{first, second} {
		for _, name := range SecretNames() {
			v := s.Get(name).Reveal()
			if len(v) < 20 || seen[v] {
				t.Errorf("%s is %q", name, v)
			}
			seen[v] = true
		}
	}
	c := DefaultCluster(RoleHost, 10000, "192.168.0.1", "")
	s, err := c.Spec(Selection{IP: "192.168.0.1", Secrets: first, Env: env1113, Versions: versions1113})
	if err != nil {
		t.Fatal(err)
	}
	files := rendered(t, s)
	for name, content := range files {
		for _, published := range []string{PublishedSecrets().MySQLRoot.Reveal(),
			PublishedSecrets().MySQLUser.Reveal(), "password=admin\n",
			"table.key=fate\n"} {
			if strings.Contains(content, published) {
				t.Errorf("%s has the published %q", name, published)
			}
		}
	}
	if !strings.Contains(files["/data/projects/fate/eggroll/conf/eggroll.properties"], first.MySQLUser.Reveal()) {
		t.Error("the drawn password does not reach eggroll.properties")
	}
}
