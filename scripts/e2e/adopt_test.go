//go:build e2e

package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fate-installer/scripts/ansiblefate"
)

// ansibleHost makes an installation of AnsibleFATE of the demo's parts: ours is installed for the trees, the accounts
// and the database, and gives way to AnsibleFATE's files and the python supervisor.
type ansibleHost struct {
	bench
	host, dir string // dir has the files that are laid out
}

// published is a cluster file with the passwords that AnsibleFATE publishes.
const published = `host:
  partyid: 10000
  rollsite: {ips: [192.168.0.1]}
  clustermanager: {ips: [192.168.0.1]}
  nodemanager: {ips: [192.168.0.1]}
  fate_flow: {ips: [192.168.0.1]}
  fateboard: {ips: [192.168.0.1]}
  mysql: {ips: [192.168.0.1]}
  secrets: {mysql_root: ` + ansiblefate.AdminPassword + ", mysql_user: " + ansiblefate.UserPassword +
	", route_table_key: fate, fateboard_admin: " + ansiblefate.BoardPassword + "}\n"

// giveWay takes our supervisor and our records off a host, and puts the python supervisor into the base python of
// AnsibleFATE, which is a copy of FATE's.
const giveWay = `set -e
fate-installer svc stop all >/dev/null
systemctl disable --now fate-supervisor 2>/dev/null
rm -rf /data/projects/common/fate-installer /data/projects/common/supervisord /data/projects/common/tools
rm -f /usr/local/bin/fate-installer /etc/systemd/system/fate-supervisor.service
systemctl daemon-reload
cp -a /data/projects/fate/common/python/venv /data/projects/common/miniconda3
cd /data/projects/common/miniconda3
tar -C "$(ls -d lib/python3*/*-packages | head -1)" -xf /root/supervisor.tar
[ -e bin/python3 ] || ln -s python bin/python3
for program in supervisord supervisorctl pidproxy; do
	printf '#!%s\nimport sys\nfrom supervisor.%s import main\nsys.exit(main())\n' $PWD/bin/python3 $program >bin/$program
	chmod 755 bin/$program
done
rm /root/supervisor.tar
tar -C / --no-overwrite-dir -xf /root/laid.tar
rm /root/laid.tar
mkdir -p /data/logs/supervisord /data/projects/common/supervisord/run
chown -R app:apps /data /var/spool/cron/app
chmod 755 /data
`

// start starts the supervisor as cron does.
const startOld = `su app -s /bin/bash -c "/bin/bash /data/projects/common/supervisord/check.sh"`

// newAnsibleHost boots a host with an installation that has run jobs.
func newAnsibleHost(t *testing.T) ansibleHost {
	t.Helper()
	b := ansibleHost{newBench(t, "host=192.168.0.1"), "host", t.TempDir()}
	b.addProcps(b.host) // the host of AnsibleFATE has it
	b.write(b.host, "/root/cluster.yaml", published)
	b.install(b.host, "--config", "/root/cluster.yaml", "--role", "host")
	b.toy(b.host)
	b.t.Logf("%s", b.run(b.host, "fate-installer", "test", "min")) // it deploys the model that it trains
	return b
}

// layOut replaces our installation.
func (b ansibleHost) layOut() {
	b.t.Helper()
	versions := map[string]string{}
	for _, component := range []string{"mysql/mariadb", "jdk/jdk"} {
		dir := strings.TrimSpace(b.run(b.host, "sh", "-c", "ls -d /data/projects/fate/common/"+component+"-*"))
		name, version, _ := strings.Cut(filepath.Base(dir), "-")
		versions[name] = version
	}
	o := ansiblefate.Options{Version: "1.11.4", Laid: true, Versions: versions}
	if err := ansiblefate.Make(b.dir, o); err != nil {
		b.t.Fatal(err)
	}
	for _, e := range b.edits() {
		if err := ansiblefate.Edit(b.dir, e.file, e.old, e.text); err != nil {
			b.t.Fatal(err)
		}
	}
	b.pack(b.dir, "laid.tar", ".")
	b.pack("/usr/lib/python3/dist-packages", "supervisor.tar", "supervisor", "pkg_resources")
	b.t.Logf("our installation gives way:\n%s", b.run(b.host, "bash", "-c", giveWay))
}

// pack carries files of the machine to the host.
func (b ansibleHost) pack(dir, name string, files ...string) {
	b.t.Helper()
	archive := filepath.Join(b.t.TempDir(), name)
	args := append([]string{"-C", dir, "--owner=0", "--group=0", "-cf", archive}, files...)
	if out, err := exec.Command("tar", args...).CombinedOutput(); err != nil {
		b.t.Fatalf("tar: %v\n%s", err, out)
	}
	if err := b.CopyTo(b.t.Context(), archive, b.host, "/root/"+name); err != nil {
		b.t.Fatal(err)
	}
}

