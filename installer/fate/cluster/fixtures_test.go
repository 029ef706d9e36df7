package cluster_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// refused are the fixtures that upstream accepts although what it makes of them does not work.
var refused = map[string]string{
	"extra-host-special-two-same-party":            "two routes named default",
	"extra-ssl-roles-one-of-two":                   "only the host has TLS",
	"extra-three-sides-tls-host-guest-UNSUPPORTED": "cannot work with an exchange between them",
}

func TestEveryFixtureLoads(t *testing.T) {
	sets, _ := filepath.Glob(fatetest.Upstream + "/setup-conf/*/expected-var-files")
	more, _ := filepath.Glob(fatetest.Upstream + "/var-files-*/*")
	for _, set := range append(sets, more...) {
		name := filepath.Base(strings.TrimSuffix(set, "/expected-var-files"))
		t.Run(name, func(t *testing.T) {
			_, err := cluster.Parse(fatetest.Sources(t, set))
			if want := refused[name]; want != "" {
				if name == "extra-ssl-roles-one-of-two" {
					want = "TLS" // upstream has changed ssl_roles to another pair by then
				}
				fatetest.WantProblem(t, err, want)
				return
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSetupConfBecomesWhatUpstreamRenders(t *testing.T) {
	sets, _ := filepath.Glob(fatetest.Upstream + "/setup-conf/*")
	for _, set := range sets {
		name := filepath.Base(set)
		t.Run(name, func(t *testing.T) {
			got, err := cluster.Parse(fatetest.Sources(t, set+"/setup.conf"))
			if want := refused[name]; want != "" {
				fatetest.WantProblem(t, err, want)
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
			want := fatetest.MustParse(t, set+"/expected-var-files")
			if diff := cmp.Diff(fatetest.Comparable(want), fatetest.Comparable(got),
				cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("upstream's var files (-) and setup.conf (+) differ:\n%s", diff)
			}
			if diff := cmp.Diff(hostList(t, set), addresses(got)); diff != "" {
				t.Errorf("upstream's inventory (-) and our hosts (+) differ:\n%s", diff)
			}
		})
	}
}

func hostList(t *testing.T, set string) []string {
	t.Helper()
	data, err := os.ReadFile(set + "/expected-hosts.txt")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(strings.Fields(string(data))))
}

func addresses(c *cluster.Cluster) []string {
	var out []string
	for _, s := range c.Sides() {
		out = append(out, s.Addresses()...)
	}
	slices.Sort(out)
	return out
}
