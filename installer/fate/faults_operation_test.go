package fate

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/step"
)

// The tests in this file hold what AnsibleFATE gets wrong about privileges and operation, by number, against what this
// package makes of it; faults_test.go has what it gets wrong in its results.

// TestFault05RightsAreGivenSparingly: no account gets sudo unasked, the firewall stays on with the ports open that
// other hosts connect to, and what the operator wants kept is kept.
func TestFault05RightsAreGivenSparingly(t *testing.T) {
	spec := planSpec(t, RoleHost, 10000)
	for _, n := range planOf(t, spec).Nodes {
		switch s := n.Step.(type) {
		case step.Sudoers:
			t.Errorf("%s is planned", n.ID())
		case step.Firewall:
			if s.Disable || slices.Contains(s.Ports, 3306) || !slices.Contains(s.Ports, 9370) {
				t.Errorf("firewall: %s", s.Describe())
			}
		}
	}
	spec.OS = spec.OS.without([]string{"selinux", "firewall"})
	for _, n := range planOf(t, spec).Nodes {
		switch n.Step.(type) {
		case step.SELinux, step.Firewall:
			t.Errorf("%s is planned although it is to be kept", n.ID())
		}
	}
	spec.OS.Sudoers = "grant"
	if !slices.ContainsFunc(planOf(t, spec).Nodes, func(n engine.Node) bool { return n.ID() == "sudoers:app" }) {
		t.Error("sudo was asked for and is not planned")
	}
}

func planOf(t *testing.T, spec *Spec) engine.Plan {
	t.Helper()
	plan, err := NewPlan(spec, planInput())
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestFault17HostAndGuestOnOneMachineAreRefused(t *testing.T) {
	_, err := parseText("host: {partyid: 10000, ip: 192.168.0.1}\nguest: {partyid: 9999, ip: 192.168.0.1}\n")
	wantProblem(t, err, "an address of both the host and the guest")
}

// TestFault20ModelsOutliveTheirComponent: replacing or removing FATE-Flow must not take the trained models along.
func TestFault20ModelsOutliveTheirComponent(t *testing.T) {
	plan, err := NewPlan(planSpec(t, RoleHost, 10000), planInput())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range plan.Nodes {
		if u, ok := n.Step.(step.Unpack); ok && u.Component == "fateflow" &&
			!slices.Contains(u.Keep, "model_local_cache") {
			t.Errorf("unpacking FATE-Flow keeps only %q", u.Keep)
		}
	}
}

// TestFault21EveryReleaseHasItsGrants: upstream's 1.7.3 refers to a grant file that it does not have.
func TestFault21EveryReleaseHasItsGrants(t *testing.T) {
	for _, release := range Releases() {
		db, ok := specOf(t, oneHost, "192.168.0.1", release).Database()
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
	s := specOf(t, oneHost, "192.168.0.1", "1.11.4")
	files, err := Render(s)
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
	s := specOf(t, oneHost, "192.168.0.1", "1.11.4")
	script := rendered(t, s)[s.Layout.ServiceScript()]
	if !strings.HasPrefix(script, "#!/bin/sh\n") || strings.Contains(script, "kill") ||
		strings.Contains(script, "grep") {
		t.Errorf("service.sh:\n%s", script)
	}
	if out, err := exec.Command("/bin/sh", "-n", temporary(t,
		"service.sh", []byte(script))).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestFault31KeysOfTwoInstallationsStayApart: each base directory has its own.
func TestFault31KeysOfTwoInstallationsStayApart(t *testing.T) {
	c, err := parseText("host: {partyid: 10000, ip: 192.168.0.1, rollsite: {server_secure: true, client_secure: true}}")
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{"/data", "/srv/test"} {
		s, err := c.Spec(Selection{IP: "192.168.0.1", Base: base, Versions: versions1113, Env: env1113,
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
	c, err := parseText(oneHost)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(Selection{IP: "192.168.0.1", User: "fate", Group: "ml", Versions: versions1113, Env: env1113})
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
	for _, p := range Programs(specOf(t, haCluster, "192.168.0.1", "1.11.4")) {
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
	if got := specOf(t, text, "192.168.0.1", "1.11.4").Components(); slices.Contains(got, "mysql") {
		t.Errorf("the clustermanager's host gets %v", got)
	}
	s := specOf(t, text, "192.168.0.9", "1.11.4")
	if got := s.Components(); !slices.Equal(got, []string{"mysql", "eggroll"}) {
		t.Errorf("the database's host gets %v: it needs the schema that comes with eggroll, and no java", got)
	}
	db, ok := s.Database()
	if !ok || !db.Manage || len(db.Schemas) != 2 {
		t.Errorf("the database's host manages %+v", db)
	}
}

func TestFault27ProgramsAreExecutedWithoutAShell(t *testing.T) {
	for _, release := range []string{"1.5.0", "1.8.0", "1.11.4"} {
		for _, p := range Programs(specOf(t, haCluster9(release), "192.168.0.1", release)) {
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
	if Version(release).AtLeast(1, 9) {
		return haCluster
	}
	return oneHost
}

func TestFault29EveryLogEnds(t *testing.T) {
	for _, jdk := range []string{"8u345", "17.0.15"} {
		s := specOf(t, haCluster, "192.168.0.1", "1.11.4")
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
	s := specOf(t, haCluster, "192.168.0.1", "1.11.4")
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