// handEdit is an edit of an operator. key is in the list of the plan; blank: the cluster file has it.
type handEdit struct{ file, old, text, key string }

const fateTree = "data/projects/fate/"

// edits are those of this host. The first make AnsibleFATE's files fit the demo's JDK and its time zone.
func (b ansibleHost) edits() []handEdit {
	names, err := filepath.Glob(filepath.Join(b.dir, fateTree+"common/mysql/*/conf/my.cnf"))
	if err != nil || len(names) != 1 {
		b.t.Fatalf("option files of the database: %v, %v", names, err)
	}
	conf := strings.TrimPrefix(names[0], b.dir+"/")
	const eggroll = fateTree + "eggroll/conf/eggroll.properties"
	return []handEdit{
		{eggroll, "serverTimezone=Asia/Shanghai", "serverTimezone=UTC", ""},
		{fateTree + "bin/init_env.sh", "export EGGROLL_LOG_LEVEL=INFO",
			"export EGGROLL_LOG_LEVEL=INFO\nexport JAVA_TOOL_OPTIONS=-XX:+IgnoreUnrecognizedVMOptions", "JAVA_TOOL_OPTIONS"},
		{eggroll, "push.max.retry=3", "push.max.retry=9", "eggroll.rollsite.push.max.retry"},
		{fateTree + "conf/service_conf.yaml", "max_connections: 100", "max_connections: 60", "database.max_connections"},
		{fateTree + "eggroll/conf/route_table.json", `"10000"`,
			`"9998": {"default": [{"ip": "192.168.0.9", "port": 9370}]}, "10000"`, ""},
		{conf, "max_connect_errors=1000", "max_connect_errors=1000\ninnodb_lock_wait_timeout=77",
			"mysqld.innodb_lock_wait_timeout"},
		{fateTree + "fateboard/service.sh", "-Xmx2048m -Xms2048m", "-Xmx512m -Xms64m", "-Xmx"},
		{"var/spool/cron/app", "*/5", "0 3 * * 0 /bin/bash /data/projects/common/supervisord/service.sh restart " +
			"fate-fateboard\n*/5", ""},
	}
}

// adoption is what the test reads of adopt --plan -o json.
type adoption struct {
	Programs []struct {
		Name, Takeover, Why string
		Processes           []struct {
			PID, Parent int
			User        string
			Command     []string
		}
	}
	Supervisor  struct{ PID int }
	Boot        []struct{ Starts bool }
	Differences []struct{ File, Key, By string }
	Obstacles   []struct{ What string }
	Skipped     []struct{ File, Why string }
	Secrets     []struct{ Name string }
	ClusterFile string `json:"cluster_file"`
}

// processes lists those of the service user, with the time of their start, without those that work for jobs.
const processes = `import glob
all = {}
for d in glob.glob("/proc/[0-9]*"):
    try:
        stat = open(d + "/stat").read().rsplit(")", 1)[1].split()
        user = [l for l in open(d + "/status") if l.startswith("Uid:")][0].split()[1]
        all[d[6:]] = (user, stat[1], stat[19], open(d + "/cmdline", "rb").read())
    except OSError: # it has ended
        pass
def worker(pid):
    parent = all[pid][1]
    return b"egg_pair" in all[pid][3] or parent in all and (b"NodeManagerBootstrap" in all[parent][3] or worker(parent))
for pid, (user, parent, started, command) in all.items():
    if user == "%s" and not worker(pid):
        print(pid, started)
`

func (b ansibleHost) processes() map[string]string {
	b.t.Helper()
	uid := strings.TrimSpace(b.run(b.host, "id", "-u", "app"))
	out := map[string]string{}
	for line := range strings.Lines(b.run(b.host, labPython, "-c", strings.Replace(processes, "%s", uid, 1))) {
		pid, started, _ := strings.Cut(strings.TrimSpace(line), " ")
		out[pid] = started
	}
	return out
}

// takenOver is what becomes of each program of such a host.
var takenOver = map[string]string{"fate-mysql": "restart", "fate-clustermanager": "keep", "fate-nodemanager": "keep",
	"fate-rollsite": "keep", "fate-fateflow": "keep", "fate-fateboard": "keep"}

