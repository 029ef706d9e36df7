package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"fate-installer/installer/backup"
	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/keys/keyfile"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	unsealOptions
	cancelJobs bool
	keys       string
	waive      []string
}

func newRestoreCommand(g *globals) *cobra.Command {
	o := &restoreOptions{}
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup back, on the same host or an empty one",
		Long: `Put a backup back: FATE-Flow's database, trained models and the files of jobs take the place of what is here.

On a host where nothing is installed, the party is installed first, with the cluster file, the passwords and the TLS keys
of the backup: run it with the appliance of the same FATE release, or name that with --payload. --ip gives the host
another address; the cluster file in the backup is changed accordingly, and --config names another one instead. TLS keys
that do not name the new address are refused: make new ones, and name them with --keys. On an installed host,
configuration, passwords and keys stay as they are.

The whole backup is checked before anything is changed. One of another party, role or FATE release, of another kind of
database server or a newer one, is refused. Everything is loaded next to what is in use; then FATE-Flow and FATE-Board are
stopped, what was loaded takes its place, and they are started. What was in use before is removed when they are ready and
the tables were counted. A restore that is killed at any moment is completed by the same command; until the two have
changed places, what was in use before is untouched.

Jobs that ran when the backup was made are recorded as canceled. Data that was uploaded to eggroll is not in a backup:
upload it again.

EXIT STATUS
` + exitHelp,
		Example: `  fate-installer restore /var/backups/fate/FILE
  ./fate-installer-1.11.4-amd64 restore FILE --ip 192.168.0.7 --passphrase-file /root/backup-passphrase --yes
  fate-installer restore FILE --identity /root/backup-key.txt --cancel-jobs`,
		Args: oneBackup,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBackup(args[0], func(a *backup.Archive) error {
				return runRestore(cmd.Context(), g, o, args[0], a)
			})
		},
	}
	f := cmd.Flags()
	o.addFlags(f)
	f.BoolVar(&o.cancelJobs, "cancel-jobs", false, "end jobs that run here, instead of refusing")
	f.StringVar(&o.keys, "keys", "",
		"on an empty host: TLS keys at `path` that fate-installer keys made, instead of those of the backup")
	f.StringArrayVar(&o.waive, "waive", nil,
		"on an empty host: go on although check `ID=reason` refuses it; repeatable, and recorded")
	return cmd
}

func runRestore(ctx context.Context, g *globals, o *restoreOptions, file string, a *backup.Archive) error {
	i, err := g.installation()
	if err != nil {
		return err
	}
	err = errors.Join(i.NeedRoot("restore"), i.RefuseTree())
	install, stateErr := i.NeedsInstall()
	if err = errors.Join(err, stateErr, i.Close()); err != nil {
		return err
	}
	if !install {
		if err := refuseRequest(ctx, g, o); err != nil {
			return err
		}
	}
	sealed, err := unlockBackup(ctx, g, &o.unsealOptions, a, install)
	if err != nil {
		return err
	}
	if err := askRestore(g, a.Manifest(), install); err != nil {
		return err
	}
	if install {
		if err := installRestored(ctx, g, o, file, a, sealed); err != nil {
			return err
		}
	}
	d, err := g.openRestored(ctx)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Restore(ctx, deploy.RestoreOptions{Archive: a, Sealed: sealed, CancelJobs: o.cancelJobs},
		func(r *deploy.Restored) error { return printRestored(g, a.Manifest(), r, install) })
}

// refuseRequest refuses flags that ask for another installation than the one that is there.
func refuseRequest(ctx context.Context, g *globals, o *restoreOptions) (err error) {
	if g.IP == "" && len(g.Config) == 0 && o.keys == "" {
		return nil
	}
	q := deploy.RestoreRequest{IP: g.IP}
	if len(g.Config) > 0 {
		if q.Sources, err = readSources(g); err != nil {
			return err
		}
	}
	if o.keys != "" {
		if q.Keys, err = readRestoredKeys(g, o); err != nil {
			return err
		}
	}
	d, err := g.openRestored(ctx)
	if err != nil {
		return err
	}
	return errors.Join(d.RefuseRequest(q), d.Close())
}

