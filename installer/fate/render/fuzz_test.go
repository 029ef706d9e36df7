package render

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/problem"
)

// seedFiles adds every file of the fixtures that matches.
func seedFiles(f *testing.F, patterns ...string) {
	f.Helper()
	for _, pattern := range patterns {
		names, err := filepath.Glob(fatetest.Upstream + pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

// checkParse holds what Parse promises for any bytes: it gives Problems, each with a place, or a cluster of which
// every host can be rendered, and that survives being written as a cluster file.
func checkParse(t *testing.T, data []byte) {
	c, err := cluster.Parse([]cluster.Source{{Name: "fuzz", Data: data}})
	if err != nil {
		var ps problem.Problems
		if !errors.As(err, &ps) || len(ps) == 0 {
			t.Fatalf("%T is not Problems: %v", err, err)
		}
		for _, p := range ps {
			if p.Message == "" || strings.ContainsAny(p.Pos.String(), "\n") {
				t.Fatalf("a problem without text or place: %#v", p)
			}
		}
		return
	}
	env, versions, err := cluster.Release("1.11.4")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Sides() {
		for _, ip := range s.Addresses() {
			spec, err := c.Spec(cluster.Selection{Role: s.Role, IP: ip, Env: env, Versions: versions,
				Secrets: fatetest.FixedSecrets})
			var ps problem.Problems
			if errors.As(err, &ps) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Files(spec); err != nil {
				t.Fatalf("cannot render what was accepted: %v\n%s", err, data)
			}
		}
	}
	written, err := c.ClusterFile()
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	back, err := cluster.Parse([]cluster.Source{{Name: "cluster.yaml", Data: written}})
	if err != nil {
		t.Fatalf("cannot read back what was written: %v\n%s\n--- from\n%s", err, written, data)
	}
	if diff := fatetest.SideDiff(c, back); diff != "" {
		t.Fatalf("changes on the way through the cluster file:\n%s\n--- from\n%s", diff, data)
	}
}

func FuzzVarFiles17(f *testing.F) {
	seedFiles(f, "/var-files-1.7/*/*", "/ha-fateflow/fate_host.second-flow")
	f.Add([]byte(fatetest.HACluster))
	f.Add([]byte(fatetest.TenMistakes))
	f.Add([]byte("host: {partyid: 1, ip: 10.0.0.1, fate_flow: {job_defaults: {task_cores: 2, task_process_classpath: " +
		"Off}}}"))
	f.Fuzz(checkParse)
}

func FuzzVarFiles15(f *testing.F) {
	seedFiles(f, "/var-files-1.5/*/fate_*")
	f.Fuzz(checkParse)
}

func FuzzSetupConf(f *testing.F) {
	seedFiles(f, "/setup-conf/*/setup.conf")
	f.Fuzz(checkParse)
}
