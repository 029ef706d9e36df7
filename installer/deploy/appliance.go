package deploy

import (
	"cmp"
	"errors"
	"fmt"

	"fate-installer/installer/exit"
	"fate-installer/payload"
)

// TrustOptions say what an appliance must prove before anything of it is installed.
type TrustOptions struct {
	Key        string // public key, or a file with one, that must have signed it; NoKey forgets the installed one
	Require    bool   // refuse a signature that cannot be checked
	AllowOlder bool   // accept a lower revision than one that was installed before
}

// NoKey is the Key that forgets the key of an installation.
const NoKey = "none"

// Trusted returns the key that must have signed an appliance: the one that is asked for, the one this program was
// built with, or the one that is kept with the installation. It is blank when there is none.
func (o TrustOptions) Trusted(kept *Trust) (Trust, error) {
	compiled, ok, err := payload.CompiledKey()
	switch {
	case err != nil:
		return Trust{}, err
	case o.Key == NoKey && ok:
		return Trust{},
			exit.With(errors.New("cannot do without a key: this program was built to accept only what its maker signed"),
				exit.Usage)
	case o.Key == NoKey:
		return Trust{}, nil
	case o.Key != "":
		key, err := payload.ReadPublicKey(o.Key)
		if err != nil {
			return Trust{}, exit.With(err, exit.Usage)
		}
		return kept.revisionOf(key.String()), nil
	case ok:
		return kept.revisionOf(compiled.String()), nil
	case kept != nil:
		return *kept, nil
	}
	return Trust{}, nil
}

// CheckMaker holds an appliance against the key and its revision, and returns a line that says who made it.
func (o TrustOptions) CheckMaker(t Trust, p *payload.Payload) (line string, err error) {
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
	case o.Require:
		return "", exit.With(exit.Hint(fmt.Errorf("cannot check the signature of %s: no public key is known", p.Path()),
			"give the key of the appliance's maker, which must not come from the same medium: --pubkey KEY"),
			exit.Usage)
	case signed:
		return fmt.Sprintf("signed with key %s, not checked: give the public key with --pubkey", s.KeyID), nil
	default:
		return "not signed: nothing proves who made this appliance", nil
	}
	if revision := p.Manifest().Release.Revision; revision < t.Revision && !o.AllowOlder {
		return "", exit.With(exit.Hint(
			fmt.Errorf("cannot accept %s: its revision is %d, and revision %d of the same maker was installed here",
				p.Path(), revision, t.Revision),
			"use the latest appliance; if going back is intended: --allow-older"), exit.Payload)
	}
	return fmt.Sprintf("signed with key %s: %s", s.KeyID, s.Comment), nil
}

// JudgeMaker holds the appliance against the key that must have signed it, as install does before it uses anything of
// it: line says who made it, and refusal why install does not use it. The error says why that cannot be judged.
func (d *Deployment) JudgeMaker(o TrustOptions) (t Trust, line string, refusal, err error) {
	var kept *Trust
	if d.stored != nil {
		kept = d.stored.Trust
	}
	if t, err = o.Trusted(kept); err != nil {
		return Trust{}, "", nil, err
	}
	line, refusal = o.CheckMaker(t, d.payload)
	return t, line, payloadError(refusal), nil
}

// checkTrust proves who made the appliance before anything of it is used, says so, and has the key kept with the
// installation. A run without an appliance changes nothing about it.
func (d *Deployment) checkTrust(o TrustOptions) error {
	if d.payload == nil {
		return nil
	}
	t, line, refusal, err := d.JudgeMaker(o)
	if err = cmp.Or(err, refusal); err != nil {
		return err
	}
	d.report.Printf("appliance: %s\n", line)
	if t.Key == "" {
		d.site.Trust = nil
		return nil
	}
	t.Revision = d.payload.Manifest().Release.Revision
	d.site.Trust = &t
	return nil
}

// payloadError gives an appliance that is not the one that was asked for its exit code.
func payloadError(err error) error {
	var signature *payload.SignatureError
	var schema *payload.SchemaError
	if errors.As(err, &signature) || errors.As(err, &schema) {
		return exit.With(err, exit.Payload)
	}
	return err
}
