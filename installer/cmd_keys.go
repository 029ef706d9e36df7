package main

import (
	"crypto/rand"
	"errors"
	"path"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/keys/keyfile"
	"fate-installer/installer/state"

	"github.com/spf13/cobra"
)

type keysOptions struct {
	out      string
	perRole  bool
	renew    string
	fromPeer string
}

// newKeysCommand makes the certificates of the sides that use TLS.
func newKeysCommand(g *globals) *cobra.Command {
	o := &keysOptions{}
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make, check and install the TLS keys of the sides that use TLS",
		Long: `Sides that are different organisations make their keys each for itself: keys request, keys sign, keys complete. No private
key leaves its side then.

Without one of these commands, make the certificates and keys of all sides of the cluster file that use TLS in one place,
under AnsibleFATE's names: for each side a directory and one archive to carry to its rollsite hosts. Server certificates are valid for every address and name in the routes to
that side and in its public_names.

The directory ca has the keys that sign. It is in no archive; keep it offline, and give it to --renew to issue new
certificates under the same CA. With a cluster file of one side only, the directory for-peer has what the peer needs, and
--from-peer takes what the peer has given.

EXIT STATUS
  0    done
  2    wrong usage or configuration, or keys that cannot work`,
		Example: `  fate-installer keys request --config host.yaml --out host-keys
  fate-installer keys --config cluster.yaml --out keys
  fate-installer keys --config cluster.yaml --per-role-ca --out keys
  fate-installer keys --config cluster.yaml --renew keys/ca --out keys-2031
  fate-installer keys check --config cluster.yaml --role host from-our-pki/
  fate-installer install --config cluster.yaml --keys keys/host.tar.gz`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runKeys(g, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.out, "out", "", "new `directory` for the keys")
	f.BoolVar(&o.perRole, "per-role-ca", false, "one CA for each side instead of one for both")
	f.StringVar(&o.renew, "renew", "", "sign with the CA in this `directory`, made by an earlier run")
	f.StringVar(&o.fromPeer, "from-peer", "", "`directory` with the peer's ca.pem, client.pem and client.key")
	_ = cmd.MarkFlagRequired("out")
	cmd.AddCommand(newKeysRequestCommand(g), newKeysSignCommand(g), newKeysCompleteCommand(g), newKeysCheckCommand(g),
		recorded(newKeysInstallCommand(g)))
	return cmd
}

func newKeysCheckCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "check PATH",
		Short: "Check key files from any source before they are used",
		Long: `Check the key files of a side in a directory or archive: all are there, keys belong to certificates, chains end at the
right CA, dates hold, usages fit, and the server's certificate is valid for every name in the routes to it.

EXIT STATUS
  0    they can be used
  2    they cannot, for the reasons listed`,
		Example: `  fate-installer keys check --config cluster.yaml --role host keys/host.tar.gz`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, _, err := checkedKeys(g, args[0])
			if err == nil {
				g.printf("ok: %s can be used\n", args[0])
			}
			return err
		},
	}
}

func newKeysInstallCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "install PATH",
		Short: "Check key files and put them where rollsite reads them",
		Long: `Check key files as keys check does, and put them into this host's key directory, readable by the service user only. The
rollsite reads them when it starts: fate-installer svc restart fate-rollsite. install --keys does the same together
with everything else that a host needs.

EXIT STATUS
  0    installed
  2    wrong usage, or keys that cannot work
  7    another run holds the lock
  9    another command was interrupted, and has to be completed first`,
		Example: `  fate-installer keys install --config cluster.yaml keys/host.tar.gz`,
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runKeysInstall(g, args[0]) },
	}
}

func runKeys(g *globals, o *keysOptions) error {
	w, err := readWanted(g, "")
	if err != nil {
		return err
	}
	req, err := w.cluster.KeyRequest()
	if err != nil {
		return exit.With(exit.Hint(err, "set server_secure and client_secure of the two sides, or use init --tls"),
			exit.Usage)
	}
	req.SharedCA = req.SharedCA && !o.perRole
	req.Now, req.Random = time.Now(), rand.Reader
	if o.renew != "" {
		if req.Existing, err = keyfile.ReadAuthorities(o.renew); err != nil {
			return exit.With(err, exit.Usage)
		}
	}
	if o.fromPeer != "" {
		if req.FromPeer, err = keyfile.ReadHandover(o.fromPeer); err != nil {
			return exit.With(err, exit.Usage)
		}
	}
	set, err := keys.New(req)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	return writeKeys(g, o.out, req, set)
}

// keysOutput is the JSON document of keys.
type keysOutput struct {
	Files []string `json:"files"` // the files that were written
}

// writeKeys writes a key set to a new directory.
func writeKeys(g *globals, dir string, req keys.Request, set *keys.Set) error {
	files, err := keyfile.Layout(req, set)
	if err != nil {
		return err
	}
	if err := keyfile.Write(dir, files, true); err != nil {
		return err
	}
	if len(req.Sides) > 1 {
		g.advisef("note: the private keys of all sides are in one place; organisations that must not have each " +
			"other's use fate-installer keys request\n")
	}
	for _, side := range req.Sides {
		g.printf("%s.tar.gz for the rollsite hosts of the %s\n", path.Join(dir, side.Role), side)
	}
	if set.ForPeer != nil {
		g.printf("%s for the peer; its own three files make this side complete: --from-peer\n",
			path.Join(dir, "for-peer"))
	}
	g.advisef("%s signs: keep it offline\non each rollsite host: fate-installer install --keys ARCHIVE\n",
		path.Join(dir, "ca"))
	if g.Output == outputJSON {
		names := make([]string, len(files))
		for i, f := range files {
			names[i] = path.Join(dir, f.Name)
		}
		return g.printJSON(keysOutput{names})
	}
	return nil
}

// checkedKeys reads and checks the keys of this host's side.
func checkedKeys(g *globals, name string) (*cluster.Spec, []keys.File, error) {
	w, err := readWanted(g, "")
	if err != nil {
		return nil, nil, err
	}
	files, err := input(g, func() ([]keys.File, error) { return keyfile.Read(name) })
	if err != nil {
		return nil, nil, exit.With(err, exit.Usage)
	}
	spec, specErr := w.spec(deploy.Secrets{})
	role := w.site.Role
	switch {
	case specErr == nil:
		role = spec.Role
	case role == "":
		return nil, nil, specErr
	}
	names, err := w.cluster.KeyNames(role)
	if err != nil {
		return nil, nil, exit.With(err, exit.Usage)
	}
	problems, remarks := keys.Check(string(role), names, files, time.Now())
	printNotes(g, remarks)
	if len(problems) > 0 {
		return nil, nil, exit.With(problems, exit.Usage)
	}
	return spec, files, nil
}

func runKeysInstall(g *globals, name string) error {
	if err := g.decide(state.Keys); err != nil {
		return err
	}
	spec, files, err := checkedKeys(g, name)
	if err != nil {
		return err
	}
	if spec == nil {
		return exit.With(exit.Hint(errors.New("cannot tell which host this is"), "name its address: --ip"), exit.Usage)
	}
	i, err := g.installation()
	if err != nil {
		return err
	}
	defer i.Close()
	return i.InstallKeys(spec, files)
}
