package main

import (
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/exit"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The groups in which the root command lists the others.
const (
	groupInstall = "install"
	groupOperate = "operate"
	groupBuild   = "build"
)

// A commandEntry is what this program knows of a command apart from the command itself. It holds for the commands
// below it, too, but for those that have an entry of their own.
//
// A common flag that an entry does not name is refused: accepted without being read, it would seem to have had its
// effect. --root is among the names where the command works in a directory tree, that is with files alone.
type commandEntry struct {
	group   string // of the root's help; blank: listed last
	shows   string // the common flags that the command reads, in the order of its help
	accepts string // those that help leaves out: they do something in special cases only
}

// Common flags that several entries have.
const (
	site       = "role party ip user group"
	describing = "config role party ip base user group" // what this host is to be
	onTree     = describing + " payload root"
	always     = "output log-level lang" // every command shows them
	everywhere = "yes"                   // every command accepts it: scripts give it to each
)

// commandTable has an entry for each command below the root. The root installs, as install does. Where --config is
// accepted and not shown, it only says which the base directory is.
var commandTable = map[string]commandEntry{
	"init":                {groupInstall, "", "base root"},
	"config":              {groupInstall, onTree, ""},
	"keys":                {groupInstall, describing + " root", "payload"},
	"check":               {groupInstall, onTree, ""},
	"plan":                {groupInstall, onTree, ""},
	"install":             {groupInstall, onTree, ""},
	"render":              {groupInstall, onTree, ""},
	"adopt":               {groupInstall, "role ip base root", "config"},
	"svc":                 {groupOperate, "base", "config"},
	"svc run":             {"", "base", ""},
	"svc install":         {"", "base", "config root"},
	"svc uninstall":       {"", "base", "config root"},
	"svc probe-flow":      {"", "", "base config"},
	"svc probe-mysql":     {"", "", "base config"},
	"svc probe-nodes":     {"", "", "base config"},
	"svc probe-worker":    {"", "", "base config"},
	"svc probe-zookeeper": {"", "", "base config"},
	"party":               {groupOperate, "base config role party ip root", "user group payload"},
	"party test":          {"", "base config role party ip", "user group payload"},
	"test":                {groupOperate, "base", "config"},
	"job":                 {groupOperate, "base", "config"},
	"secrets":             {groupOperate, "base root", "config payload " + site},
	"upgrade":             {groupOperate, "base config payload root", site},
	"rollback":            {groupOperate, "base payload root yes", "config"},
	"backup":              {groupOperate, "", "base config"},
	"backup create":       {"", "base", "config"},
	"backup schedule":     {"", "base", "config"},
	"restore":             {groupOperate, "config ip base payload yes", "user group"},
	"uninstall":           {groupOperate, "base user root yes", "config"},
	"gc":                  {groupOperate, "base yes", "config"},
	"history":             {groupOperate, "base", "config"},
	"diagnose":            {groupOperate, "base root", "config payload " + site},
	"bundle":              {groupBuild, "payload", "base config root"},
	"bundle build":        {"", "", "base config root"},
	"bundle import":       {"", "", "base config root"},
	"bundle keygen":       {"", "", "base config root"},
	"bundle lock":         {"", "", "base config root"},
	"version":             {"", "base payload root", "config"},
	"help":                {"", "", onTree},
	"completion":          {"", "", "base root"},
	"man":                 {"", "", "base root"},
}

// entryOf is the entry of a command: its own, or the one of the command that it is below. One that has none takes no
// common flag.
func entryOf(cmd *cobra.Command) commandEntry {
	if !cmd.HasParent() {
		return commandTable["install"]
	}
	for c := cmd; c.HasParent(); c = c.Parent() {
		if entry, ok := commandTable[wordsOf(c)]; ok {
			return entry
		}
	}
	return commandEntry{}
}

// shown lists the common flags of the command's help.
func (e commandEntry) shown() []string { return strings.Fields(e.shows + " " + always) }

// takes reports whether the command can be called with a common flag.
func (e commandEntry) takes(flag string) bool {
	return slices.Contains(strings.Fields(e.accepts+" "+everywhere), flag) || slices.Contains(e.shown(), flag)
}

// wordsOf is how a command is called, without the name of the program.
func wordsOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// instead says what does the work of a refused flag, where that is known.
var instead = map[string]string{
	"svc run --config": "the configuration is projects/common/supervisord/supervisord.conf below --base",
	"init --config":    "--from reads an AnsibleFATE configuration; install --config reads a cluster file",
}

// checkUnread refuses common flags that the command does not read. --root is checked apart: that of the running machine
// has no effect anywhere.
func checkUnread(cmd *cobra.Command) (err error) {
	entry := entryOf(cmd)
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err != nil || f != cmd.Root().PersistentFlags().Lookup(f.Name) || entry.takes(f.Name) || f.Name == "root" {
			return
		}
		path := wordsOf(cmd)
		hint := instead[path+" --"+f.Name]
		if hint == "" {
			hint = "leave it out; fate-installer " + path + " --help lists what the command reads"
		}
		err = exit.With(exit.Hint(fmt.Errorf("cannot use --%s: %s does not read it", f.Name, path), hint), exit.Usage)
	})
	return err
}
