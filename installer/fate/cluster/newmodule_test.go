package cluster_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/payload"
	"fate-installer/supervisor"
	"fate-installer/supervisor/config"

	"github.com/rs/zerolog"
)

const dashboardPort = 8083

// dashboardSpec is the Spec of a host that runs the made-up module besides all others.
func dashboardSpec(t *testing.T, text string) *cluster.Spec {
	t.Helper()
	c, err := fatetest.ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	versions := fatetest.Merged(fatetest.Versions1113, map[string]string{"dashboard": "3.0"})
	s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Env: fatetest.Env1113, Versions: versions,
		Secrets: fatetest.FixedSecrets, Memory: 8 << 30})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const dashboardSide = "host: {partyid: 10000, ip: 192.168.0.1}\n"

// TestNewModuleIsAnEntry holds that a module which nothing but the table names is planned, rendered and checked.
func TestNewModuleIsAnEntry(t *testing.T) {
	cluster.AddDashboard(t, dashboardPort, "/usr/bin/dashboard", "-c", "dashboard.conf")
	s := dashboardSpec(t, dashboardSide)
	const home, logs = "/data/projects/fate/dashboard", "/data/logs/fate/dashboard"

	if !s.Runs(cluster.Dashboard) || !slices.Contains(s.Components(), "dashboard") ||
		s.UnpackTarget("dashboard") != home {
		t.Fatalf("it is not installed: %v, %v", s.Modules(), s.Components())
	}
	if only, err := cluster.ParseModules([]string{"dashboard"}); err != nil || !slices.Equal(only,
		[]cluster.Module{cluster.Dashboard}) {
		t.Errorf("--only does not know it: %v, %v", only, err)
	}
	if !slices.ContainsFunc(s.Ends(), func(e cluster.ModuleEnd) bool {
		return e == cluster.ModuleEnd{Module: cluster.Dashboard, IP: "192.168.0.1", Port: dashboardPort, Inside: true}
	}) {
		t.Errorf("it is not found on its host: %v", s.Ends())
	}
	if !slices.ContainsFunc(s.Advice(), func(a cluster.Advice) bool { return a.Key == "heap of dashboard" }) {
		t.Errorf("no size is given for it: %v", s.Advice())
	}

	programs := render.Programs(s)
	p := programs[len(programs)-1]
	if p.Name != "fate-dashboard" || p.Directory != home || p.ReadyTCP != "127.0.0.1:8083" ||
		!slices.Equal(p.DependsOn, []string{"fate-clustermanager"}) || p.StdoutLogfile != logs+"/dashboard.out" {
		t.Errorf("its process is %+v", p)
	}
	uses := render.SecretUses(s)
	i := slices.IndexFunc(uses, func(u render.SecretUse) bool { return u.Name == "route_table_key" })
	if i < 0 || !slices.Contains(uses[i].Programs, "fate-dashboard") {
		t.Errorf("it is not restarted when its secret changes: %+v", uses)
	}
	checkDashboardPlan(t, s, home, logs)
	checkDashboardPreflight(t, s)
}

func checkDashboardPlan(t *testing.T, s *cluster.Spec, home, logs string) {
	t.Helper()
	plan, err := fate.NewPlan(s, fate.PlanInput{Components: append(slices.Clone(fatetest.Components),
		payload.Component{Name: "dashboard", Version: "3.0", Digest: "d", Size: 1}), Mode: fate.ModeDeploy,
		Facts: &host.Facts{}, SiteFile: "/data/site.json"})
	if err != nil {
		t.Fatal(err)
	}
	after := map[string][]string{}
	for _, n := range plan.Nodes {
		after[n.ID()] = n.After
	}
	start := "start:fate-dashboard"
	for _, id := range []string{"unpack:" + home, "dir:" + logs, "link:" + home + "/logs",
		"file:/data/projects/common/supervisord/supervisord.d/fate-dashboard.conf", start} {
		if _, ok := after[id]; !ok {
			t.Errorf("the plan has no step %s", id)
		}
	}
	if !slices.Contains(after[start], "start:fate-clustermanager") {
		t.Errorf("it starts after %v", after[start])
	}
	if got := cluster.KeptPaths("dashboard"); !slices.Equal(got, []string{"charts"}) {
		t.Errorf("an upgrade keeps %v", got)
	}
}

