package ansiblefate

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

func (h *host) mysqlFiles() []file {
	home := h.mysqlHome()
	socket := path.Join(home, "run", "mysql.sock")
	conf := lines("[mysqld]", "port=3306", "basedir="+home, "datadir="+h.l.DatabaseData(), "socket="+socket,
		"max_connections=10000", "max_connect_errors=1000", "character-set-server=utf8",
		"default-storage-engine=INNODB", "default_authentication_plugin=mysql_native_password", "mysqlx=0",
		"sql_mode='STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		"log-timestamps=SYSTEM", "[mysql]", "default-character-set=utf8", "[client]", "port=3306",
		"default-character-set=utf8", "socket="+socket, "[mysqld_safe]",
		"log-error="+path.Join(h.l.ComponentLogs("mysql"), "mysqld.log"),
		"pid-file="+path.Join(home, "run", "mysqld.pid"))
	if h.versions["mariadb"] != "" {
		for _, option := range []string{"default_authentication_plugin=mysql_native_password\n", "mysqlx=0\n",
			"log-timestamps=SYSTEM\n"} { // it does not start with options that it does not know
			conf = strings.Replace(conf, option, "", 1)
		}
	}
	data := h.l.DatabaseData()
	return []file{
		{path: path.Join(home, "conf", "my.cnf"), text: conf},
		{path: path.Join(home, "bin", "mysqld"), mode: 0o755, text: "#!/bin/sh\nexit 1\n", brought: true},
		{path: path.Join(home, "bin", "mysqld_safe"), mode: 0o755, text: safeScript},
		{path: path.Join(home, "sql", "grant.sql"), text: lines(
			"alter user 'root'@'localhost' identified with mysql_native_password by '"+AdminPassword+"';",
			"create user if not exists 'root'@'%';",
			"alter user 'root'@'%' identified with mysql_native_password by '"+AdminPassword+"';",
			"grant all on *.* to 'root'@'%' with grant option;", "", "flush privileges;")},
		{path: path.Join(home, ".init"), brought: true},
		{path: path.Join(home, ".chpasswd"), text: AdminPassword + "\n"},
		{path: path.Join(home, ".load"), brought: true},
		{path: path.Join(home, "run", "mysqld.pid"), text: fmt.Sprint(pidOf["mysqld"]) + "\n", brought: true},
		{path: path.Join(data, "ibdata1"), text: "InnoDB\n", brought: true},
		{path: path.Join(data, "auto.cnf"),
			text: "[auto]\nserver-uuid=8d8a9b1e-0000-11ee-0000-0242ac110002\n", brought: true},
		{path: path.Join(data, "fate_flow", "t_job.ibd"), text: "jobs\n", brought: true},
		{path: path.Join(data, "eggroll_meta", "server_node.ibd"), text: "nodes\n", brought: true},
	}
}

// environmentFile is init_env.sh.
func (h *host) environmentFile() file {
	out := []string{"#!/bin/bash", "", "export FATE_PROJECT_BASE=" + h.l.Project(),
		"export FATE_DEPLOY_BASE=" + h.l.Project(), "venv=" + h.l.PythonHome(), "source ${venv}/bin/activate",
		"export PYTHONPATH=" + strings.Join(h.l.PythonPath(), ":"), "export EGGROLL_HOME=" + h.l.Eggroll(),
		"export FATE_LOG_LEVEL=DEBUG", "export FATE_PROFILE_LOG_ENABLED=0", "export JAVA_HOME=" + h.javaHome(),
		"export PATH=$PATH:$JAVA_HOME/bin", "export EGGROLL_LOG_LEVEL=INFO"}
	return file{path: h.l.InitEnv(), mode: 0o755, text: lines(out...)}
}

