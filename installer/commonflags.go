package main

import (
	"fmt"
	"slices"

	"fate-installer/installer/exit"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// siteFlags are the common flags that say what is to be installed on a host.
var siteFlags = []string{"role", "party", "ip", "user", "group"}

// unreadFlags lists the common flags that commands do not read, each command with those below it. They are refused: one
// that was accepted would seem to have had its effect. --config is not among them where the base directory is taken
// from the cluster file.
var unreadFlags = map[string][]string{
	"svc":           append([]string{"payload"}, siteFlags...),
	"svc run":       {"config"},
	"test":          append([]string{"payload"}, siteFlags...),
	"job":           append([]string{"payload"}, siteFlags...),
	"history":       append([]string{"payload"}, siteFlags...),
	"init":          append([]string{"payload", "config"}, siteFlags...),
	"rollback":      siteFlags,
	"uninstall":     {"payload", "role", "party", "ip", "group"},
	"bundle":        siteFlags,
	"bundle build":  {"payload"},
	"bundle import": {"payload"},
	"bundle keygen": {"payload"},
	"bundle lock":   {"payload"},
	"version":       siteFlags,
	"completion":    append([]string{"payload", "config"}, siteFlags...),
}

// instead says what does the work of an unread flag, where that is known.
var instead = map[string]string{
	"svc run --config": "the configuration is projects/common/supervisord/supervisord.conf below --base",
	"init --config":    "--from reads an AnsibleFATE configuration; install --config reads a cluster file",
}

// checkUnread refuses common flags that the command does not read.
func checkUnread(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && f == cmd.Root().PersistentFlags().Lookup(f.Name) && isUnread(cmd, f.Name) {
			path := wordsOf(cmd)
			hint := instead[path+" --"+f.Name]
			if hint == "" {
				hint = "leave it out; fate-installer " + path + " --help lists what the command reads"
			}
			err = exit.With(exit.Hint(fmt.Errorf("cannot use --%s: %s does not read it", f.Name, path), hint),
				exit.Usage)
		}
	})
	return err
}

func isUnread(cmd *cobra.Command, flag string) bool {
	for c := cmd; c.HasParent(); c = c.Parent() {
		if slices.Contains(unreadFlags[wordsOf(c)], flag) {
			return true
		}
	}
	return false
}