func checkDashboardPreflight(t *testing.T, s *cluster.Spec) {
	t.Helper()
	facts := &host.Facts{Memory: host.Memory{Total: 8 << 30},
		Processes: []host.Process{{PID: 7, Args: []string{"java", "-jar", "/opt/dashboard.jar"}}}}
	results := map[string]preflight.CheckResult{}
	for _, r := range preflight.Run(s, facts, preflight.Input{}) {
		results[r.ID] = r
	}
	if r := results["port:8083"]; !strings.Contains(r.Title, "dashboard") {
		t.Errorf("its port is not checked: %+v", r)
	}
	if r := results["processes"]; !strings.Contains(r.Measured, "the dashboard (pid 7)") {
		t.Errorf("another installation of it is not seen: %+v", r)
	}
	if r := results["memory"]; !strings.Contains(fmt.Sprintf("%+v", r), "programs of this host take") {
		t.Errorf("memory is not checked: %+v", r)
	}
	if got := s.Resident(cluster.Dashboard); got != (cluster.Resident{Idle: 300, Used: 400}) {
		t.Errorf("it takes %+v", got)
	}
}

// TestNewModuleIsValidated holds that the rules of the cluster file know a module which only the table names.
func TestNewModuleIsValidated(t *testing.T) {
	cluster.AddDashboard(t, 8080)
	_, err := fatetest.ParseText(dashboardSide)
	if err == nil || !strings.Contains(err.Error(), "host.dashboard.port both want port 8080") {
		t.Errorf("the clash of its port with another one is not seen: %v", err)
	}
}

// TestNewModuleIsSupervised runs a module that only the table describes: the supervisor starts what its entry says, and
// takes it for ready when its port accepts connections.
func TestNewModuleIsSupervised(t *testing.T) {
	if address := os.Getenv("DASHBOARD"); address != "" {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		for {
			conn, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().(*net.TCPAddr)
	free.Close()
	cluster.AddDashboard(t, address.Port, os.Args[0], "-test.run=^TestNewModuleIsSupervised$")
	programs := render.Programs(dashboardSpec(t, dashboardSide))
	p := programs[len(programs)-1]
	dir := t.TempDir()
	// As an installation has it, but for what root alone may do and for the other programs.
	p.User, p.Directory, p.DataDirs, p.DependsOn, p.LimitNoFile, p.LimitNProc = "", dir, nil, nil, "", ""
	p.StdoutLogfile, p.StderrLogfile = filepath.Join(dir, "out"), filepath.Join(dir, "err")
	p.Environment = map[string]string{"DASHBOARD": address.String()}
	file := filepath.Join(dir, "supervisord.conf")
	text := append([]byte("[supervisord]\nlogfile = %(here)s/daemon.log\n"), p.INI()...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	settings, problems, err := config.Load(file, os.Environ())
	if err != nil {
		t.Fatal(err, problems)
	}
	sup, err := supervisor.New(settings, supervisor.Options{StateDir: filepath.Join(dir, "state"),
		Environ: os.Environ(), NoCgroups: true, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer sup.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if err := sup.Start(ctx, []string{"fate-dashboard"}, true); err != nil {
		t.Fatal(err)
	}
	if status, err := sup.Status("fate-dashboard"); err != nil || !status.Ready || !slices.Equal(status.Ports,
		[]int{address.Port}) {
		t.Errorf("it is %+v, %v", status, err)
	}
	if err := sup.Shutdown(ctx, false); err != nil {
		t.Error(err)
	}
}