func (h *host) supervisorFiles() []file {
	dir, run := h.l.Supervisor(), h.l.SupervisorRun()
	conf := lines("[unix_http_server]", "file="+path.Join(run, "supervisor.sock"), "chown=app:apps", "",
		"[inet_http_server]", "port=127.0.0.1:9001", "username=root", "password="+SupervisorPassword, "",
		"[supervisord]", "logfile="+h.l.SupervisorLog(), "logfile_maxbytes=50MB", "logfile_backups=10",
		"loglevel=info", "pidfile="+path.Join(run, "supervisord.pid"), "nodaemon=false", "minfds=1024", "minprocs=200",
		"", "[rpcinterface:supervisor]",
		"supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface", "", "[supervisorctl]",
		"serverurl=http://127.0.0.1:9001", "username=root", "password="+SupervisorPassword, "", "[include]",
		"files = "+path.Join(h.l.SupervisorPrograms(), "*.conf"))
	binary := path.Join(h.l.Common(), "miniconda3", "bin")
	libraries := "export LD_LIBRARY_PATH=" + path.Join(h.l.Common(), "miniconda3", "lib") // where it is not built in
	files := []file{
		{path: h.supervisord(), text: conf},
		{path: path.Join(dir, "service.sh"), mode: 0o755, text: lines("#!/bin/bash", libraries,
			`exec `+binary+`/supervisorctl -c `+h.supervisord()+` "$@"`)},
		{path: path.Join(dir, "boot.sh"), mode: 0o755, text: lines("#!/bin/bash", libraries,
			`exec `+binary+`/supervisord -c `+h.supervisord())},
		{path: path.Join(dir, "check.sh"), mode: 0o755, text: lines("#!/bin/bash",
			`kill -0 "$(cat `+path.Join(run, "supervisord.pid")+`)" 2>/dev/null || exec `+path.Join(dir, "boot.sh"))},
		{path: path.Join(binary, "supervisord"), mode: 0o755, text: "#!/bin/sh\nexit 1\n", brought: true},
		{path: path.Join(binary, "supervisorctl"), mode: 0o755, text: "#!/bin/sh\nexit 1\n", brought: true},
		{path: path.Join(run, "supervisord.pid"), text: fmt.Sprint(pidOf["supervisord"]) + "\n", brought: true},
		{path: "/var/spool/cron/app", mode: 0o600, text: "*/5 * * * * /bin/bash " + path.Join(dir, "check.sh") +
			" >/dev/null 2>&1\n"},
	}
	for _, p := range h.Modules {
		files = append(files, h.programFile(p))
	}
	return files
}

// program is how the python supervisor starts one.
func (h *host) program(name string) (command, directory, environment, stdout, stderr string) {
	inherited := `PATH="%(ENV_PATH)s",CLASSPATH="$CLASSPATH:$CLASSPATH"`
	switch name {
	case "mysql":
		home := h.mysqlHome()
		return path.Join(h.l.Common(), "miniconda3/bin/pidproxy") + " " + path.Join(home, "run/mysqld.pid") + " " +
				path.Join(home, "bin/mysqld_safe") + " --defaults-file=" + path.Join(home, "conf/my.cnf") + " --user=app",
			home, "", path.Join(h.l.ComponentLogs("mysql"), "boot.log"), ""
	case "fateflow":
		service := path.Join(h.l.Flow(), "bin", "service.sh")
		if h.l.Flat {
			service = path.Join(h.l.FatePython(), "fate_flow", "service.sh")
		}
		logs := h.l.ComponentLogs("fateflow")
		return "/bin/bash " + service + " starting", h.l.Flow(), inherited, path.Join(logs, "info.log"),
			path.Join(logs, "error.log")
	case "fateboard":
		logs := h.l.ComponentLogs("fateboard")
		return "/bin/bash " + path.Join(h.l.Board(), "service.sh") + " starting", h.l.Board(), inherited,
			path.Join(logs, "info.log"), path.Join(logs, "error.log")
	}
	logs := path.Join(h.l.ComponentLogs("eggroll"), "bootstrap."+name)
	return "/bin/bash " + path.Join(h.l.Eggroll(), "bin/fate-eggroll.sh") + " " + name + " starting",
		h.l.Eggroll() + "/", fmt.Sprintf(`PATH="%s:%s:%%(ENV_PATH)s",CLASSPATH="$CLASSPATH:$CLASSPATH"`,
			path.Join(h.javaHome(), "bin"), path.Join(h.l.PythonHome(), "bin")), logs + ".out", logs + ".err"
}

