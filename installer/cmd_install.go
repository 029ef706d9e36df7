package main

import (
	"context"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/keys/keyfile"
	"fate-installer/installer/state"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// installOptions are the flags of install, which the bare command has too.
type installOptions struct {
	wantedOptions
	only        []string
	mode        string
	dryRun      bool
	brief       bool   // plan: without the steps
	out         string // plan: the file to write
	plan        string // install: the file of plan --out
	noUndo      bool
	forceConfig bool
	waive       []string
	keys        string
	wait        time.Duration
	change      bool // what is installed, into what the cluster file says
	trust       deploy.TrustOptions
}

func (o *installOptions) addFlags(f *pflag.FlagSet) {
	o.addWanted(f)
	addTrustFlags(f, &o.trust, keptForLater)
	f.BoolVar(&o.dryRun, "dry-run", false, "print what would be done and stop, like plan")
	f.StringVar(&o.plan, "plan", "",
		"refuse when the installation would differ from the `FILE` that plan --out wrote")
	f.BoolVar(&o.noUndo, "no-undo", false, "leave a failed installation as it is, as evidence")
	f.BoolVar(&o.forceConfig, "force-config", false, "overwrite configuration files that were edited on this host")
	f.BoolVar(&o.change, "change-cluster", false,
		"go on although the cluster file contradicts what is installed here; changes passwords, too")
	f.DurationVar(&o.wait, "wait", deploy.DefaultWait, "`time` to wait for modules on other hosts that programs here need")
	f.StringArrayVar(&o.waive, "waive", nil,
		"go on although check `ID=reason` refuses this host; repeatable, and recorded")
}

// addWanted adds the flags that say what is to be installed.
func (o *installOptions) addWanted(f *pflag.FlagSet) {
	o.wantedOptions.addFlags(f)
	f.StringSliceVar(&o.only, "only", nil,
		"install these `MODULES` of this host only: "+strings.Join(cluster.ModuleNames(), ", "))
	f.StringVar(&o.mode, "mode", string(fate.ModeDeploy),
		"`MODE`: install (unpack, nothing is configured or started), config (configure and start what was "+
			"unpacked), or deploy (both)")
	f.StringVar(&o.keys, "keys", "",
		"TLS keys of this side: the archive or directory at `path` that fate-installer keys made")
	takesWords(f, "only", cluster.ModuleWords()...)
	takesWords(f, "mode", modeNames()...)
}

// request is what the flags ask of an installation.
func (o *installOptions) request(g *globals) (deploy.InstallOptions, error) {
	part, err := deploy.ParsePart(o.only, o.mode)
	if err != nil {
		return deploy.InstallOptions{}, err
	}
	read := func() ([]keys.File, error) { return keyfile.Read(o.keys) }
	return deploy.InstallOptions{
		Part: part,
		Keys: deploy.Keys{Name: o.keys, Read: func() ([]keys.File, error) { return input(g, read) }},
		Wait: o.wait, NoUndo: o.noUndo, Force: o.forceConfig, Change: o.change, Waive: o.waive, Trust: o.trust,
		Plan: o.plan,
	}, nil
}

// newInstallCommand installs this host's share of a party.
func newInstallCommand(g *globals) *cobra.Command {
	opts := &installOptions{}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Check this host, install its share of the party, start it, and wait until it is ready",
		Long: `Check this host, install its share of the party from the payload in this file, write every configuration file,
start the programs in dependency order and wait until each is ready. It is what the bare command does.

It is safe to run again at any time: what is as it should be is not touched, what is not is repaired. A run that failed
is undone unless --no-undo is given; data is never undone, nor are the passwords and the account it needs. Files that were
edited on this host are kept, and reported. Missing and changed files of a component are put back one by one: a changed
program goes to .fate-replaced in its tree, an edited configuration file stays, and what the component did not bring is
named and not touched.

An appliance that is damaged is refused before anything is changed. Who signed it is printed first. A program from a medium
can say of itself what it likes: check it before it runs, with an installed program (fate-installer bundle verify --pubkey
KEY FILE) or with minisign. --pubkey is kept for later runs.

The hosts of a party can be installed in any order. A program that needs a module on another host waits for it, and says
where to run what; after --wait the run ends with exit code 6, and the program starts by itself when the other host is
there. A cluster file that contradicts the one installed here, an old copy for example, is refused; --change-cluster says
that the change is meant. It also changes passwords, as secrets rotate does; a run that changes passwords is not undone
when it fails: the same command completes it.

A side that uses TLS needs --keys the first time, and again when they are renewed; in between, the installed keys stay.

The operating system is prepared, too: limits, kernel settings, swap space, SELinux, firewall, names, libraries. os: in the
cluster file says how, --skip-os leaves it alone, plan shows it, uninstall puts it back.

On a terminal, each step and program at work has a line that is rewritten in place; elsewhere, and with TERM=dumb, there are
plain lines. They go to standard error and the result to standard output; --quiet leaves them out. Ctrl-C ends what is at
work, and says what is done and which command completes it; a second Ctrl-C ends the command at once.

--only and --mode do a part: some modules, or only the unpacking, or only what comes after it. A later run without them
completes the host.

EXIT STATUS
` + exitHelp,
		Example: `  ./fate-installer --role host --party 10000
  ./fate-installer install --config cluster.yaml --ip 192.168.0.1
  ./fate-installer install --config cluster.yaml --keys host.tar.gz
  ./fate-installer install --config cluster.yaml --only mysql,eggroll
  ./fate-installer install --config cluster.yaml --mode install
  ./fate-installer install --config cluster.yaml --skip-os=firewall,selinux
  ./fate-installer install --role guest --party 9999 --peer 192.168.0.1:9370 --dry-run`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runInstall(cmd.Context(), g, opts) },
	}
	opts.addFlags(cmd.Flags())
	return cmd
}

func runInstall(ctx context.Context, g *globals, opts *installOptions) error {
	if opts.dryRun {
		return runPlan(ctx, g, opts)
	}
	started := time.Now()
	if err := g.decide(state.Install); err != nil {
		return err
	}
	d, err := g.openDeployment(ctx, opts.wantedOptions, deploy.Needs{Payload: true})
	if err != nil {
		return err
	}
	defer d.Close()
	request, err := opts.request(g)
	if err != nil {
		return err
	}
	return d.Install(ctx, request, tellEnd(g, d, started, request.Part.Mode))
}
