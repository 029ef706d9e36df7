package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/exit"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

// oneBackup takes one argument, the file of a backup.
func oneBackup(_ *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return exit.With(exit.Hint(fmt.Errorf("name one backup, not %d", len(args)),
		"fate-installer backup list DIR lists those of a directory"), exit.Usage)
}

// withBackup opens a backup for a command.
func withBackup(file string, do func(*backup.Archive) error) error {
	a, err := backup.Open(file)
	if err != nil {
		return exit.With(err, exit.Payload)
	}
	return errors.Join(do(a), a.Close())
}

func describeBackup(file string, a *backup.Archive) backupOutput {
	return backupOutput{file, a.Size(), a.Digest(), a.Manifest()}
}

func newBackupVerifyCommand(g *globals) *cobra.Command {
	o := &unsealOptions{}
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Read a backup and prove every byte of it",
		Long: `Read a backup, or the parts of one, and prove every byte of it by its digests. That needs no passphrase and finds damage
of the medium. With --passphrase-file or --identity it is decrypted, too, and every record in it is read, as restore reads
it: that proves that the passphrase is the right one, and that who made the backup knew it.

EXIT STATUS
  0    whole
  2    wrong usage
  4    damaged, or none of this program's backups; or the passphrase or the key is not the one that it was made with
  130  interrupted`,
		Example: `  fate-installer backup verify fate-host-10000-node1-20261130T120000Z.fatebackup
  fate-installer backup verify FILE --passphrase-file /root/backup-passphrase`,
		Args: oneBackup,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBackup(args[0], func(a *backup.Archive) error {
				return runBackupVerify(cmd.Context(), g, o, args[0], a)
			})
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// backupVerifyOutput is the JSON document of backup verify.
type backupVerifyOutput struct {
	backupOutput
	Decrypted bool `json:"decrypted"` // whether it was decrypted and read as a restore reads it
}

func runBackupVerify(ctx context.Context, g *globals, o *unsealOptions, file string, a *backup.Archive) error {
	if o.given() {
		if _, err := unlockBackup(ctx, g, o, a, true); err != nil {
			return err
		}
	} else if err := verifyBackup(ctx, g, a); err != nil {
		return err
	}
	if g.Output == outputJSON {
		return g.printJSON(backupVerifyOutput{describeBackup(file, a), o.given()})
	}
	g.printf("%s is whole: %s\n", file, count.Bytes(a.Size()))
	printContents(g, a.Manifest())
	if !o.given() {
		g.printf("It was not decrypted: --passphrase-file or --identity does that.\n")
	}
	return nil
}

// verifyBackup reads the whole file.
func verifyBackup(ctx context.Context, g *globals, a *backup.Archive) error {
	bar := longProgress(g, "checking the backup", a.Size())
	defer bar.Finish()
	return a.Verify(ctx, func(done, _ int64) { bar.Set(done) })
}

// unlockBackup proves a backup and decrypts its secrets; with all, it reads everything else in it, too.
func unlockBackup(ctx context.Context, g *globals, o *unsealOptions, a *backup.Archive,
	all bool) (*backup.Sealed, error) {
	with, err := o.identitiesOf(g, a.Manifest())
	if err != nil {
		return nil, err
	}
	if err := verifyBackup(ctx, g, a); err != nil {
		return nil, err
	}
	sealed, err := a.Unlock(ctx, with...)
	if err == nil && all {
		g.progressf("decrypting the backup\n")
		err = a.Prove(ctx, sealed)
	}
	return sealed, exit.With(err, exit.Payload)
}

func newBackupInspectCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a backup is of, and what is in it",
		Long: `Show what a backup says of itself: party, role, host, time, versions, tables with their rows, files, and what is not in
it. It takes no passphrase, and proves nothing of the rest: see backup verify.

EXIT STATUS
  0    shown
  2    wrong usage
  4    damaged, or none of this program's backups`,
		Example: `  fate-installer backup inspect FILE
  fate-installer backup inspect FILE -o json | jq .contents.database`,
		Args: oneBackup,
		RunE: func(_ *cobra.Command, args []string) error {
			return withBackup(args[0], func(a *backup.Archive) error { return printBackup(g, args[0], a) })
		},
	}
}

func printBackup(g *globals, file string, a *backup.Archive) error {
	if g.Output == outputJSON {
		return g.printJSON(describeBackup(file, a))
	}
	m := a.Manifest()
	g.printf("%s, %s\n", file, count.Bytes(a.Size()))
	printContents(g, m)
	if m.Database == nil || len(m.Database.Tables) == 0 {
		return nil
	}
	g.printf("\n")
	table := g.newTable("TABLE", "ROWS")
	for _, t := range m.Database.Tables {
		table.row(t.Name, fmt.Sprint(t.Rows))
	}
	return table.flush()
}

func newBackupListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list DIR",
		Short: "List the backups in a directory",
		Long: `List the backups in a directory, the latest first: files whose names end with ` + backup.Extension + `. What they
say of themselves is shown, and one that cannot be opened with the reason.

EXIT STATUS
  0    done
  2    wrong usage, or the directory cannot be read`,
		Example: `  fate-installer backup list /var/backups/fate
  fate-installer backup list /var/backups/fate -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return exit.With(exit.Hint(fmt.Errorf("name one directory, not %d", len(args)),
				"fate-installer backup list /var/backups/fate"), exit.Usage)
		},
		RunE: func(_ *cobra.Command, args []string) error { return runBackupList(g, args[0]) },
	}
}

// backupListOutput is the JSON document of backup list.
type backupListOutput struct {
	Directory string         `json:"directory"` // that was looked into
	Backups   []listedBackup `json:"backups"`   // the latest first
}

// listedBackup is a file in the directory.
type listedBackup struct {
	File     string           `json:"file"`               // its path
	Bytes    int64            `json:"bytes"`              // size of the file, of all parts together
	Error    string           `json:"error,omitempty"`    // why it cannot be opened
	Contents *backup.Manifest `json:"contents,omitempty"` // what it has
}

func runBackupList(g *globals, dir string) error {
	found, err := backup.List(dir)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	out := backupListOutput{dir, []listedBackup{}}
	for _, f := range found {
		l := listedBackup{File: f.File, Bytes: f.Size, Contents: f.Manifest}
		if f.Err != nil {
			l.Error = f.Err.Error()
		}
		out.Backups = append(out.Backups, l)
	}
	if g.Output == outputJSON {
		return g.printJSON(out)
	}
	if len(out.Backups) == 0 {
		g.printf("no backups in %s\n", dir)
		return nil
	}
	table := g.newTable("FILE", "MADE", "PARTY", "FATE", "JOBS", "SIZE")
	for _, b := range out.Backups {
		m := b.Contents
		if m == nil {
			table.row(b.File, "damaged: "+b.Error, "", "", "", "")
			continue
		}
		jobs := ""
		if m.Database != nil {
			jobs = fmt.Sprint(m.Database.Jobs)
		}
		table.row(b.File, m.Made.UTC().Format(time.DateTime), fmt.Sprintf("%s %d", m.Role, m.Party), m.FATE, jobs,
			count.Bytes(b.Bytes))
	}
	return table.flush()
}
