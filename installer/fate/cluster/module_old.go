package cluster

import (
	"path"
	"slices"
)

// OldModule is how AnsibleFATE installs a module, for taking it over. A field that is not set says that there is none.
type OldModule struct {
	Home    func(Layout) string           // the directory of its tree, when others than its components lie there
	Jar     string                        // how the name of its jar in the home begins, before the version
	Conf    func(Layout) string           // the properties that only it reads
	Address Setting                       // where other modules look for it
	Block   []OldSetting                  // its block of the cluster file, besides the switch and the addresses
	Secrets []OldSecret                   // passwords and keys in its properties
	Program func(*Spec) map[string]string // what differs by module in its program file
	Process func(OldProcess) bool         // whether a process is the module itself

	// Wrote reports whether AnsibleFATE's template has the value that is in the properties, though it is not what is
	// rendered here. theirs is nil when the file does not have the key, ours when it would not be rendered.
	Wrote func(s *Spec, key string, theirs, ours *string) bool
}

// Setting is a key in the configuration file of a module.
type Setting struct {
	Of  Module
	Key string
}

// OldSetting is a key of the cluster file with the settings that have its value, the one that counts first.
type OldSetting struct {
	Key  string
	Form OldForm
	From []Setting
}

// OldForm says which values of a setting a cluster file can have.
type OldForm int

// The forms.
const (
	OldText     OldForm = iota
	OldNumber           // a whole number; another value does not count
	OldDatabase         // the name of the database in a JDBC URL
)

// OldSecret is a setting that has a secret.
type OldSecret struct {
	Name string // as the cluster file calls it, or [HTTPSecret]
	Key  string
}

// HTTPSecret is the name of the secret with which FATE-Flow and its clients sign requests.
const HTTPSecret = "fate_flow.http_secret_key" // #nosec G101 -- the name of a secret

// OldProcess is a process of an installation.
type OldProcess struct {
	Layout       Layout
	DatabaseConf string // the option file of the database server; blank: there is none
	Command      string // the file or the name of what it runs
	Args         []string
}

func (p OldProcess) has(match func(arg string) bool) bool { return slices.ContainsFunc(p.Args, match) }

// Old is how AnsibleFATE installs the module.
func (m Module) Old() OldModule { return m.entry().old }

// Block is the name of the module's block in the cluster file.
func (m Module) Block() string { return m.entry().key }

// VersionKey is a line of fate.env, with the component whose version it has.
type VersionKey struct{ Key, Component string }

// VersionKeys lists the lines of fate.env.
func VersionKeys() []VersionKey {
	out := []VersionKey{{"FATE", "fate"}}
	for _, e := range inFileOrder() {
		if e.main != nil && e.main != &eggroll && e.main.envKey != "" {
			out = append(out, VersionKey{e.main.envKey, e.main.name})
		}
	}
	return append(out, VersionKey{eggroll.envKey, eggroll.name}, VersionKey{"PYTHON", "python"})
}

// oldScript is what AnsibleFATE's program file has for a module that a script starts.
func oldScript(l Layout, script, directory, logs string) map[string]string {
	return map[string]string{"command": "/bin/bash " + script + " starting",
		"environment": `PATH="%(ENV_PATH)s",CLASSPATH="$CLASSPATH:$CLASSPATH"`, "directory": directory,
		"stdout_logfile": path.Join(l.ComponentLogs(logs), "info.log"),
		"stderr_logfile": path.Join(l.ComponentLogs(logs), "error.log")}
}
