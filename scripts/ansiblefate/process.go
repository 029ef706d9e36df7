package ansiblefate

import (
	"fmt"
	"path"
	"sort"
	"strconv"
	"strings"
)

// pidOf has the process ids of what runs.
var pidOf = map[string]int{"supervisord": 900, "pidproxy": 910, "mysqld_safe": 911, "mysqld": 912,
	"clustermanager": 920, "nodemanager": 930, "rollsite": 940, "fateflow": 950, "fateboard": 960}

// process is one of /proc.
type process struct {
	name, parent string
	command      []string
	exe, cwd     string
	output       string // where descriptors 1 and 2 lead
	env          map[string]string
}

// processFiles show the programs as they run: mysqld below mysqld_safe and pidproxy, the others in the place of the
// shell script that started them.
func (h *host) processFiles() []file {
	python := path.Join(h.l.Common(), "miniconda3/bin/python3")
	list := []process{{name: "supervisord", command: []string{python, path.Join(h.l.Common(),
		"miniconda3/bin/supervisord"), "-c", h.supervisord()}, exe: python, cwd: "/", output: "/dev/null",
		env: map[string]string{"PATH": "/usr/bin:/bin"}}}
	for _, p := range h.Modules {
		list = append(list, h.processes(p)...)
	}
	files := []file{{path: "/proc/self", link: "1"}}
	for _, p := range list {
		files = append(files, p.files()...)
	}
	return files
}

func (h *host) processes(program string) []process {
	env := map[string]string{"EGGROLL_HOME": h.l.Eggroll(), "JAVA_HOME": h.javaHome(),
		"PYTHONPATH":        strings.Join(h.l.PythonPath(), ":"),
		"FATE_PROJECT_BASE": h.l.Project(), "SUPERVISOR_PROCESS_NAME": "fate-" + program}
	java := path.Join(h.javaHome(), "bin/java")
	one := func(cwd, output, exe string, command ...string) []process {
		return []process{{name: program, parent: "supervisord", command: command, exe: exe, cwd: cwd, output: output,
			env: env}}
	}
	eggroll := func(class string, port int, jvm ...string) []process {
		command := append([]string{java}, jvm...)
		command = append(command, "-Dlog4j.configurationFile="+path.Join(h.l.EggrollConf(), "log4j2.properties"), "-cp",
			h.l.Eggroll()+"/lib/*:", "com.webank.eggroll.core.Bootstrap", "--bootstraps", class, "-c",
			h.l.EggrollProperties(), "-p", strconv.Itoa(port), "-s", "DEFAULT")
		return one(h.l.Eggroll(), path.Join(h.l.ComponentLogs("eggroll"), "eggroll", "bootstrap."+program+".out"),
			java, command...)
	}
	switch program {
	case "clustermanager":
		return eggroll("com.webank.eggroll.core.resourcemanager.ClusterManagerBootstrap", 4670)
	case "nodemanager":
		return eggroll("com.webank.eggroll.core.resourcemanager.NodeManagerBootstrap", 4671)
	case "rollsite":
		return eggroll("com.webank.eggroll.rollsite.EggSiteBootstrap", 9370, strings.Fields(gcOptions)...)
	case "fateflow":
		return one(h.l.Flow(), path.Join(h.l.ComponentLogs("fateflow"), "console.log"),
			path.Join(h.l.Common(), "miniconda3/bin/python3"), "python", h.l.FlowServer())
	case "fateboard":
		return one(h.l.Board(), "/dev/null", java, java,
			"-Dspring.config.location="+h.l.BoardProperties(), "-Xmx2048m", "-Xms2048m", "-jar",
			path.Join(h.l.Board(), "fateboard.jar"))
	}
	home := h.mysqlHome()
	conf := "--defaults-file=" + path.Join(home, "conf/my.cnf")
	server, safe := path.Join(home, "bin/mysqld"), path.Join(home, "bin/mysqld_safe")
	const pipe = "pipe:[4711]"
	return []process{
		{name: "pidproxy", parent: "supervisord", command: []string{"python3", "pidproxy", path.Join(home,
			"run/mysqld.pid"), safe, conf, "--user=app"}, exe: "/usr/bin/python3", cwd: home, output: pipe, env: env},
		{name: "mysqld_safe", parent: "pidproxy", command: []string{"/bin/sh", safe, conf, "--user=app"},
			exe: "/bin/sh", cwd: home, output: pipe, env: env},
		{name: "mysqld", parent: "mysqld_safe", command: []string{server, conf, "--basedir=" + home,
			"--datadir=" + h.l.DatabaseData()}, exe: server, cwd: h.l.DatabaseData(),
			output: path.Join(h.l.ComponentLogs("mysql"), "mysqld.log"), env: env},
	}
}

func (p process) files() []file {
	dir := path.Join("/proc", strconv.Itoa(pidOf[p.name]))
	var env []string
	for key, value := range p.env {
		env = append(env, key+"="+value)
	}
	sort.Strings(env)
	uid := 1001
	parent := pidOf[p.parent]
	if p.parent == "" {
		parent = 1
	}
	// Field 22 of stat is the start time in ticks since boot; see proc_pid_stat(5).
	stat := fmt.Sprintf("%d (%s) S %d %s %d 0 0", pidOf[p.name], p.name, parent, strings.Repeat("0 ", 16)+"0",
		1000+pidOf[p.name])
	return []file{
		{path: path.Join(dir, "cmdline"), text: strings.Join(p.command, "\x00") + "\x00"},
		{path: path.Join(dir, "status"), text: fmt.Sprintf("Name:\t%s\nPPid:\t%d\nUid:\t%d\t%d\t%d\t%d\n",
			p.name, parent, uid, uid, uid, uid)},
		{path: path.Join(dir, "environ"), text: strings.Join(env, "\x00") + "\x00"},
		{path: path.Join(dir, "stat"), text: stat + "\n"},
		{path: path.Join(dir, "exe"), link: p.exe},
		{path: path.Join(dir, "cwd"), link: p.cwd},
		{path: path.Join(dir, "fd", "1"), link: p.output},
		{path: path.Join(dir, "fd", "2"), link: p.output},
	}
}
