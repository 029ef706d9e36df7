package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/keys/keyfile"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"

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

func newKeysSignCommand(g *globals) *cobra.Command {
	o := &keyRequestOptions{}
	cmd := &cobra.Command{
		Use:   "sign REQUEST",
		Short: "Answer a peer's request with a certificate for calling this side",
		Long: `Answer the request that a peer made with keys request: sign its certificate for calling this side with this
side's CA. The answer has no secret. With --shared-ca the peer's server is signed, too, for those of the peer's addresses
and names only that the cluster files have: name the public part of the cluster in addition to this side's own file.

EXIT STATUS
  0    the answer was written
  2    wrong usage, or a request that cannot be answered`,
		Example: `  fate-installer keys sign --keys guest-keys host-request.pem
  fate-installer keys sign --keys exchange-keys --shared-ca --config exchange.yaml --config public.yaml host-request.pem`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runKeysSign(g, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.keys, "keys", "", "`directory` that this side's keys request made")
	f.StringVar(&o.out, "out", "", "new `file` for the answer (default: ROLE-answer.pem in this directory)")
	f.BoolVar(&o.shared, "shared-ca", false, "sign the peer's server, too")
	_ = cmd.MarkFlagRequired("keys")
	return cmd
}

func newKeysCompleteCommand(g *globals) *cobra.Command {
	o := &keyRequestOptions{}
	cmd := &cobra.Command{
		Use:   "complete ANSWER",
		Short: "Add the peer's answer to this side's own keys",
		Long: `Add the answer that the peer made with keys sign to the keys that this side made with keys request, check the
whole, and pack it for this side's rollsite hosts. With --shared-ca it is that of an exchange whose CA signs for all. A later answer, of certificates that were renewed, replaces the former one.

EXIT STATUS
  0    the keys can be installed
  2    wrong usage, or an answer that does not fit`,
		Example: `  fate-installer keys complete --config host.yaml --keys host-keys host-answer.pem
  fate-installer keys complete --config host.yaml --keys host-keys --shared-ca host-answer.pem   # of an exchange
  fate-installer install --config host.yaml --keys host-keys/host.tar.gz`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runKeysComplete(g, o, args[0]) },
	}
	cmd.Flags().StringVar(&o.keys, "keys", "", "`directory` that this side's keys request made")
	cmd.Flags().BoolVar(&o.shared, "shared-ca", false,
		"take the certificate for this side's server, too, of the peer's CA")
	_ = cmd.MarkFlagRequired("keys")
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
	if err := writeKeyFiles(o.out, files, true); err != nil {
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

// keysSignOutput is the JSON document of keys sign.
type keysSignOutput struct {
	Role   cluster.Role `json:"role"`   // the side that asked
	Answer string       `json:"answer"` // the file that goes back to it
}

func runKeysSign(g *globals, o *keyRequestOptions, name string) error {
	data, err := input(g, func() ([]byte, error) { return problem.ReadFile(name, keyfile.Limit) })
	if err != nil {
		return exit.With(fmt.Errorf("cannot read the request: %w", err), exit.Usage)
	}
	request, err := keys.ParsePeerRequest(data)
	if err != nil {
		return exit.With(fmt.Errorf("cannot use the request %s: %w", name, err), exit.Usage)
	}
	var known []string
	if o.shared {
		w, err := readWanted(g, "")
		if err != nil {
			return err
		}
		if known, err = w.cluster.KeyNames(cluster.Role(request.Role)); err != nil {
			return exit.With(exit.Hint(err, "name the public part of the cluster, too: --config "+cluster.PublicFile),
				exit.Usage)
		}
	}
	authorities, err := keyfile.ReadAuthorities(filepath.Join(o.keys, "ca"))
	if err != nil {
		return exit.With(exit.Hint(err, "--keys is the directory that this side's own keys request made"), exit.Usage)
	}
	answer, err := request.Sign(authorities[0], o.shared, known, time.Now(), rand.Reader)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	out := o.out
	if out == "" {
		out = request.Role + "-answer.pem"
	}
	if err := writeNewFile(out, answer); err != nil {
		return exit.With(err, exit.Usage)
	}
	if g.Output == outputJSON {
		return g.printJSON(keysSignOutput{cluster.Role(request.Role), out})
	}
	takes := "fate-installer keys complete"
	if o.shared {
		takes += " --shared-ca"
	}
	g.printf("%s: for the %s, who takes it with %s\n", out, request.Role, takes)
	return nil
}

// keysCompleteOutput is the JSON document of keys complete.
type keysCompleteOutput struct {
	Archive string   `json:"archive"` // the archive for install --keys
	Notes   []string `json:"notes"`   // about the keys, as text
}

func runKeysComplete(g *globals, o *keyRequestOptions, name string) error {
	side, err := ownKeySide(g)
	if err != nil {
		return err
	}
	own, err := input(g, func() ([]keys.File, error) { return keyfile.Read(o.keys) })
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	answer, err := input(g, func() ([]byte, error) { return problem.ReadFile(name, keyfile.Limit) })
	if err != nil {
		return exit.With(fmt.Errorf("cannot read the answer: %w", err), exit.Usage)
	}
	files, err := keys.Complete(side.Role, own, answer, o.shared)
	if err != nil {
		return exit.With(exit.Hint(err,
			"--shared-ca is said by both: the exchange that signs, and the side that completes"), exit.Usage)
	}
	problems, remarks := keys.Check(side.Role, side.Names, files, time.Now())
	if len(problems) > 0 {
		return exit.With(problems, exit.Usage)
	}
	archive, err := keyfile.Pack(files)
	if err != nil {
		return err
	}
	packed := side.Role + ".tar.gz"
	if err := writeKeyFiles(o.keys, append(files, keys.File{Name: packed, Content: archive}),
		false); err != nil {
		return err
	}
	if g.Output == outputJSON {
		return g.printJSON(keysCompleteOutput{path.Join(o.keys, packed), noteTexts(remarks)})
	}
	printNotes(g, remarks)
	g.advisef("%s for the rollsite hosts of the %s: fate-installer install --keys %s\n", path.Join(o.keys, packed),
		side, path.Join(o.keys, packed))
	return nil
}

// writeKeyFiles writes keys below a directory, which is a new one unless they are added to it.
func writeKeyFiles(dir string, files []keys.File, isNew bool) error {
	abs, err := absolute(dir)
	if err != nil {
		return err
	}
	h, err := host.New("/", nil)
	if err != nil {
		return err
	}
	defer h.Close()
	if isNew && h.Exists(abs) {
		return exit.With(exit.Hint(fmt.Errorf("cannot write keys to %s: it exists", dir),
			"choose a new directory: keys in use are not overwritten"), exit.Usage)
	}
	for _, f := range files {
		name := path.Join(abs, f.Name)
		if err := h.MkdirAll(path.Dir(name), host.FileMode{Perm: 0o700}); err != nil {
			return err
		}
		if err := h.WriteFile(name, f.Content, host.FileMode{Perm: 0o600}); err != nil {
			return err
		}
	}
	return nil
}
