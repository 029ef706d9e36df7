package main

import (
	"errors"
	"fmt"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/payload"

	"github.com/spf13/pflag"
)

// trustOptions are the flags of the commands that install from an appliance.
type trustOptions struct {
	pubkey     string
	require    bool
	allowOlder bool
}

// keptForLater ends the description of --pubkey where the key is kept with the installation.
const keptForLater = "; later runs need it too, until --pubkey " + noKey

// noKey is the value of --pubkey that forgets the key of an installation.
const noKey = "none"

func (o *trustOptions) addFlags(f *pflag.FlagSet, kept string) {
	f.StringVar(&o.pubkey, "pubkey", "", "public `KEY`, or a file with one, that must have signed the appliance"+kept)
	f.BoolVar(&o.require, "require-signature", false, "refuse an appliance whose signature cannot be checked")
	f.BoolVar(&o.allowOlder, "allow-older", false,
		"accept a signed appliance of a lower revision than one that was installed before")
}

// trusted returns the key that must have signed an appliance: the one that is asked for, the one this program was
// built with, or the one that is kept with the installation. It is blank when there is none.
func (o trustOptions) trusted(kept *deploy.Trust) (deploy.Trust, error) {
	compiled, ok, err := payload.CompiledKey()
	switch {
	case err != nil:
		return deploy.Trust{}, err
	case o.pubkey == noKey && ok:
		return deploy.Trust{},
			exit.With(errors.New("cannot do without a key: this program was built to accept only what its maker signed"),
				exit.Usage)
	case o.pubkey == noKey:
		return deploy.Trust{}, nil
	case o.pubkey != "":
		key, err := payload.ReadPublicKey(o.pubkey)
		if err != nil {
			return deploy.Trust{}, exit.With(err, exit.Usage)
		}
		return kept.RevisionOf(key.String()), nil
	case ok:
		return kept.RevisionOf(compiled.String()), nil
	case kept != nil:
		return *kept, nil
	}
	return deploy.Trust{}, nil
}

// checkMaker holds an appliance against the key and its revision, and returns a line that says who made it.
func checkMaker(t deploy.Trust, p *payload.Payload, o trustOptions) (line string, err error) {
	s, signed := p.Signature()
	switch {
	case t.Key != "":
		key, err := t.PublicKey()
		if err != nil {
			return "", err
		}
		if err := p.CheckSignature(*key); err != nil {
			return "", err
		}
	case o.require:
		return "", exit.With(exit.Hint(fmt.Errorf("cannot check the signature of %s: no public key is known", p.Path()),
			"give the key of the appliance's maker, which must not come from the same medium: --pubkey KEY"),
			exit.Usage)
	case signed:
		return fmt.Sprintf("signed with key %s, not checked: give the public key with --pubkey", s.KeyID), nil
	default:
		return "not signed: nothing proves who made this appliance", nil
	}
	if revision := p.Manifest().Release.Revision; revision < t.Revision && !o.allowOlder {
		return "", exit.With(exit.Hint(
			fmt.Errorf("cannot accept %s: its revision is %d, and revision %d of the same maker was installed here",
				p.Path(), revision, t.Revision),
			"use the latest appliance; if going back is intended: --allow-older"), exit.Payload)
	}
	return fmt.Sprintf("signed with key %s: %s", s.KeyID, s.Comment), nil
}

// checkTrust proves who made the appliance before anything of it is used, says so, and has the key kept with the
// installation. A run without an appliance changes nothing about it.
func (d *deployment) checkTrust(o trustOptions) error {
	if d.payload == nil {
		return nil
	}
	var kept *deploy.Trust
	if d.stored != nil {
		kept = d.stored.Trust
	}
	t, err := o.trusted(kept)
	if err != nil {
		return err
	}
	line, err := checkMaker(t, d.payload, o)
	if err != nil {
		return bundleError(err)
	}
	d.g.printf("appliance: %s\n", line)
	if t.Key == "" {
		d.site.Trust = nil
		return nil
	}
	t.Revision = d.payload.Manifest().Release.Revision
	d.site.Trust = &t
	return nil
}
