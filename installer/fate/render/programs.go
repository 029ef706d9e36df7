package render

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor/config"
)

// Programs describes every process of this host. Each command is the process itself: no shell stands between the
// supervisor and java, python or the database server, so signals, exit codes and pids are the program's own.
func Programs(s *cluster.Spec) []config.Program {
	var out []config.Program
	for i, m := range s.Modules() {
		var p config.Program
		switch describe := programs[m]; {
		case describe != nil:
			p = describe(s)
		case s.Command(m) != nil:
			p = plainProgram(s, m)
		default:
			continue // others start it
		}
		p.Priority = 100 + 10*i
		p.DataDirs = s.DataDirs(m)
		if len(s.Needs(p.Name)) > 0 {
			p.StartRetries = retryForEver // the other host may be away for a day, and its return needs no operator
		}
		out = append(out, p)
	}
	return out
}

// programs describes the processes that need more than the table of modules has.
var programs = map[cluster.Module]func(*cluster.Spec) config.Program{
	cluster.MySQL:          databaseProgram,
	cluster.ClusterManager: clusterManagerProgram,
	cluster.NodeManager:    nodeManagerProgram,
	cluster.Rollsite:       rollsiteProgram,
	cluster.ZooKeeper:      zooKeeperProgram,
	cluster.Nginx:          nginxProgram,
	cluster.FateFlow:       flowProgram,
	boardModule:            boardProgram,
}

// The limits of upstream's guide, for the processes that hold a connection, store or worker per task.
const (
	LimitFiles     = "65535"
	LimitProcesses = "65535"
)

// retryForEver is the largest startretries there is; the pauses between them grow to half a minute.
const retryForEver = 1_000_000

// program has the values that all programs share, and what the table of modules has. Upstream's supervisor gives up for
// good after three quick failures, which turns a database that is slow to start into a dead FATE-Flow; here the pauses
// grow and the attempts go on.
func program(s *cluster.Spec, m cluster.Module, command ...string) config.Program {
	p := config.NewProgram(m.Program(), command...)
	p.User = s.User
	p.Directory = s.Home(m)
	p.AutoRestart = "true"
	p.StartRetries = 20
	p.StopWaitSecs = 30
	logs := s.Layout.ComponentLogs(m.LogDir())
	p.StdoutLogfile = path.Join(logs, string(m)+".out")
	p.StderrLogfile = path.Join(logs, string(m)+".err")
	p.LimitNoFile, p.LimitNProc = LimitFiles, LimitProcesses
	for _, name := range running(s, s.Wants(m)...) {
		if name != p.Name { // an ensemble wants its like on other hosts
			p.DependsOn = append(p.DependsOn, name)
		}
	}
	if port := s.Side.Port(m); port != 0 {
		p.Ports = []int{port}
	}
	return p
}

// plainProgram is a process that the table of modules describes. It is ready when its port accepts connections.
func plainProgram(s *cluster.Spec, m cluster.Module) config.Program {
	p := program(s, m, s.Command(m)...)
	p.Environment = withLibraries(s, map[string]string{}, s.ComponentsOf(p.Name)...)
	if len(p.Ports) > 0 {
		p.ReadyTCP = loopback(p.Ports[0])
	}
	return p
}