func (h *host) programFile(name string) file {
	command, directory, environment, stdout, stderr := h.program(name)
	out := []string{"[program:fate-" + name + "]", "command=" + command}
	if environment != "" {
		out = append(out, "environment="+environment)
	}
	out = append(out, "directory="+directory, "user=app", "autorestart=true", "redirect_stderr=true",
		"logfile_maxbytes = 50MB", "logfile_backups=10", "stdout_logfile="+stdout)
	if stderr != "" {
		out = append(out, "stderr_logfile="+stderr)
	}
	return file{path: path.Join(h.l.SupervisorPrograms(), "fate-"+name+".conf"),
		text: lines(append(out, "loglevel=info")...)}
}

// systemFiles are the accounts, the addresses, and what deploying leaves behind.
func (h *host) systemFiles() []file {
	files := []file{
		{path: "/etc/passwd",
			text: lines("root:x:0:0:root:/root:/bin/bash", "app:x:1001:1001::/home/app:/bin/bash"), brought: true},
		{path: "/etc/group", text: lines("root:x:0:", "apps:x:1001:"), brought: true},
		{path: "/etc/shadow", mode: 0o600, text: "root:$6$secret:19000:0:99999:7:::\n", brought: true},
	}
	if slices.Contains(h.Modules, "mysql") {
		files = append(files, file{path: path.Join(h.l.Temp(), "check.py"), text: "password = '" + AdminPassword + "'\n"})
	}
	return files
}

// balancerFiles are ZooKeeper and nginx as the guide for high availability has them set up by hand.
func (h *host) balancerFiles() []file {
	ip, port := h.nginx()
	if ip != h.IP {
		return nil
	}
	zk := h.l.ZooKeeper()
	return []file{
		{path: h.l.ZooKeeperConf(), text: lines("tickTime=2000", "initLimit=10", "syncLimit=5",
			"dataDir="+path.Join(zk, "data/zookeeper"), "dataLogDir="+path.Join(zk, "logs"), "clientPort=2181",
			"maxClientCnxns=1000", "admin.serverPort=8081", "server.1="+ip+":2888:3888")},
		{path: path.Join(zk, "data/zookeeper/myid"), text: "1\n"},
		{path: path.Join(zk, "lib", "zookeeper-3.5.8.jar")},
		{path: h.l.NginxConf(), text: h.nginxConf(ip, port)},
	}
}

// nginxConf is nginx's own file with the balancers of the guide.
func (h *host) nginxConf(ip string, port int) string {
	out := []string{"worker_processes  1;", "events {", "    worker_connections  1024;", "}", "http {",
		"    include mime.types;", "    default_type application/octet-stream;", "    sendfile on;"}
	for _, b := range []struct {
		protocol, listen string
		flow             int
	}{{"grpc", fmt.Sprint(port, " http2"), 9360}, {"http", fmt.Sprint(port - 1), 9380}} {
		out = append(out, "    upstream "+b.protocol+"_backend {")
		for _, flow := range append([]string{h.flowHost()}, h.Flows...) {
			out = append(out, fmt.Sprintf("        server %s:%d weight=5 max_fails=2 fail_timeout=60s;", flow, b.flow))
		}
		out = append(out, "    }", "    server {", "        listen "+b.listen+";", "        server_name "+ip+";",
			"        location / {", "            proxy_pass "+b.protocol+"://"+b.protocol+"_backend;", "        }", "    }")
	}
	return lines(append(out, "}")...)
}
