package cluster

import "path"

// Layout gives every path of an installation. The tree is AnsibleFATE's, below a base directory that is /data unless
// the operator moves it, so that runbooks, log collectors and habits keep working.
//
// The zero value is not usable; Base must be absolute and clean.
type Layout struct {
	Base string
	// Flat is the tree of FATE 1.5 and 1.6, where fate_flow is a package inside one python directory
	// instead of a project of its own.
	Flat bool
}

func (l Layout) under(elem ...string) string { return path.Join(append([]string{l.Base}, elem...)...) }

// Projects is the parent of everything that is installed.
func (l Layout) Projects() string { return l.under("projects") }

// Project is the FATE project base: $FATE_PROJECT_BASE, home of fate.env.
func (l Layout) Project() string { return l.under("projects", "fate") }

// ProjectBin holds init_env.sh.
func (l Layout) ProjectBin() string { return path.Join(l.Project(), "bin") }

// InitEnv is the file an operator sources before using FATE's own command line tools.
func (l Layout) InitEnv() string { return path.Join(l.ProjectBin(), "init_env.sh") }

// ProjectConf holds service_conf.yaml and the route tables of the message queues.
func (l Layout) ProjectConf() string { return path.Join(l.Project(), "conf") }

// ServiceConf is FATE-Flow's configuration.
func (l Layout) ServiceConf() string { return path.Join(l.ProjectConf(), "service_conf.yaml") }

// FateEnv is the version list that FATE-Flow looks itself up in at run time.
func (l Layout) FateEnv() string { return path.Join(l.Project(), "fate.env") }

// ProjectCommon is the parent of the third-party software of the project (mysql, jdk, python).
func (l Layout) ProjectCommon() string { return path.Join(l.Project(), "common") }

// JavaHome is $JAVA_HOME.
func (l Layout) JavaHome(version string) string {
	return path.Join(l.ProjectCommon(), "jdk", "jdk-"+version)
}

// PythonHome is the python environment of FATE, a relocatable tree with bin/python.
func (l Layout) PythonHome() string { return path.Join(l.ProjectCommon(), "python", "venv") }

// RabbitMQHome is the broker's home of the spark engine.
func (l Layout) RabbitMQHome(version string) string {
	return path.Join(l.ProjectCommon(), "rabbitmq", "rabbitmq_server-"+version)
}

// Fate is the tree of FATE's python code and examples; in the flat layout it is the project itself.
func (l Layout) Fate() string {
	if l.Flat {
		return l.Project()
	}
	return path.Join(l.Project(), "fate")
}

// FatePython is the python path entry of FATE's algorithms.
func (l Layout) FatePython() string { return path.Join(l.Fate(), "python") }

// PythonPath is $PYTHONPATH of everything python: FATE-Flow and the workers of the nodemanager.
func (l Layout) PythonPath() []string {
	eggroll := path.Join(l.Eggroll(), "python")
	if l.Flat {
		return []string{l.FatePython(), eggroll}
	}
	return []string{l.FatePython(), l.FlowPython(), eggroll}
}

// TestConfig is the configuration of fate_test.
func (l Layout) TestConfig() string {
	if l.Flat {
		return path.Join(l.FatePython(), "fate_test", "fate_test_config.yaml")
	}
	return path.Join(l.FatePython(), "fate_test", "fate_test", "fate_test_config.yaml")
}

// SQL holds the database schemas that are imported once.
func (l Layout) SQL() string { return path.Join(l.Project(), "sql") }

// Data is the parent of everything that must survive an upgrade or uninstall.
func (l Layout) Data() string { return l.under("projects", "data", "fate") }

// Keys holds certificates and private keys of the rollsites.
func (l Layout) Keys() string { return path.Join(l.Data(), "keys") }

// Common is the parent of what is shared by all projects of a machine.
func (l Layout) Common() string { return l.under("projects", "common") }

// Supervisor holds the supervisor's configuration.
func (l Layout) Supervisor() string { return path.Join(l.Common(), "supervisord") }

// SupervisorConf is the supervisor's main file; it includes every *.conf of SupervisorPrograms.
func (l Layout) SupervisorConf() string { return path.Join(l.Supervisor(), "supervisord.conf") }

// SupervisorPrograms holds one file per program.
func (l Layout) SupervisorPrograms() string { return path.Join(l.Supervisor(), "supervisord.d") }

// MetricsConf is the administrator's file that opens a port for metrics. It may hold a password.
func (l Layout) MetricsConf() string { return path.Join(l.SupervisorPrograms(), "metrics.conf") }

// SupervisorRun holds the socket and pid file.
func (l Layout) SupervisorRun() string { return path.Join(l.Supervisor(), "run") }

// SupervisorSocket is where the supervisor listens.
func (l Layout) SupervisorSocket() string { return path.Join(l.SupervisorRun(), "supervisor.sock") }

// SupervisorLog is the supervisor's own log.
func (l Layout) SupervisorLog() string { return path.Join(l.Logs(), "supervisord", "supervisord.log") }

// ServiceScript is the front end that upstream's users have in their fingers: sh service.sh status all.
func (l Layout) ServiceScript() string { return path.Join(l.Supervisor(), "service.sh") }

// Tools has a link to the installed program for each tool that a host may lack; see package tools.
func (l Layout) Tools() string { return path.Join(l.Common(), "tools") }

// ToolsFirst has such a link for each tool that the host has but that does not do what eggroll needs.
func (l Layout) ToolsFirst() string { return path.Join(l.Tools(), "first") }

// State is the installer's own directory: journal, backups, upgrade slots, secrets.
func (l Layout) State() string { return path.Join(l.Common(), "fate-installer") }

// Secrets is where generated passwords are kept, mode 0600.
func (l Layout) Secrets() string { return path.Join(l.State(), "secrets.json") }

// SecretRecords is where the history of the passwords is kept, mode 0600: see [SecretRecords].
func (l Layout) SecretRecords() string { return path.Join(l.State(), "secret-records.json") }

// SecretHandover is the file, mode 0600, that carries changed passwords to the other hosts of a side.
func (l Layout) SecretHandover() string { return path.Join(l.State(), "secrets-handover.json") }

// Backups keeps earlier route tables, as upstream does.
func (l Layout) Backups() string { return l.under("projects", "backups", "fate") }

// Logs is the parent of every log directory.
func (l Layout) Logs() string { return l.under("logs") }

// ComponentLogs is the log directory of a module by the name that its entry has.
func (l Layout) ComponentLogs(component string) string {
	return path.Join(l.Logs(), "fate", component)
}

// Temp is scratch space of the size of a component.
func (l Layout) Temp() string { return l.under("temp") }

// JavaTemp is the java.io.tmpdir of every JVM, from which it also loads native libraries: the host's /tmp may be full,
// or mounted noexec.
func (l Layout) JavaTemp() string { return path.Join(l.Temp(), "java") }

// ProgramTemp is the TMPDIR of FATE-Flow, of eggroll's programs and of their workers: python's temporary files, and
// bash's for the here-documents of eggroll's scripts.
func (l Layout) ProgramTemp() string { return path.Join(l.Temp(), "programs") }

// Binary is the installed program without its payload. It is outside the base: $PATH is.
func (l Layout) Binary() string { return "/usr/local/bin/fate-installer" }
