package render

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

// TestFault21EveryReleaseHasItsGrants: upstream's 1.7.3 refers to a grant file that it does not have.
func TestFault21EveryReleaseHasItsGrants(t *testing.T) {
	for _, release := range cluster.Releases() {
		db, ok := DatabaseOf(fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", release))
		for _, schema := range []string{"eggroll_meta", "fate_flow"} {
			granted := slices.ContainsFunc(db.Users, func(u DatabaseUser) bool {
				return u.Name == "fate" &&
					slices.Contains(u.Schemas, schema)
			})
			if !ok || !granted {
				t.Errorf("FATE %s: no account may use %s", release, schema)
			}
		}
	}
}

// TestFault22TheSupervisorsFileRestartsNothing: upstream kills every process with "supervisor" in its command line when
// that file changes, and with it all services of the host.
func TestFault22TheSupervisorsFileRestartsNothing(t *testing.T) {
	s := fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", "1.11.4")
	files, err := Files(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		switch {
		case f.Path == s.Layout.SupervisorConf() || f.Path == s.Layout.ServiceScript():
			if len(f.Programs) > 0 {
				t.Errorf("a change of %s restarts %v", f.Path, f.Programs)
			}
		case filepath.Dir(f.Path) == s.Layout.SupervisorPrograms():
			if want := strings.TrimSuffix(filepath.Base(f.Path), ".conf"); !slices.Equal(f.Programs, []string{want}) {
				t.Errorf("a change of %s restarts %v", f.Path, f.Programs)
			}
		}
	}
}

func TestFault23ServiceScriptIsAScript(t *testing.T) {
	s := fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", "1.11.4")
	script := rendered(t, s)[s.Layout.ServiceScript()]
	if !strings.HasPrefix(script, "#!/bin/sh\n") || strings.Contains(script, "kill") ||
		strings.Contains(script, "grep") {
		t.Errorf("service.sh:\n%s", script)
	}
	if out, err := exec.Command("/bin/sh", "-n", fatetest.Temporary(t,
		"service.sh", []byte(script))).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// With a program in place of ours that shows its arguments:
	program := "exec '" + s.Layout.Binary() + "' --base "
	if !strings.Contains(script, program) {
		t.Fatalf("service.sh does not call %s:\n%s", s.Layout.Binary(), script)
	}
	script = strings.ReplaceAll(script, program, "exec printf '<%s>' --base ")
	file := fatetest.Temporary(t, "service.sh", []byte(script))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"status", "all"}, "<--base></data><svc><status><all>"},
		{[]string{"restart", "a b", "c"}, "<--base></data><svc><restart><a b><c>"},
		{[]string{"update", "all"}, "<--base></data><svc><update>"},
		{[]string{"explode", "all"}, "usage: " + file + " start|stop|restart|status|update NAME|all\n"},
		{nil, "usage: " + file + " start|stop|restart|status|update NAME|all\n"},
	} {
		cmd := exec.Command("/bin/sh", append([]string{file}, c.args...)...)
		out, _ := cmd.CombinedOutput()
		wrong, code := strings.HasPrefix(c.want, "usage"), cmd.ProcessState.ExitCode()
		if string(out) != c.want || (code == 2) != wrong {
			t.Errorf("service.sh %q: %s, exit status %d, want %s", c.args, out, code, c.want)
		}
	}
}

// TestFault31KeysOfTwoInstallationsStayApart: each base directory has its own.
func TestFault31KeysOfTwoInstallationsStayApart(t *testing.T) {
	c, err := fatetest.ParseText(
		"host: {partyid: 10000, ip: 192.168.0.1, rollsite: {server_secure: true, client_secure: true}}")
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{"/data", "/srv/test"} {
		s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Base: base, Versions: fatetest.Versions1113,
			Env:  fatetest.Env1113,
			Keys: hostKeys(t)})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range s.KeyFiles().Paths() {
			if _, ok := rendered(t, s)[name]; !ok || !strings.HasPrefix(name, base+"/") {
				t.Errorf("below %s, %s is not installed", base, name)
			}
		}
	}
}

func TestFault19TheServiceUserIsFree(t *testing.T) {
	c, err := fatetest.ParseText(fatetest.OneHost)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", User: "fate", Group: "ml", Versions: fatetest.Versions1113,
		Env: fatetest.Env1113})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Programs(s) {
		if p.User != "fate" {
			t.Errorf("%s runs as %s", p.Name, p.User)
		}
	}
}

