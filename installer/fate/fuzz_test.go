package fate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/problem"
)

// seedFiles adds every file of the fixtures that matches.
func seedFiles(f *testing.F, patterns ...string) {
	f.Helper()
	for _, pattern := range patterns {
		names, err := filepath.Glob(upstream + pattern)
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
	c, err := Parse([]Source{{Name: "fuzz", Data: data}})
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
	env, versions, err := Release("1.11.4")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Sides() {
		for _, ip := range s.Addresses() {
			spec, err := c.Spec(Selection{Role: s.Role, IP: ip, Env: env, Versions: versions, Secrets: fixedSecrets})
			var ps problem.Problems
			if errors.As(err, &ps) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Render(spec); err != nil {
				t.Fatalf("cannot render what was accepted: %v\n%s", err, data)
			}
		}
	}
	written, err := c.ClusterFile()
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	back, err := Parse([]Source{{Name: "cluster.yaml", Data: written}})
	if err != nil {
		t.Fatalf("cannot read back what was written: %v\n%s\n--- from\n%s", err, written, data)
	}
	if diff := sideDiff(c, back); diff != "" {
		t.Fatalf("changes on the way through the cluster file:\n%s\n--- from\n%s", diff, data)
	}
}

func FuzzVarFiles17(f *testing.F) {
	seedFiles(f, "/var-files-1.7/*/*", "/ha-fateflow/fate_host.second-flow")
	f.Add([]byte(haCluster))
	f.Add([]byte(tenMistakes))
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

func FuzzSpecialRoute(f *testing.F) {
	for _, s := range []string{"8888:192.168.2.1:9370", "default:fate.example.com:9371:secure", "1:2:3:4:5", "::",
		"x:y:z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		party, r, reason := parseSpecialRoute(s)
		if reason != "" {
			return
		}
		back := party + ":" + r.endpoint()
		if r.IsSecure {
			back += ":secure"
		}
		party2, r2, reason := parseSpecialRoute(back)
		if reason != "" || party2 != party || r2 != r {
			t.Errorf("%q becomes %q, which is %v %q", s, back, r2, reason)
		}
	})
}

func FuzzInitSide(f *testing.F) {
	f.Add("10000:192.168.0.1")
	f.Add("192.168.0.88,192.168.0.89")
	f.Fuzz(func(t *testing.T, s string) {
		for _, role := range Roles {
			in, err := ParseInitSide(role, s)
			if err != nil {
				continue
			}
			for _, ip := range in.IPs {
				if !validAddress(ip) {
					t.Errorf("%q gives the address %q", s, ip)
				}
			}
		}
	})
}

func FuzzStoredSecrets(f *testing.F) {
	data, err := fixedSecrets.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeSecrets(data)
		if err != nil {
			return
		}
		again, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeSecrets(again)
		if err != nil || !back.MySQLUser.Equal(s.MySQLUser) || !back.FateBoardAdmin.Equal(s.FateBoardAdmin) {
			t.Errorf("%q comes back as %q: %v", s.MySQLUser.Reveal(), back.MySQLUser.Reveal(), err)
		}
	})
}
