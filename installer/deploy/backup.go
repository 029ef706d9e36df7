package deploy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/database"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host/beneath"
	"fate-installer/installer/state"

	"filippo.io/age"
)

// BackupOptions say where a backup is written and who can read it.
type BackupOptions struct {
	Out        string // file, or an existing directory
	Keep       int    // how many backups of this host stay in the directory; 0: all
	To         []age.Recipient
	Encryption string // backup.ByPassphrase or backup.ByRecipient
	Program    string // version of this program
}

// Backed is what a backup has done.
type Backed struct {
	File     string
	Size     int64
	Digest   string
	Manifest *backup.Manifest
	Removed  []string // older backups
}

// notBackedUp is what no backup has, on hosts that have it.
const (
	eggrollNot   = "tables of eggroll, such as uploaded data: upload it again after a restore"
	zooKeeperNot = "ZooKeeper's data: FATE-Flow registers itself again"
	logsNot      = "logs"
)

// Backup writes a backup of this host while its programs run.
func (d *Deployment) Backup(ctx context.Context, opts BackupOptions, tell func(*Backed) error) error {
	if _, err := d.decide(state.Backup); err != nil {
		return err
	}
	unlock, err := d.begin("back up")
	if err != nil {
		return err
	}
	defer unlock()
	b, err := d.newBackupRun(opts)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.run(ctx); err != nil {
		return exit.With(exit.DefaultRepeat(fmt.Errorf("no backup was made: %w", err), "put the cause right and", ""),
			exit.Step)
	}
	b.noteBackup(time.Now().UTC().Truncate(time.Second))
	return b.finish(tell)
}

// backupRun is a backup that is being made.
type backupRun struct {
	d      *Deployment
	opts   BackupOptions
	place  *beneath.Place // of the file
	tables *backup.Tables
	trees  *backup.Trees
	end    func() error // of the connection to the database
	done   Backed
}

func (d *Deployment) newBackupRun(opts BackupOptions) (b *backupRun, err error) {
	b = &backupRun{d: d, opts: opts}
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("cannot tell the name of this machine: %w", err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	var id [4]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	m := &backup.Manifest{
		Schema: backup.Schema, ID: now.Format(backup.TimeFormat) + "-" + hex.EncodeToString(id[:]), Made: now,
		Program: opts.Program, Host: name, Role: string(d.spec.Role), Party: d.spec.PartyID, IP: d.spec.IP,
		FATE: d.stored.Env["FATE"], Components: d.stored.Versions(), Encryption: opts.Encryption,
		Trees: []backup.Tree{}, Unread: []string{}, NotBacked: []string{logsNot},
	}
	if d.spec.HasEggroll() && d.spec.Role != cluster.RoleExchange {
		m.NotBacked = append(m.NotBacked, eggrollNot)
	}
	if d.spec.Runs(cluster.ZooKeeper) {
		m.NotBacked = append(m.NotBacked, zooKeeperNot)
	}
	b.done.Manifest = m
	if b.place, b.done.File, err = placeOfBackup(opts.Out, m.FileName()); err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	b.trees = d.flowTrees()
	if b.tables, b.end, err = d.flowTables(); err != nil {
		return nil, errors.Join(err, b.place.Close())
	}
	if b.tables == nil && d.spec.Role != cluster.RoleExchange && d.spec.LogsIn() {
		m.NotBacked = append(m.NotBacked, "the database, which is on another host: "+d.spec.DatabaseHost())
	}
	return b, nil
}

func (b *backupRun) close() {
	_ = b.place.Close()
	if b.end != nil {
		_ = b.end()
	}
}

// placeOfBackup finds where a backup is to be. No user but root may write a directory on the way: who can, could put
// another file in its place.
func placeOfBackup(out, name string) (*beneath.Place, string, error) {
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		out = filepath.Join(out, name)
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return nil, "", err
	}
	root, err := beneath.System()
	if err != nil {
		return nil, "", err
	}
	defer root.Close()
	place, err := root.Exact("create", out)
	if err != nil {
		return nil, "", fmt.Errorf("cannot write the backup: %w", err)
	}
	if writer := place.Writer(); writer != "" {
		return nil, "", errors.Join(exit.Hint(fmt.Errorf("cannot write the backup to %s: others than root may write %s",
			out, writer), "name a directory that belongs to root, and that no other user may write: mkdir -m 700 "+
			"/var/backups/fate"), place.Close())
	}
	if _, err := place.Lstat(); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = exit.Hint(fmt.Errorf("cannot write the backup: %s exists", out), "name a file that does not exist")
		}
		return nil, "", errors.Join(err, place.Close())
	}
	return place, out, nil
}