func readRestoredKeys(g *globals, o *restoreOptions) ([]keys.File, error) {
	return input(g, func() ([]keys.File, error) { return keyfile.Read(o.keys) })
}

// openRestored opens the installation as it is, whatever the flags asked of it before it was there.
func (g *globals) openRestored(ctx context.Context) (*deploy.Deployment, error) {
	i, err := g.installation()
	if err != nil {
		return nil, err
	}
	return deploy.Open(ctx, i, func() (deploy.Site, error) { return deploy.Site{Schema: deploy.SiteSchema}, nil },
		deploy.Needs{})
}

// askRestore says what a restore replaces, and wants a yes.
func askRestore(g *globals, m *backup.Manifest, install bool) error {
	if g.Yes {
		return nil
	}
	what := "replace FATE-Flow's database, models and files of jobs on this host by those of the backup"
	if install {
		what = "install this host and restore the backup"
	}
	if !canAsk(g) || g.Output == outputJSON {
		return exit.With(exit.Hint(fmt.Errorf("cannot %s without consent", what), "add --yes if that is what you want"),
			exit.Usage)
	}
	return askYes(g, fmt.Sprintf("%s (%s)", what, m.Describe()))
}

// installRestored installs an empty host as the backup says.
func installRestored(ctx context.Context, g *globals, o *restoreOptions, file string, a *backup.Archive,
	sealed *backup.Sealed) error {
	command := g.command()
	var err error
	if command.Adopted, err = deploy.RestoredSecrets(sealed); err != nil {
		return exit.With(err, exit.Payload)
	}
	h, err := g.openHost()
	if err != nil {
		return err
	}
	d, err := deploy.Open(ctx, deploy.NewInstallation(h, command, console{g}), func() (deploy.Site, error) {
		site, err := deploy.RestoredSite(sealed, g.IP)
		if err != nil || len(g.Config) == 0 {
			return site, err
		}
		site.Sources, err = readSources(g)
		return site, err
	}, deploy.Needs{Payload: true})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := errors.Join(d.RefuseBackup(a.Manifest()), d.RefuseServer(a.Manifest())); err != nil {
		return err
	}
	from := deploy.RestoredKeys(sealed, file)
	if o.keys != "" {
		from = deploy.Keys{Name: o.keys, Read: func() ([]keys.File, error) { return readRestoredKeys(g, o) }}
	}
	return d.Install(ctx, deploy.InstallOptions{Part: deploy.Part{Mode: fate.ModeDeploy}, Keys: from,
		Wait: deploy.DefaultWait, Waive: o.waive}, func(_ context.Context, r *deploy.Result) error {
		g.printf("installed: %s\n", count.Of(r.Count(engine.Changed), "step"))
		return nil
	})
}

// restoreOutput is the JSON document of restore.
type restoreOutput struct {
	Contents  *backup.Manifest `json:"contents"`      // what the backup has
	Installed bool             `json:"installed"`     // whether the host was installed first
	Completed bool             `json:"completed"`     // whether an interrupted restore was completed
	Canceled  int64            `json:"canceled_jobs"` // jobs that ran when the backup was made
	Warnings  []string         `json:"warnings"`      // what needs attention, as text
}

func printRestored(g *globals, m *backup.Manifest, r *deploy.Restored, installed bool) error {
	if g.Output == outputJSON {
		return g.printJSON(restoreOutput{m, installed, r.Completed, r.Canceled, append([]string{}, r.Warnings...)})
	}
	g.printf("restored\n")
	printContents(g, m)
	if r.Canceled > 0 {
		g.printf("%s when the backup was made: recorded as canceled\n", count.Of(r.Canceled, "job ran", "jobs ran"))
	}
	for _, w := range r.Warnings {
		g.printf("warning: %s\n", w)
	}
	next := []string{"fate-installer job list", "fate-installer test toy"}
	g.advisef("Look at it: %s\n", strings.Join(next, "; "))
	return nil
}