// TestAdoptPlan plans the take-over of a host on which an installation of AnsibleFATE runs, while a job runs.
func TestAdoptPlan(t *testing.T) {
	t.Parallel()
	b := newAnsibleHost(t)
	b.layOut()
	b.run(b.host, "sh", "-c", startOld)
	b.await("the programs of AnsibleFATE work", func() bool {
		_, code, err := b.try(b.host, installerFile, "svc", "probe-nodes", "--conf", "/"+fateTree+
			"eggroll/conf/eggroll.properties", "192.168.0.1:4671")
		return err == nil && code == 0 && b.answers(9380) && b.answers(8080) && b.answers(9370)
	})
	b.checkPlan()
}

func (b ansibleHost) answers(port int) bool {
	_, code, err := b.try(b.host, "bash", "-c", "exec 3<>/dev/tcp/192.168.0.1/"+strconv.Itoa(port))
	return err == nil && code == 0
}

func (b ansibleHost) checkPlan() {
	job := make(chan string, 1)
	go func() {
		out, _, err := b.try(b.host, labPython, "-c", longJob, "192.168.0.1:9380", "10000", "30", "120")
		if err != nil {
			out += err.Error()
		}
		job <- strings.TrimSpace(out)
	}()
	b.await("the job has a worker", func() bool { return b.workers(b.host) > 0 })
	written := append(slices.Clone(notOurs), "/data/logs", "/data/projects/data", "*/__pycache__", "*/fateboard/gc.log*",
		"*/fateflow/jobs", "*/model_local_cache") // where the job writes
	files, running := b.tree(b.host, []string{"/"}, written...), b.processes()
	out, code, err := b.try(b.host, installerFile, "adopt", "--plan", "-o", "json", "--out", "/root/adopted.yaml")
	if err != nil || code != 0 {
		b.t.Fatalf("adopt --plan: exit status %d, %v\n%s", code, err, out)
	}
	b.checkSame("the plan changes the host", files, b.tree(b.host, []string{"/"}, written...))
	b.checkSame("the plan changes processes", running, b.processes())
	var p adoption
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	b.t.Logf("the plan:\n%s", b.run(b.host, installerFile, "adopt", "--plan"))
	b.checkAdoption(p, running)
	b.accepted()
	if status := <-job; status != "success" {
		b.t.Errorf("the job ended with %q", status)
	}
}

// checkAdoption compares the plan with the host.
func (b ansibleHost) checkAdoption(p adoption, running map[string]string) {
	b.t.Helper()
	for _, program := range p.Programs {
		if want := takenOver[program.Name]; program.Takeover != want || len(program.Processes) == 0 {
			b.t.Errorf("%s: %s (%s), want %s", program.Name, program.Takeover, program.Why, want)
			continue
		}
		main := program.Processes[0]
		if main.User != "app" || running[strconv.Itoa(main.PID)] == "" {
			b.t.Errorf("%s: %+v is no process of the service user", program.Name, main)
		}
		if program.Takeover == "keep" && main.Parent != p.Supervisor.PID {
			b.t.Errorf("%s: its parent is not the supervisor, %d: %+v", program.Name, p.Supervisor.PID, main)
		}
	}
	if len(p.Programs) != len(takenOver) || p.Supervisor.PID == 0 {
		b.t.Errorf("programs %+v, supervisor %+v", p.Programs, p.Supervisor)
	}
	if len(p.Boot) != 2 || p.Boot[0].Starts || !p.Boot[1].Starts {
		b.t.Errorf("at boot: %+v", p.Boot)
	}
	if len(p.Obstacles)+len(p.Skipped) > 0 {
		b.t.Errorf("obstacles %+v, skipped %+v", p.Obstacles, p.Skipped)
	}
	var want, got []string
	for _, e := range b.edits() {
		if e.key != "" {
			want = append(want, e.key)
		}
	}
	for _, d := range p.Differences {
		if d.By == "operator" {
			got = append(got, d.Key)
		}
	}
	want = append(want, "-Xms")
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		b.t.Errorf("the kept edits of operators are %q\nwant %q", got, want)
	}
	if !strings.Contains(p.ClusterFile, "{name: default, ip: 192.168.0.9, port: 9370}") {
		b.t.Errorf("the cluster file lacks the added route:\n%s", p.ClusterFile)
	}
}

// accepted holds that the cluster file is one: check and plan read it, and check refuses the host for the installation
// that is there, and names the take-over.
func (b ansibleHost) accepted() {
	b.t.Helper()
	b.run(b.host, installerFile, "config", "check", "--config", "/root/adopted.yaml")
	b.run(b.host, installerFile, "plan", "--config", "/root/adopted.yaml")
	out, code, err := b.try(b.host, installerFile, "check", "--config", "/root/adopted.yaml")
	if err != nil || code != 3 || !strings.Contains(out, "fate-installer adopt --plan") {
		b.t.Errorf("check: exit status %d, %v\n%s", code, err, out)
	}
}
