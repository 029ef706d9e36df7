package main

import (
	"context"
	"fmt"

	"fate-installer/installer/backup"
	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/state"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

func newBackupCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Back up this host while its programs run, and look at backups",
		Long: `Back up this host while its programs run: FATE-Flow's database, trained models, the files of jobs, the request for the
installation, passwords and TLS keys. All of it is encrypted. restore puts a backup back.

A backup is one file in the format of an appliance: its digests are in it, and unzip lists it.

EXIT STATUS
` + exitHelp,
		Example: `  fate-installer backup create --out /var/backups/fate
  fate-installer backup verify /var/backups/fate/FILE
  fate-installer backup list /var/backups/fate
  fate-installer backup schedule --daily --out /var/backups/fate --passphrase-file /root/backup-passphrase`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(recorded(newBackupCreateCommand(g)), newBackupVerifyCommand(g), newBackupListCommand(g),
		newBackupInspectCommand(g), recordedWith(newBackupScheduleCommand(g), "daily", "off"))
	return cmd
}

// backupCreateOptions are the flags of backup create.
type backupCreateOptions struct {
	sealOptions
	out       string
	keep      int
	scheduled bool
}

func newBackupCreateCommand(g *globals) *cobra.Command {
	o := &backupCreateOptions{}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Back up this host to one encrypted file, while its programs run",
		Long: `Back up this host to one encrypted file while its programs and jobs run. The database is read in one transaction with a
snapshot, which neither waits for jobs nor lets them wait; a table of an engine without snapshots is refused. A file that
changes while it is read is read again; one that goes on changing is named. Links that the service user has made are not
followed. Run it on every host of a party: each has what is on it.

In the backup: FATE-Flow's database where this host runs the server; model_local_cache and jobs where it runs FATE-Flow;
the cluster file, passwords and TLS keys. Not in it: the programs, which the appliance brings; tables of eggroll, such as
uploaded data; ZooKeeper's data; logs.

Everything is encrypted in the format of age (age-encryption.org), to a passphrase or to public keys. Without it the
backup cannot be read, not even by you: keep it apart from the backup, and from this host. The file has mode 0600 and appears under
its name when it is complete and on the disk. A directory that others than root may write is refused.

With --keep, older backups of this host in the same directory are removed when the new one is complete. When files are
missing in it, all older ones stay.

EXIT STATUS
  0    the backup is complete
  2    wrong usage, nothing is installed here, or the file to write exists already
  5    no backup was made, for the reason given; it is safe to run the same command again
  7    another run holds the lock
  8    the backup is made, but files are missing in it, which it names; no older backup was removed
  9    another command was interrupted, and has to be completed first
  130  interrupted; there is no backup`,
		Example: `  fate-installer backup create --out /var/backups/fate
  fate-installer backup create --out /var/backups/fate --keep 7 --passphrase-file /root/backup-passphrase
  fate-installer backup create --out /mnt/usb/party.fatebackup --recipient age1... -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := runBackupCreate(cmd.Context(), g, o)
			g.noteBackupFailure(cmd.Context(), o, err)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.out, "out", "", "write to `PATH`: a file, or a directory, where the name has party, host and time")
	f.IntVar(&o.keep, "keep", 0, "keep the latest `N` backups of this host in the directory of the new one (default: all)")
	f.BoolVar(&o.scheduled, "scheduled", false,
		"it is the run of a schedule: record also a failure that a person would see, such as a missing passphrase file")
	o.addFlags(f)
	return cmd
}

func runBackupCreate(ctx context.Context, g *globals, o *backupCreateOptions) error {
	switch {
	case o.out == "":
		return exit.With(exit.Hint(fmt.Errorf("cannot back up: --out does not say where to"),
			"name a directory that only root can write, best on another disk: --out /var/backups/fate"), exit.Usage)
	case o.keep < 0:
		return exit.With(fmt.Errorf("cannot keep %d backups: --keep takes a number from 1", o.keep), exit.Usage)
	}
	if err := g.decide(state.Backup); err != nil {
		return err
	}
	d, err := g.openInstalled(ctx, "back up")
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.NeedRoot("back up"); err != nil {
		return err
	}
	if err := d.RefuseTree(); err != nil {
		return err
	}
	to, encryption, err := o.recipientsOf(g)
	if err != nil {
		return err
	}
	return d.Backup(ctx, deploy.BackupOptions{Out: o.out, Keep: o.keep, To: to, Encryption: encryption,
		Program: version}, func(b *deploy.Backed) error { return printBacked(g, b) })
}

// backupOutput describes one backup.
type backupOutput struct {
	File     string           `json:"file"`     // its path; of a split one the path without .part001
	Bytes    int64            `json:"bytes"`    // size of the file, of all parts together
	Digest   string           `json:"digest"`   // sha256 of its payload manifest, which covers every byte
	Contents *backup.Manifest `json:"contents"` // what it has
}

// backupCreateOutput is the JSON document of backup create.
type backupCreateOutput struct {
	backupOutput
	Removed []string `json:"removed"` // older backups that were removed
}

func printBacked(g *globals, b *deploy.Backed) error {
	if g.Output == outputJSON {
		return g.printJSON(backupCreateOutput{backupOutput{b.File, b.Size, b.Digest, b.Manifest},
			append([]string{}, b.Removed...)})
	}
	if n := b.Manifest.Missing(); n > 0 {
		g.printf("%s, %s, is made, but lacks %s\n", b.File, count.Bytes(b.Size), count.Of(n, "file"))
	} else {
		g.printf("%s, %s, is complete\n", b.File, count.Bytes(b.Size))
	}
	printContents(g, b.Manifest)
	for _, f := range b.Removed {
		g.printf("removed  %s\n", f)
	}
	g.advisef("Copy it to another machine, and look at it there: fate-installer backup verify FILE\n")
	return nil
}

// printContents says what a backup has, and what it has not.
func printContents(g *globals, m *backup.Manifest) {
	g.printf("  of        %s\n", m.Describe())
	if db := m.Database; db != nil {
		g.printf("  database  %s of %s %s: %s, %s, %s\n", db.Schema, db.Flavour, db.Version,
			count.Of(len(db.Tables), "table"), count.Of(db.Jobs, "job"), count.Of(db.Models, "model"))
	}
	for _, t := range m.Trees {
		g.printf("  files     %s: %s, %s\n", t.Name, count.Of(t.Files, "file"), count.Bytes(t.Bytes))
	}
	g.printf("  secrets   cluster file, passwords and keys; everything is encrypted, by %s\n", m.Encryption)
	for _, text := range m.NotBacked {
		g.printf("  not in it %s\n", text)
	}
	for _, text := range m.Unread {
		g.printf("  warning   not in it: %s\n", text)
	}
}
