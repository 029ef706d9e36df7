package adopt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/scripts/ansiblefate"
)

func program(t *testing.T, p *Plan, name string) Program {
	t.Helper()
	for _, x := range p.Programs {
		if x.Name == name {
			return x
		}
	}
	t.Fatalf("there is no %s", name)
	return Program{}
}

// relink makes a link of a tree lead elsewhere.
func relink(t *testing.T, dir, name, target string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, file); err != nil {
		t.Fatal(err)
	}
}

// TestTakeover judges the programs of a running host, and of hosts where something is in the way.
func TestTakeover(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(t *testing.T, dir string)
		program  string
		takeover string
		words    string
	}{
		"java":  {nil, "fate-clustermanager", TakeoverKeep, "process 920"},
		"flow":  {nil, "fate-fateflow", TakeoverKeep, "console.log"},
		"board": {nil, "fate-fateboard", TakeoverKeep, "/dev/null"},
		"mysql": {nil, "fate-mysql", TakeoverRestart, "mysqld_safe (process 911)"},
		"output to a pipe": {func(t *testing.T, dir string) { relink(t, dir, "proc/940/fd/1", "pipe:[17]") },
			"fate-rollsite", TakeoverRestart, "goes to the old supervisor"},
		"another user": {func(t *testing.T, dir string) {
			put(t, dir, "proc/950/status", "Name:\tpython\nPPid:\t900\nUid:\t0\t0\t0\t0\n")
		}, "fate-fateflow", TakeoverRestart, "runs as root, and the program file says app"},
		"twice": {func(t *testing.T, dir string) {
			if err := os.CopyFS(filepath.Join(dir, "proc/951"), os.DirFS(filepath.Join(dir, "proc/950"))); err != nil {
				t.Fatal(err)
			}
		}, "fate-fateflow", TakeoverRestart, "2 processes"},
		"not running": {func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "proc/960")); err != nil {
				t.Fatal(err)
			}
		}, "fate-fateboard", TakeoverStart, "does not run"},
		"a shell in front": {func(t *testing.T, dir string) {
			put(t, dir, "proc/949/cmdline", "/bin/bash\x00/data/projects/fate/fateflow/bin/service.sh\x00starting\x00")
			put(t, dir, "proc/949/status", "Name:\tbash\nPPid:\t900\nUid:\t1001\t1001\t1001\t1001\n")
			put(t, dir, "proc/950/status", "Name:\tpython\nPPid:\t949\nUid:\t1001\t1001\t1001\t1001\n")
		}, "fate-fateflow", TakeoverRestart, "service.sh (process 949)"},
		"another software's program": {func(t *testing.T, dir string) {
			put(t, dir, "data/projects/common/supervisord/supervisord.d/agent.conf", "[program:agent]\ncommand=/opt/agent\n")
		}, "agent", TakeoverLeave, "no program of FATE"},
		"processes are not seen": {func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "proc")); err != nil {
				t.Fatal(err)
			}
		}, "fate-mysql", TakeoverUnknown, "not looked at"},
	} {
		t.Run(name, func(t *testing.T) {
			h, dir := tree(t, ansiblefate.Options{Running: true})
			if c.change != nil {
				c.change(t, dir)
			}
			p := mustPlan(t, h, options())
			got := program(t, p, c.program)
			if got.Takeover != c.takeover || !strings.Contains(got.Why, c.words) {
				t.Errorf("%s: %s: %s; want %s: %s", c.program, got.Takeover, got.Why, c.takeover, c.words)
			}
			checkComplete(t, p)
		})
	}
}

// TestProcesses reads what the take-over compares again later.
func TestProcesses(t *testing.T) {
	h, _ := tree(t, ansiblefate.Options{Running: true, Base: "/srv/x"})
	p := mustPlan(t, h, options())
	if p.Base != "/srv/x" || p.Supervisor == nil || p.Supervisor.PID != 900 || p.Supervisor.HTTP != "127.0.0.1:9001" {
		t.Errorf("the base is %s, the supervisor %+v", p.Base, p.Supervisor)
	}
	flow := program(t, p, "fate-fateflow").Processes[0]
	if flow.PID != 950 || flow.Parent != 900 || flow.User != "app" || flow.Started != 1950 ||
		flow.Directory != "/srv/x/projects/fate/fateflow" || flow.Command[0] != "python" ||
		flow.Variables["EGGROLL_HOME"] != "/srv/x/projects/fate/eggroll" {
		t.Errorf("FATE-Flow is %+v", flow)
	}
	database := program(t, p, "fate-mysql").Processes
	if len(database) != 3 || database[0].PID != 912 || database[2].PID != 910 {
		t.Errorf("the database server is %+v", database)
	}
	if len(p.Boot) != 1 || !p.Boot[0].Starts || p.Boot[0].File != "/var/spool/cron/app" {
		t.Errorf("at boot: %+v", p.Boot)
	}
}

// TestEdits lists the edits that operators make, and carries those over that a cluster file can say.
func TestEdits(t *testing.T) {
	h, dir := tree(t, ansiblefate.Options{TLS: true})
	eggroll, flow := "data/projects/fate/eggroll/conf/eggroll.properties", "data/projects/fate/conf/service_conf.yaml"
	edit(t, dir, eggroll, "processors.per.node=4", "processors.per.node=8")
	edit(t, dir, eggroll, "rollsite.gc.log", "rollsite.gc.log -Xmx12G")
	edit(t, dir, eggroll, "push.max.retry=3", "push.max.retry=9")
	edit(t, dir, eggroll, "eggroll.rollsite.coordinator",
		"eggroll.resourcemanager.nodemanager.jvm.options=-Xmx4g\neggroll.rollsite.coordinator")
	edit(t, dir, flow, "max_connections: 100", "max_connections: 500")
	edit(t, dir, "data/projects/fate/eggroll/conf/route_table.json", `"10000"`,
		`"9998": {"default": [{"ip": "10.9.9.9", "port": 9370}]},"10000"`)
	edit(t, dir, "data/projects/fate/common/mysql/mysql-8.0.28/conf/my.cnf", "mysqlx=0",
		"mysqlx=0\ninnodb_buffer_pool_size=8G")
	p := mustPlan(t, h, options())
	want := "my.cnf mysqld.innodb_buffer_pool_size, service_conf.yaml database.max_connections, " +
		"eggroll.properties eggroll.resourcemanager.nodemanager.jvm.options, " +
		"eggroll.properties eggroll.rollsite.push.max.retry"
	if got := strings.Join(edits(p), ", "); got != want {
		t.Errorf("the edits are %s\nwant %s", got, want)
	}
	for _, line := range []string{"egg: 8", "max_memory: 12G", "{name: default, ip: 10.9.9.9, port: 9370}"} {
		if !strings.Contains(p.ClusterFile, line) {
			t.Errorf("the cluster file lacks %q:\n%s", line, p.ClusterFile)
		}
	}
	if p.Keys == nil || len(p.Keys.Files) != 6 || len(p.Keys.Problems) > 0 {
		t.Errorf("the keys are %+v", p.Keys)
	}
	checkComplete(t, p)
}