// flowTrees are the directories of FATE-Flow; nil where it does not run.
func (d *Deployment) flowTrees() *backup.Trees {
	if !d.spec.Runs(cluster.FateFlow) {
		return nil
	}
	home := d.spec.Layout.Flow()
	if d.spec.Layout.Flat {
		home = d.spec.Layout.Project()
	}
	return &backup.Trees{Host: d.host, Home: home, Owner: d.spec.User, Group: d.spec.Group}
}

// flowTables are the tables of FATE-Flow; nil where the database server does not run.
func (d *Deployment) flowTables() (*backup.Tables, func() error, error) {
	db, ok := render.DatabaseOf(d.spec)
	if !ok || !d.spec.Runs(cluster.MySQL) || !d.spec.Side.FateFlow.Enable {
		return nil, nil, nil
	}
	admin, err := database.OpenAdministrator(d.host, db.Socket, database.Password(db.AdminPassword.Reveal()))
	if err != nil {
		return nil, nil, err
	}
	return &backup.Tables{Admin: admin, Schema: d.spec.Side.FateFlow.DBName}, admin.Close, nil
}

// databaseAway explains that the database server does not answer.
func databaseAway(err error) error {
	return exit.With(exit.Hint(err, "start it: fate-installer svc start "+cluster.MySQL.Program()), exit.Step)
}

// run writes the backup.
func (b *backupRun) run(ctx context.Context) error {
	total, err := b.size(ctx)
	if err != nil {
		return err
	}
	if err := backup.CheckTotal(total); err != nil {
		return err
	}
	// It is as large when nothing of it can be compressed.
	if err := refuseFull(b.d.host, []need{{path.Dir(b.place.Path()), total}}); err != nil {
		return fmt.Errorf("cannot write the backup: %w", err)
	}
	sealed, err := b.d.sealed()
	if err != nil {
		return err
	}
	bar := b.d.report.WorkBegins("backing up", total)
	defer bar.Finish()
	c := b.content(bar)
	c.Total = total
	return b.write(ctx, sealed, c)
}

// content is what is written.
func (b *backupRun) content(bar Bar) backup.Content {
	done := int64(0)
	progress := func(n int64) {
		done += n
		bar.Set(done)
	}
	var c backup.Content
	if b.tables != nil {
		c.Database = func(ctx context.Context, m *backup.Manifest, w *backup.RecordWriter) error {
			return b.tables.Dump(ctx, m, w, progress)
		}
	}
	if b.trees != nil {
		c.Files = func(ctx context.Context, m *backup.Manifest, w *backup.RecordWriter) error {
			return b.trees.Write(ctx, m, w, progress)
		}
	}
	return c
}

// size adds up what is to be backed up, before it is compressed.
func (b *backupRun) size(ctx context.Context) (total int64, err error) {
	if b.tables != nil {
		if total, err = b.tables.Size(ctx); err != nil {
			return 0, databaseAway(err)
		}
	}
	if b.trees == nil {
		return total, nil
	}
	files, err := b.trees.Size(ctx)
	return backup.Sum(total, files), err
}

// sealed is what a backup has encrypted with the passphrase.
func (d *Deployment) sealed() (*backup.Sealed, error) {
	site, err := d.stored.Encode()
	if err != nil {
		return nil, err
	}
	s := &backup.Sealed{Site: site, Keys: map[string][]byte{}}
	for file, into := range map[string]*[]byte{d.Layout().Secrets(): (*[]byte)(&s.Secrets),
		d.Layout().SecretRecords(): (*[]byte)(&s.Records)} {
		if *into, err = d.host.ReadFile(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot read the passwords: %w", err)
		}
	}
	if !d.spec.NeedsKeys() {
		return s, nil
	}
	files, missing, err := InstalledKeys(d.host, d.spec)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("the TLS keys in %s are not complete", d.spec.Layout.Keys())
	}
	for _, f := range files {
		s.Keys[f.Name] = f.Content
	}
	return s, nil
}
