package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/database"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
)

func (d *Deployment) writeSecretRecords() error {
	data, err := d.secrets.Records.Encode()
	if err != nil {
		return err
	}
	return d.host.WriteFile(d.Layout().SecretRecords(), data, rootOnly)
}

// beginSecrets stores the values that are about to be replaced, before anything has a new one: a run that is killed
// while passwords change finds both. It must come before secrets.json is written. It returns the names of the secrets
// that the run changes, also from none, for endSecrets.
func (d *Deployment) beginSecrets(t *transition) (changed []string, err error) {
	before := d.secrets.Kept
	if t.firstInstall() { // which has generated what is kept, and is completed now
		before = cluster.Secrets{}
	}
	changed = d.spec.Secrets.Changed(before)
	if !d.secrets.Records.Begin(d.secrets.Kept, d.spec.Secrets) {
		return changed, nil
	}
	d.spec.SecretRecords = d.secrets.Records
	return changed, d.writeSecretRecords()
}

// endSecrets forgets the replaced values when everything on this host has the present ones. In a directory tree no
// server was changed, so that the next run on the machine itself ends it.
func (d *Deployment) endSecrets(changed []string) error {
	if !d.host.Live() && len(d.secrets.Records.Unfinished()) > 0 ||
		!d.secrets.Records.End(time.Now(), changed) {
		return nil
	}
	return d.writeSecretRecords()
}

// passwordsChange reports whether values of secrets are being replaced.
func (d *Deployment) passwordsChange() bool { return len(d.secrets.Records.Unfinished()) > 0 }

// refuseUnknownPassword stops a change of the database user's password on a host that does not run the database, as
// long as the database has not got the new one: the programs here could not log in.
func (d *Deployment) refuseUnknownPassword(ctx context.Context) error {
	_, here := render.DatabaseOf(d.spec)
	was, is := d.secrets.Kept.MySQLUser, d.spec.Secrets.MySQLUser
	if !here || !d.host.Live() || was.IsZero() || was.Equal(is) || d.spec.Runs(cluster.MySQL) ||
		d.spec.DatabaseHost() == "" {
		return nil
	}
	db, _ := render.DatabaseOf(d.spec)
	at := database.Address{Host: db.Host, Port: db.Port}
	err := database.CheckLogin(ctx, d.host, at, d.spec.Side.MySQL.User, database.Password(is.Reveal()))
	if !database.LoginRefused(err) {
		return nil // also an unreachable one: the programs wait for it
	}
	const why = "cannot change the password of the database user here: the database on %s has another one"
	return exit.With(exit.Hint(fmt.Errorf(why, db.Host),
		"change it on "+db.Host+" first, then repeat this command here"), exit.Usage)
}

// secretsElsewhere says which other hosts of the side still have former values of changed secrets.
func (d *Deployment) secretsElsewhere(names []string) []SecretsLeft {
	var out []SecretsLeft
	for _, use := range render.SecretUses(d.spec) {
		if !slices.Contains(names, use.Name) {
			continue
		}
		for _, ip := range use.Hosts {
			if ip == d.spec.IP {
				continue
			}
			i := slices.IndexFunc(out, func(l SecretsLeft) bool { return l.Host == ip })
			if i < 0 {
				out = append(out, SecretsLeft{Host: ip})
				i = len(out) - 1
			}
			out[i].Secrets = append(out[i].Secrets, use.Command)
		}
	}
	return out
}

// SecretsLeft is a host that has former values of some secrets until they are changed there, too.
type SecretsLeft struct {
	Host    string   `json:"host"`    // its address
	Secrets []string `json:"secrets"` // names of the secrets
}

// warnSecretsElsewhere warns, after an install that changed passwords, of the other hosts. A first install has
// replaced nothing.
func (d *Deployment) warnSecretsElsewhere(replaced []string) []string {
	var out []string
	for _, left := range d.secretsElsewhere(replaced) {
		out = append(out,
			fmt.Sprintf("%s has the former %s until you install there with the same cluster file (--change-cluster)",
				left.Host, strings.Join(left.Secrets, ", ")))
	}
	return out
}

// KnownSecrets lists the secrets of the installation on this host: those in force, those that a change of passwords has
// replaced, and those that it has made and not set yet. An error says that there may be others.
func KnownSecrets(h *host.Host, base string) ([]cluster.Secret, error) {
	layout := cluster.Layout{Base: base}
	stored, err := LoadSecrets(h, layout)
	out := stored.All()
	for _, record := range stored.Records {
		out = append(out, record.Former...)
	}
	data, handoverErr := h.ReadFile(layout.SecretHandover())
	if errors.Is(handoverErr, fs.ErrNotExist) {
		handoverErr = nil
	} else if handoverErr == nil {
		var handed *Handover
		if handed, handoverErr = DecodeHandover(data); handoverErr == nil {
			out = append(out, handed.Secrets.All()...)
		}
	}
	spec, specErr := InstalledSpec(h, base)
	if specErr == nil {
		out = append(out, spec.AllSecrets()...)
	} else if errors.Is(specErr, ErrNotInstalled) {
		specErr = nil
	}
	return out, errors.Join(err, handoverErr, specErr)
}
