package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/database"
	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
)

// rootOnly is the mode of a file with passwords.
var rootOnly = host.FileMode{Perm: 0o600, Owner: "root", Group: "root"}

func (d *deployment) writeSecretRecords() error {
	data, err := d.secrets.Records.Encode()
	if err != nil {
		return err
	}
	return d.host.WriteFile(d.layout().SecretRecords(), data, rootOnly)
}

// beginSecrets stores the values that are about to be replaced, before anything has a new one: a run that is killed
// while passwords change finds both. It must come before secrets.json is written.
func (d *deployment) beginSecrets() error {
	d.changedSecrets = d.spec.Secrets.Changed(d.secrets.Kept)
	// drawn by the first installation, which is completed now
	if d.move == state.Resume && len(d.state.Release.Components) == 0 {
		d.changedSecrets = d.spec.Secrets.Changed(cluster.Secrets{})
	}
	if !d.secrets.Records.Begin(d.secrets.Kept, d.spec.Secrets) {
		return nil
	}
	d.spec.SecretRecords = d.secrets.Records
	return d.writeSecretRecords()
}

// endSecrets forgets the replaced values when everything on this host has the present ones. In a directory tree no
// server was changed, so that the next run on the machine itself ends it.
func (d *deployment) endSecrets() error {
	if !d.host.Live() && len(d.secrets.Records.Unfinished()) > 0 ||
		!d.secrets.Records.End(time.Now(), d.changedSecrets) {
		return nil
	}
	return d.writeSecretRecords()
}

// passwordsChange reports whether values of secrets are being replaced.
func (d *deployment) passwordsChange() bool { return len(d.secrets.Records.Unfinished()) > 0 }

// refuseUnknownPassword stops a change of the database user's password on a host that does not run the database, as
// long as the database has not got the new one: the programs here could not log in.
func (d *deployment) refuseUnknownPassword(ctx context.Context) error {
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
func (d *deployment) secretsElsewhere(names []string) []secretsLeft {
	var out []secretsLeft
	for _, use := range render.SecretUses(d.spec) {
		if !slices.Contains(names, use.Name) {
			continue
		}
		for _, ip := range use.Hosts {
			if ip == d.spec.IP {
				continue
			}
			i := slices.IndexFunc(out, func(l secretsLeft) bool { return l.Host == ip })
			if i < 0 {
				out = append(out, secretsLeft{Host: ip})
				i = len(out) - 1
			}
			out[i].Secrets = append(out[i].Secrets, use.Command)
		}
	}
	return out
}

// secretsLeft is a host that has former values of some secrets until they are changed there, too.
type secretsLeft struct {
	Host    string   `json:"host"`    // its address
	Secrets []string `json:"secrets"` // names of the secrets
}

// warnSecretsElsewhere warns, after an install that changed passwords, of the other hosts. A first install has
// replaced nothing.
func (d *deployment) warnSecretsElsewhere(replaced []string) []string {
	var out []string
	for _, left := range d.secretsElsewhere(replaced) {
		out = append(out,
			fmt.Sprintf("%s has the former %s until you install there with the same cluster file (--change-cluster)",
				left.Host, strings.Join(left.Secrets, ", ")))
	}
	return out
}

// hostSecrets lists the secrets of the installation on this host that this process may read: without root, none.
func hostSecrets(g *globals) []cluster.Secret {
	secrets, _ := knownSecrets(g) // what is known is better than nothing
	return secrets
}

// knownSecrets lists the secrets of the installation on this host: those in force, those that a change of passwords has
// replaced, and those that it has made and not set yet. An error says that there may be others.
func knownSecrets(g *globals) ([]cluster.Secret, error) {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	stored, err := deploy.LoadSecrets(h, g.layout())
	out := stored.All()
	for _, record := range stored.Records {
		out = append(out, record.Former...)
	}
	data, handoverErr := h.ReadFile(g.layout().SecretHandover())
	if errors.Is(handoverErr, fs.ErrNotExist) {
		handoverErr = nil
	} else if handoverErr == nil {
		var handed *handedSecrets
		if handed, handoverErr = decodeHandedSecrets(data); handoverErr == nil {
			out = append(out, handed.Secrets.All()...)
		}
	}
	spec, specErr := installed(g)
	if specErr == nil {
		out = append(out, spec.AllSecrets()...)
	} else if errors.Is(specErr, deploy.ErrNotInstalled) {
		specErr = nil
	}
	return out, errors.Join(err, handoverErr, specErr)
}
