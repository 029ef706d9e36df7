package fate

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/problem"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const upstream = "testdata/upstream"

// sources reads files, or every file of a directory, as the command line would.
func sources(t *testing.T, names ...string) []Source {
	t.Helper()
	var out []Source
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		files := []string{name}
		if info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(name, "*")); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range files {
			if strings.HasSuffix(file, ".json") {
				continue // expected results kept next to the input
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, Source{Name: filepath.Base(file), Data: data})
		}
	}
	return out
}

func mustParse(t *testing.T, names ...string) *Cluster {
	t.Helper()
	c, err := Parse(sources(t, names...))
	if err != nil {
		t.Fatalf("%v:\n%v", names, err)
	}
	return c
}

// parseText is Parse of one text.
func parseText(text string) (*Cluster, error) {
	return Parse([]Source{{Name: "cluster.yaml", Data: []byte(text)}})
}

// wantProblem fails unless one of the problems contains every one of the words.
func wantProblem(t *testing.T, err error, words ...string) {
	t.Helper()
	var ps problem.Problems
	if !errors.As(err, &ps) {
		t.Fatalf("got %v, want a problem with %q", err, words)
	}
	for _, p := range ps {
		missing := false
		for _, w := range words {
			missing = missing || !strings.Contains(p.String(), w)
		}
		if !missing {
			return
		}
	}
	t.Errorf("no problem with %q in:\n%v", words, err)
}

// refused are the fixtures that upstream accepts although what it makes of them does not work.
var refused = map[string]string{
	"extra-host-special-two-same-party":            "two routes named default",
	"extra-ssl-roles-one-of-two":                   "only the host has TLS",
	"extra-three-sides-tls-host-guest-UNSUPPORTED": "cannot work with an exchange between them",
}

func TestEveryFixtureLoads(t *testing.T) {
	sets, _ := filepath.Glob(upstream + "/setup-conf/*/expected-var-files")
	more, _ := filepath.Glob(upstream + "/var-files-*/*")
	for _, set := range append(sets, more...) {
		name := filepath.Base(strings.TrimSuffix(set, "/expected-var-files"))
		t.Run(name, func(t *testing.T) {
			_, err := Parse(sources(t, set))
			if want := refused[name]; want != "" {
				if name == "extra-ssl-roles-one-of-two" {
					want = "TLS" // upstream has changed ssl_roles to another pair by then
				}
				wantProblem(t, err, want)
				return
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSetupConfBecomesWhatUpstreamRenders(t *testing.T) {
	sets, _ := filepath.Glob(upstream + "/setup-conf/*")
	for _, set := range sets {
		name := filepath.Base(set)
		t.Run(name, func(t *testing.T) {
			got, err := Parse(sources(t, set+"/setup.conf"))
			if want := refused[name]; want != "" {
				wantProblem(t, err, want)
				return
			}
			if strings.HasPrefix(name, "reject-") {
				if err == nil {
					t.Error("accepted what upstream refuses")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := mustParse(t, set+"/expected-var-files")
			if diff := cmp.Diff(comparable(want), comparable(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("upstream's var files (-) and setup.conf (+) differ:\n%s", diff)
			}
			if diff := cmp.Diff(hostList(t, set), addresses(got)); diff != "" {
				t.Errorf("upstream's inventory (-) and our hosts (+) differ:\n%s", diff)
			}
		})
	}
}

// comparable takes out of a cluster's sides what setup.conf cannot say: passwords, and values of blocks that are off.
func comparable(c *Cluster) []Side {
	var out []Side
	for _, s := range c.Sides() {
		side := *s
		side.Secrets = SecretsConf{}
		side.MySQL.Password, side.ZK.Password, side.RabbitMQ.Password = Secret{}, Secret{}, Secret{}
		if !side.ZK.Enable {
			side.ZK = ZooKeeperConf{}
		}
		if !side.Nginx.Enable {
			side.Nginx = NginxConf{}
		}
		side.Rollsite.RouteTables = nil
		for _, p := range s.Rollsite.RouteTables {
			entry := PartyRoutes{ID: p.ID}
			for _, r := range p.Routes {
				r.At = ""
				entry.Routes = append(entry.Routes, r)
			}
			side.Rollsite.RouteTables = append(side.Rollsite.RouteTables, entry)
		}
		out = append(out, side)
	}
	return out
}

func hostList(t *testing.T, set string) []string {
	t.Helper()
	data, err := os.ReadFile(set + "/expected-hosts.txt")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(strings.Fields(string(data))))
}

func addresses(c *Cluster) []string {
	var out []string
	for _, s := range c.Sides() {
		out = append(out, s.Addresses()...)
	}
	slices.Sort(out)
	return out
}
