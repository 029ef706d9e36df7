package main

import (
	"crypto/rand"
	"errors"
	"path"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/keys/keyfile"

	"github.com/spf13/cobra"
)

// keyRequestOptions are the flags of keys request, sign and complete.
type keyRequestOptions struct {
	out    string // new directory, or new file
	keys   string // directory that keys request made
	shared bool
}

func newKeysRequestCommand(g *globals) *cobra.Command {
	o := &keyRequestOptions{}
	cmd := &cobra.Command{
		Use:   "request",
		Short: "Make this side's own keys, and the request that its peer answers",
		Long: `Make the CA and the private keys of one side, which never leave it, and a request for the peer. The request has
no secret. The peer answers it with keys sign, and keys complete takes the answer. Both sides do this for each other.

Where one side calls several others, as an exchange does, its CA has to sign the servers of all of them: that side says
--shared-ca, needs no answer itself, and signs the others' requests with --shared-ca, too.

EXIT STATUS
  0    the keys were made
  2    wrong usage or configuration`,
		Example: `  fate-installer keys request --config host.yaml --out host-keys
  fate-installer keys request --config exchange.yaml --shared-ca --out exchange-keys`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runKeysRequest(g, o) },
	}
	cmd.Flags().StringVar(&o.out, "out", "", "new `directory` for the keys")
	cmd.Flags().BoolVar(&o.shared, "shared-ca", false, "make the CA that also signs the peers' servers")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

// ownKeySide is the side whose keys are made or completed here: the one of --role, of this host, or the only one
// with TLS.
func ownKeySide(g *globals) (keys.Side, error) {
	w, err := readWanted(g, "")
	if err != nil {
		return keys.Side{}, err
	}
	req, err := w.cluster.KeyRequest()
	if err != nil {
		return keys.Side{}, exit.With(exit.Hint(err,
			"set server_secure and client_secure of the two sides, or use init --tls"), exit.Usage)
	}
	role := w.site.Role
	if spec, err := w.spec(deploy.Secrets{}); err == nil {
		role = spec.Role
	}
	for _, side := range req.Sides {
		if side.Role == string(role) || role == "" && len(req.Sides) == 1 {
			return side, nil
		}
	}
	return keys.Side{}, exit.With(exit.Hint(errors.New("cannot tell whose keys these are: "+
		"the cluster files describe several sides, or no TLS for this one"),
		"give this side's own file alone, or name the side: --role"), exit.Usage)
}

// keysRequestOutput is the JSON document of keys request.
type keysRequestOutput struct {
	Keys     string `json:"keys"`      // the directory with this side's private keys
	Request  string `json:"request"`   // the file for the peer; with shared_ca there is none
	SharedCA bool   `json:"shared_ca"` // one side's CA signs for all
}

func runKeysRequest(g *globals, o *keyRequestOptions) error {
	side, err := ownKeySide(g)
	if err != nil {
		return err
	}
	files, request, err := keys.Own(side, o.shared, time.Now(), rand.Reader)
	if err != nil {
		return err
	}
	name := side.Role + "-request.pem"
	if request != nil {
		files = append(files, keys.File{Name: name, Content: request})
	}
	if o.shared {
		archive, err := keyfile.Pack(files[2:]) // without what signs
		if err != nil {
			return err
		}
		files = append(files, keys.File{Name: side.Role + ".tar.gz", Content: archive})
	}
	if err := keyfile.Write(o.out, files, true); err != nil {
		return err
	}
	if g.Output == outputJSON {
		return g.printJSON(keysRequestOutput{o.out, path.Join(o.out, name), o.shared})
	}
	g.printf("%s: keys of the %s, with private keys: they stay with this side\n", o.out, side)
	if o.shared {
		g.advisef("next: fate-installer install --keys %s; "+
			"and for each peer: fate-installer keys sign --shared-ca --keys %s REQUEST\n",
			path.Join(o.out, side.Role+".tar.gz"), o.out)
		return nil
	}
	g.advisef("next: give %s to the peer, who answers it with fate-installer keys sign; "+
		"then fate-installer keys complete --keys %s ANSWER\n", path.Join(o.out, name), o.out)
	return nil
}
