package main

import (
	"errors"
	"io/fs"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"

	"github.com/spf13/pflag"
)

// specOptions are the flags of the commands that show what a host, which need not be this one, would have.
type specOptions struct {
	fateVersion string
	peer        string
}

func (o *specOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.fateVersion, "fate-version", "", "for this published `version` of FATE instead of the payload's")
	f.StringVar(&o.peer, "peer", "", "default route `IP:PORT[:secure]`, when there is no cluster file")
}

// read gives the host's Spec, with the versions and the passwords that are known here.
func (o *specOptions) read(g *globals) (*wanted, *cluster.Spec, error) {
	w, err := readWanted(g, o.peer)
	if err != nil {
		return nil, nil, err
	}
	if err := w.versions(o.fateVersion); err != nil {
		return nil, nil, err
	}
	secrets, err := w.knownSecrets()
	if err != nil {
		return nil, nil, err
	}
	spec, err := w.spec(secrets)
	return w, spec, err
}

// knownSecrets are the installation's own passwords when there is one to read, and otherwise a text in their place:
// two renderings of the same cluster have to be equal.
func (w *wanted) knownSecrets() (deploy.Secrets, error) {
	unknown := cluster.NewSecret("generated-at-installation")
	var placeholders cluster.Secrets
	for _, name := range cluster.SecretNames() {
		placeholders.Set(name, unknown)
	}
	out := deploy.Secrets{Secrets: placeholders}
	h, err := host.New(w.g.Root, nil)
	if err != nil {
		return out, exit.With(err, exit.Usage)
	}
	defer h.Close()
	stored, err := deploy.LoadSecrets(h, cluster.Layout{Base: w.g.Base})
	if errors.Is(err, fs.ErrPermission) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	stored.Secrets = stored.Kept.Or(placeholders)
	return stored, nil
}
