package adopt

import (
	"path"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
)

// templates knows what AnsibleFATE's templates write where it is not what is rendered here. It tells whether a
// difference is one of theirs or an edit of an operator.
type templates struct {
	s   *cluster.Spec
	sec *secrets
}

// gcOptions are the JVM options of rollsite in every generation.
const gcOptions = "-XX:+UseG1GC -XX:+PrintGCDetails -XX:+PrintGCDateStamps -Xloggc:logs/eggroll/rollsite.gc.log"

// wrote reports whether a template has the value that is in the file; theirs is nil when the file does not have the key
// at all.
func (t *templates) wrote(doc *document, key string, theirs, ours *string) bool {
	value := ""
	if theirs != nil {
		value = *theirs
	}
	switch doc.kind {
	case kindEggroll:
		return t.eggroll(key, value, theirs == nil, ours)
	case kindFlow:
		return t.flow(key, value, theirs == nil, ours)
	case kindDatabase:
		return t.database(key, value, theirs == nil)
	case kindShell:
		return t.shell(key, value, theirs == nil)
	case kindTest: // with both parties known, it lists both
		return theirs != nil && (strings.HasPrefix(key, "parties.") || strings.Contains(key, ".flow_services["))
	case kindZooKeeper, kindNginx, kindQueues, kindScript:
		return t.given(doc, key, value)
	case kindSupervisor, kindProgram:
		want, known := t.supervisor(doc)[key]
		return theirs == nil && !known || theirs != nil && known && want == value
	}
	wrote := cluster.Module(doc.kind).Old().Wrote
	return wrote != nil && wrote(t.s, key, theirs, ours)
}

// exchangeLeft are the values with placeholders that AnsibleFATE leaves in the eggroll.properties of an exchange.
var exchangeLeft = map[string]string{
	keyManager + "jdbc.url": "jdbc:mysql://${eggroll_db_ip}:${eggroll_db_port}/${eggroll_db_name}" +
		"?useSSL=false&serverTimezone=UTC&characterEncoding=utf8&allowPublicKeyRetrieval=true",
	keyManager + "jdbc.username": "${eggroll_db_username}",
	keyManager + "jdbc.password": "${eggroll_db_passwd}",
	keyManager + "host":          "${clustermanager_ip}",
	keyManager + "port":          "${clustermanager_port}",
	keyNode + "port":             "${nodemanager_port}",
	keyRollsite + "party.id":     "${id}",
}

func (t *templates) eggroll(key, value string, absent bool, ours *string) bool {
	if left, ok := exchangeLeft[key]; ok && !absent && t.s.Role == cluster.RoleExchange && value == left {
		return true
	}
	old := !t.s.Profile.FATE.AtLeast(1, 9)
	switch key {
	case keyManager + "jdbc.url":
		for _, zone := range []string{"UTC", "Asia/Shanghai"} {
			if ours != nil && value == strings.Replace(*ours, t.s.Profile.JDBCTimeZone(), "serverTimezone="+zone, 1) {
				return true
			}
		}
	case keyManager + "jdbc.password": // a host that has only a nodemanager gets none here
		return t.sec.is("mysql_user", value)
	case keyRollsite + "jvm.options":
		if max := t.s.Side.Rollsite.MaxMemory; max != "" {
			value = strings.TrimSpace(strings.Replace(value, "-Xmx"+max, "", 1))
		}
		return value == gcOptions
	case keyNode + "host", keyManager + "node.heartbeat.expire.count":
		return absent
	case keyManager + "jdbc.password.decryptor", keyManager + "jdbc.password.decryptor.args",
		"eggroll.core.grpc.channel.keepalive.timeout.sec", keyNode + "containers.data.dir":
		return absent && old
	}
	return false
}

func (t *templates) flow(key, value string, absent bool, ours *string) bool {
	switch key {
	case "model_store_address.password": // upstream's template has passwd in every generation
		return absent
	case "model_store_address.passwd", "database.passwd":
		return t.sec.is("mysql_user", value)
	case "zookeeper.password":
		return ours != nil && *ours == "" && t.sec.is("zookeeper", value)
	}
	return false
}

// addedOptions are options of the database server that AnsibleFATE's file does not have.
var addedOptions = []string{"tmpdir", "log_error", "pid_file", "bind_address", "skip_name_resolve", "secure_file_priv",
	"performance_schema", "skip_log_bin", "mysql_native_password"}

func (t *templates) database(key, value string, absent bool) bool {
	switch key {
	case "mysqld.max_connections":
		return value == "10000"
	case "mysqld.character_set_server", "mysql.default_character_set", "client.default_character_set":
		return value == "utf8"
	case "mysqld_safe.log_error":
		return value == path.Join(t.s.Layout.ComponentLogs("mysql"), "mysqld.log")
	case "mysqld_safe.pid_file":
		return value == path.Join(path.Dir(render.DatabaseSocket(t.s)), "mysqld.pid")
	}
	for _, name := range addedOptions {
		if key == "mysqld."+name {
			return absent
		}
	}
	return false
}

func (t *templates) shell(key, value string, absent bool) bool {
	switch key {
	case "fate_project_base":
		return !absent
	case "venv":
		return value == t.s.Layout.PythonHome()
	case "source ${venv}/bin/activate":
		return !absent
	case "VIRTUAL_ENV", "LD_LIBRARY_PATH":
		return absent
	case "PATH":
		return value == "$PATH:$JAVA_HOME/bin"
	case "PYTHONPATH":
		return value == strings.Join(t.s.Layout.PythonPath(), ":")
	}
	return false
}

// supervisor gives what a template writes into a file of the supervisor, by section.key.
func (t *templates) supervisor(doc *document) map[string]string {
	if doc.kind == kindSupervisor {
		return t.daemon()
	}
	out := map[string]string{}
	m, ok := cluster.ModuleOf(doc.program)
	if !ok {
		return out
	}
	set := func(key, value string) { out["program:"+doc.program+"."+key] = value }
	if program := m.Old().Program; program != nil {
		for key, value := range program(t.s) {
			set(key, value)
		}
	}
	for _, pair := range [][2]string{{"user", t.s.User}, {"autorestart", "true"}, {"redirect_stderr", "true"},
		{"logfile_maxbytes", "50MB"}, {"logfile_backups", "10"}, {"loglevel", "info"}} {
		set(pair[0], pair[1])
	}
	return out
}

// daemon gives what is in supervisord.conf.
func (t *templates) daemon() map[string]string {
	l := t.s.Layout
	const address = "127.0.0.1:9001"
	return map[string]string{
		"unix_http_server.file": l.SupervisorSocket(), "unix_http_server.chown": t.s.User + ":" + t.s.Group,
		"inet_http_server.port": address, "inet_http_server.username": "root",
		"inet_http_server.password": published(secretSupervisor),
		"supervisord.logfile":       l.SupervisorLog(), "supervisord.logfile_maxbytes": "50MB",
		"supervisord.logfile_backups": "10", "supervisord.loglevel": "info",
		"supervisord.pidfile":  path.Join(l.SupervisorRun(), "supervisord.pid"),
		"supervisord.nodaemon": "false", "supervisord.minfds": "1024", "supervisord.minprocs": "200",
		"rpcinterface:supervisor.supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
		"supervisorctl.serverurl":                                 "http://" + address, "supervisorctl.username": "root",
		"supervisorctl.password": published(secretSupervisor),
		"include.files":          path.Join(l.SupervisorPrograms(), "*.conf"),
	}
}