func withLibraries(s *cluster.Spec, env map[string]string, components ...string) map[string]string {
	if dirs := libraryPath(s, components...); len(dirs) > 0 {
		env["LD_LIBRARY_PATH"] = strings.Join(dirs, ":")
	}
	return env
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

func databaseProgram(s *cluster.Spec) config.Program {
	server := path.Join(s.DatabaseHome(), cluster.DatabaseServer(s.DatabaseEngine()))
	p := program(s, cluster.MySQL, server, "--defaults-file="+DatabaseConf(s))
	p.Environment = withLibraries(s, map[string]string{}, s.DatabaseEngine())
	p.StdoutLogfile, p.StderrLogfile, p.RedirectStderr = path.Join(s.Layout.ComponentLogs("mysql"), "boot.log"), "NONE",
		true
	// It says nothing on its output once it has opened this.
	p.LogFiles = []string{databaseLog(s)}
	p.StopWaitSecs = 300 // a clean shutdown flushes the buffer pool; killing it means a recovery
	// While it starts, the server loses TERM, and a recovery cannot be interrupted otherwise. KILL is safe then: InnoDB
	// applies the redo log from the last checkpoint, writes pages through the doublewrite buffer, and begins again at
	// the same checkpoint. The directory of a new database gets its name only when it is complete, so none is made
	// here.
	p.StopWaitStarting = 20
	// The port opens before the server lets anyone in, so only a login tells.
	p.ReadyExec = []string{s.Layout.Binary(), "svc", "probe-mysql", "--defaults-file", ProbeConf(s)}
	p.ReadyTimeout = 5 * time.Minute
	return p
}

// EggrollEnvironment is handed on by the nodemanager to the workers it forks, which need all of it.
func EggrollEnvironment(s *cluster.Spec, module string) map[string]string {
	env := pythonEnvironment(s)
	env["EGGROLL_LOG_FILE"] = module
	env["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
	return withLibraries(s, env, "eggroll", "python", "jdk")
}

// pythonEnvironment has the variables that init_env.sh sets, without sourcing it.
func pythonEnvironment(s *cluster.Spec) map[string]string {
	env := map[string]string{
		"FATE_PROJECT_BASE": s.Layout.Project(), "FATE_DEPLOY_BASE": s.Layout.Project(),
		"EGGROLL_HOME": s.Layout.Eggroll(), "EGGROLL_LOG_LEVEL": "INFO",
		"FATE_LOG_LEVEL": "DEBUG", "FATE_PROFILE_LOG_ENABLED": "0",
		"JAVA_HOME": s.JavaHome(),
		"LANG":      "C.UTF-8",
		"TMPDIR":    s.Layout.ProgramTemp(),
		"PATH":      path.Join(s.JavaHome(), "bin") + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
	}
	if CallsTools(s) { // what the host has itself comes before the tools, unless it does not do what eggroll needs
		env["PATH"] = s.Layout.ToolsFirst() + ":" + env["PATH"] + ":" + s.Layout.Tools()
	}
	if hasFlowConf(s) {
		env["VIRTUAL_ENV"] = s.Layout.PythonHome()
		env["PYTHONPATH"] = strings.Join(s.Layout.PythonPath(), ":")
		env["PYTHONUTF8"] = "1" // the host may have no UTF-8 locale
		env["PATH"] = path.Join(s.Layout.PythonHome(), "bin") + ":" + env["PATH"]
	}
	return env
}

// java is the start of the command line of every JVM.
func java(s *cluster.Spec) []string {
	return []string{path.Join(s.JavaHome(), "bin", "java"), "-Djava.io.tmpdir=" + s.Layout.JavaTemp()}
}

// eggrollProgram runs one of eggroll's three bootstraps. The working directory has to be EGGROLL_HOME: configuration
// and code use paths relative to it. The JVM, not a shell, expands the star of the class path.
func eggrollProgram(s *cluster.Spec, m cluster.Module, class string, jvm []string) config.Program {
	home, port := s.Layout.Eggroll(), s.Side.Port(m)
	command := append(java(s), jvm...)
	command = append(command,
		"-XX:+ExitOnOutOfMemoryError", // a JVM out of memory answers probes but does no work; a restarted one does
		"-Dlog4j.configurationFile="+path.Join(home, "conf", "log4j2.properties"),
		"-cp", path.Join(home, "lib")+"/*:",
		"com.webank.eggroll.core.Bootstrap", "--bootstraps", class,
		"-c", s.Layout.EggrollProperties(), "-p", strconv.Itoa(port), "-s", processTag)
	p := program(s, m, command...)
	p.Environment = EggrollEnvironment(s, string(m))
	p.StdoutLogfile = path.Join(s.Layout.ComponentLogs("eggroll"), "bootstrap."+string(m)+".out")
	p.StderrLogfile = path.Join(s.Layout.ComponentLogs("eggroll"), "bootstrap."+string(m)+".err")
	logs := path.Join(s.Layout.ComponentLogs("eggroll"), "eggroll", string(m))
	p.LogFiles = []string{logs + ".jvm.err.log", logs + ".jvm.log", path.Join(home, javaCrashLogs)}
	p.ReadyTCP = loopback(port)
	return p
}

// javaCrashLogs are the files that a crashing JVM writes into its working directory.
const javaCrashLogs = "hs_err_pid*.log"

func clusterManagerProgram(s *cluster.Spec) config.Program {
	p := eggrollProgram(s, cluster.ClusterManager, "com.webank.eggroll.core.resourcemanager.ClusterManagerBootstrap",
		heapOptions(s, cluster.ClusterManager))
	p.StopWaitSecs = 60 // it ends all sessions first
	nodes := s.Side.NodeAddresses()
	if len(nodes) == 0 {
		return p
	}
	// A job that begins before all nodemanagers are registered fails. They, and FATE-Flow, which needs no nodemanager
	// to start, wait only for the port: a party works on when a host with a nodemanager is away.
	p.ReadyExec = []string{s.Layout.Binary(), "svc", "probe-nodes", "--conf", s.Layout.EggrollProperties()}
	if s.Profile.NodesRegister() {
		// A nodemanager that was killed is HEALTHY in the table until the next one has started and announced itself.
		p.ReadyExec = append(p.ReadyExec, "--seen", path.Join(s.Layout.EggrollData(), "heartbeats-seen.json"))
	} else {
		// No eggroll before 2.5 looks whether its nodemanagers are there, and each job that is planned on one that is
		// not hangs: the check takes it out, and back.
		p.ReadyExec = append(p.ReadyExec, "--own-status", path.Join(s.Layout.EggrollData(), "nodes-answering.json"))
	}
	p.ReadyExec = append(p.ReadyExec, nodes...)
	p.DependantsAfter = config.DependantsListening
	// a nodemanager is HEALTHY at its first heartbeat, and without a row 10 s later
	p.ReadyTimeout = 3 * time.Minute
	return p
}

func nodeManagerProgram(s *cluster.Spec) config.Program {
	return eggrollProgram(s, cluster.NodeManager, "com.webank.eggroll.core.resourcemanager.NodeManagerBootstrap",
		heapOptions(s, cluster.NodeManager))
}

func rollsiteProgram(s *cluster.Spec) config.Program {
	r := s.Side.Rollsite
	p := eggrollProgram(s, cluster.Rollsite, "com.webank.eggroll.rollsite.EggSiteBootstrap", rollsiteJVM(s))
	if s.Side.Secure() {
		p.ReadyTCP = loopback(r.SecurePort) // opened after the plain one
		p.Ports = append(p.Ports, r.SecurePort)
	}
	return p
}

func zooKeeperProgram(s *cluster.Spec) config.Program {
	home := s.Layout.ZooKeeper()
	command := append(java(s), heapOptions(s, cluster.ZooKeeper)...)
	command = append(command, "-XX:+ExitOnOutOfMemoryError",
		"-Dzookeeper.log.dir="+s.Layout.ComponentLogs("zookeeper"), "-Dzookeeper.root.logger=INFO,CONSOLE",
		"-cp", path.Join(home, "lib")+"/*:"+path.Join(home, "conf"),
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", s.Layout.ZooKeeperConf())
	p := program(s, cluster.ZooKeeper, command...)
	p.Environment = withLibraries(s, map[string]string{"JAVA_HOME": s.JavaHome()}, "jdk")
	p.LogFiles = []string{path.Join(home, javaCrashLogs)}
	own := cluster.DefaultZooKeeperPort
	for _, e := range s.Side.ZK.Lists {
		if e.IP == s.IP {
			own = e.Port
		}
	}
	// The port opens before the ensemble has a majority, and until then no client is served.
	p.ReadyExec = []string{s.Layout.Binary(), "svc", "probe-zookeeper", loopback(own)}
	p.Ports = []int{own, s.Side.ZK.AdminPort}
	if len(s.Side.ZK.Lists) > 1 {
		p.Ports = append(p.Ports, cluster.ZooKeeperQuorumPort, cluster.ZooKeeperElectionPort)
	}
	return p
}

func nginxProgram(s *cluster.Spec) config.Program {
	p := plainProgram(s, cluster.Nginx)
	p.LogFiles = []string{path.Join(s.Layout.ComponentLogs("nginx"), "error.log")}
	p.StopSignal = "QUIT" // lets requests finish; TERM cuts them
	p.Ports = []int{s.Side.Nginx.HTTPPort, s.Side.Nginx.GRPCPort}
	return p
}

func flowProgram(s *cluster.Spec) config.Program {
	flow := s.Side.FateFlow
	p := program(s, cluster.FateFlow, path.Join(s.Layout.PythonHome(), "bin", "python"), s.Layout.FlowServer())
	p.Environment = withLibraries(s, pythonEnvironment(s), "python", "eggroll", "jdk")
	p.StdoutLogfile = path.Join(s.Layout.ComponentLogs("fateflow"), "console.log")
	p.StderrLogfile = path.Join(s.Layout.ComponentLogs("fateflow"), "error.log")
	logs := path.Join(s.Layout.ComponentLogs("fateflow"), "fate_flow")
	p.LogFiles = []string{path.Join(logs, "ERROR.log"), path.Join(logs, "fate_flow_stat.log")}
	// It exits without its database or its registry; the others it only needs for jobs.
	p.DependsOn = running(s, cluster.MySQL, cluster.ClusterManager, cluster.ZooKeeper)
	body := "{}"
	if !s.Profile.FATE.AtLeast(1, 7) {
		body = `{"module":"FATE"}`
	}
	// It listens on its own address only. With authentication on, the answer is a refusal, but FATE-Flow's own.
	p.ReadyHTTP = &config.HTTPProbe{
		URL:    fmt.Sprintf("http://%s:%d/v1/version/get", s.IP, flow.HTTPPort),
		Method: "POST", Body: body, Header: map[string]string{"Content-Type": "application/json"},
		Status: 200, BodyContains: "retcode",
	}
	// Its web server has threads of its own: it answers also when jobs that hang hold all workers, and no job can
	// start.
	state := path.Join(s.Layout.ComponentLogs("fateflow"), "worker-probe.json")
	p.ReadyExec = []string{s.Layout.Binary(), "svc", "probe-worker", "--conf", s.Layout.ServiceConf(), "--state", state}
	p.DependantsAfter = config.DependantsListening // liveness is asked for also when no worker is free
	p.ReadyTimeout = 5 * time.Minute
	restart := s.Cluster.Heal.FateFlow
	if s.Registers() || restart {
		// It registers once. When its session with ZooKeeper expires it goes on, and the others take it for dead.
		p.LivenessExec = []string{s.Layout.Binary(), "svc", "probe-flow", "--conf", s.Layout.ServiceConf()}
	}
	if restart {
		p.LivenessExec = append(p.LivenessExec, "--worker-state", state)
	}
	p.Ports = []int{flow.GRPCPort, flow.HTTPPort}
	return p
}

// renderSupervisor writes the supervisor's configuration. Root owns it: who can write a program file decides what
// the supervisor runs, and as whom.
func renderSupervisor(s *cluster.Spec) ([]File, error) {
	l := s.Layout
	pass := ""
	if names := s.OS.PassEnvironment; len(names) > 0 {
		pass = "pass_environment=" + strings.Join(names, ",") + "\n"
	}
	main := fmt.Sprintf(`[unix_http_server]
file=%s
chmod=0660
chown=%s

[supervisord]
logfile=%s
logfile_maxbytes=50MB
logfile_backups=10
loglevel=info
pidfile=%s
minfds=1024
%s
[include]
files = %s
`, l.SupervisorSocket(), s.User+":"+s.Group, l.SupervisorLog(), path.Join(l.SupervisorRun(), "supervisord.pid"), pass,
		path.Join(l.SupervisorPrograms(), "*.conf"))
	files := []File{{
		Path: l.SupervisorConf(), Content: []byte(main), Perm: permConfig, Owner: "root", Group: "root",
		Component: "supervisor",
	}}
	for _, p := range Programs(s) {
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("cannot describe the program %s: %w", p.Name, err)
		}
		files = append(files, File{
			Path: path.Join(l.SupervisorPrograms(), p.Name+".conf"), Content: p.INI(), Perm: permConfig,
			Owner: "root", Group: "root", Component: "supervisor", Programs: []string{p.Name},
		})
	}
	return files, nil
}