func TestFault24EveryProgramHasARealProbeAndWaitsForWhatItNeeds(t *testing.T) {
	ready := make(map[string]bool)
	for _, p := range Programs(fatetest.SpecOf(t, fatetest.HACluster, "192.168.0.1", "1.11.4")) {
		if !p.HasReadiness() {
			t.Errorf("%s has no probe", p.Name)
		}
		if p.StartRetries < 10 {
			t.Errorf("%s is given up after %d failures", p.Name, p.StartRetries)
		}
		for _, need := range p.DependsOn {
			if !ready[need] {
				t.Errorf("%s waits for %s, which comes later or does not run here", p.Name, need)
			}
		}
		ready[p.Name] = true
	}
}

func TestFault26NoDatabaseClientOnTheManagersHost(t *testing.T) {
	const text = "host: {partyid: 10000, ip: 192.168.0.1, mysql: {ips: [192.168.0.9], dbpasswd: x}}"
	if got := fatetest.SpecOf(t, text, "192.168.0.1", "1.11.4").Components(); slices.Contains(got, "mysql") {
		t.Errorf("the clustermanager's host gets %v", got)
	}
	s := fatetest.SpecOf(t, text, "192.168.0.9", "1.11.4")
	if got := s.Components(); !slices.Equal(got, []string{"mysql", "eggroll"}) {
		t.Errorf("the database's host gets %v: it needs the schema that comes with eggroll, and no java", got)
	}
	db, ok := DatabaseOf(s)
	if !ok || !db.Manage || len(db.Schemas) != 2 {
		t.Errorf("the database's host manages %+v", db)
	}
}

func TestFault27ProgramsAreExecutedWithoutAShell(t *testing.T) {
	for _, release := range []string{"1.5.0", "1.8.0", "1.11.4"} {
		for _, p := range Programs(fatetest.SpecOf(t, haCluster9(release), "192.168.0.1", release)) {
			if base := filepath.Base(p.Command[0]); !slices.Contains([]string{"java", "python", "mysqld", "nginx"},
				base) {
				t.Errorf("%s starts %s", p.Name, base)
			}
			if p.StdoutLogfile == "NONE" || p.StderrLogfile == "NONE" && !p.RedirectStderr {
				t.Errorf("%s loses its output", p.Name)
			}
		}
	}
}

// haCluster9 is the cluster with high availability where the release knows it.
func haCluster9(release string) string {
	if cluster.Version(release).AtLeast(1, 9) {
		return fatetest.HACluster
	}
	return fatetest.OneHost
}

func TestFault29EveryLogEnds(t *testing.T) {
	for _, jdk := range []string{"8u345", "17.0.15"} {
		s := fatetest.SpecOf(t, fatetest.HACluster, "192.168.0.1", "1.11.4")
		s.Versions["jdk"] = jdk
		for _, p := range Programs(s) {
			if p.StdoutLogfileMaxBytes == 0 || p.StdoutLogfileBackups == 0 {
				t.Errorf("%s: its log never ends", p.Name)
			}
			line := strings.Join(p.Command, " ")
			if strings.Contains(line, "gc.log") && !strings.Contains(line, "RotatingGC") &&
				!strings.Contains(line, "UseGCLogFileRotation") && !strings.Contains(line, "filecount=5") {
				t.Errorf("%s: the collector's log never ends: %s", p.Name, line)
			}
			if jdk != "8u345" && (strings.Contains(line, "PrintGC") || strings.Contains(line, "-Xloggc")) {
				t.Errorf("%s has options that Java %s refuses: %s", p.Name, jdk, line)
			}
		}
	}
}

// TestJavaAcceptsItsOptions starts the JVM of this machine with each program's options.
func TestJavaAcceptsItsOptions(t *testing.T) {
	if testing.Short() {
		t.Skip("starts JVMs")
	}
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("no java on this machine")
	}
	out, err := exec.Command(java, "-version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"17.`) {
		t.Skipf("not Java 17: %s", out)
	}
	s := fatetest.SpecOf(t, fatetest.HACluster, "192.168.0.1", "1.11.4")
	s.Versions["jdk"] = "17.0.15"
	s.Memory = 4 << 30
	for _, p := range Programs(s) {
		if filepath.Base(p.Command[0]) != "java" {
			continue
		}
		dir := t.TempDir() // relative log files go there
		if err := os.MkdirAll(filepath.Join(dir, "logs", "eggroll"), 0o755); err != nil {
			t.Fatal(err)
		}
		var options []string
		for _, o := range p.Command[1:] {
			if o == "-cp" || o == "-jar" {
				break
			}
			options = append(options, o)
		}
		cmd := exec.Command(java, append(options, "-version")...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: java %s: %v\n%s", p.Name, strings.Join(options, " "), err, out)
		}
	}
}
