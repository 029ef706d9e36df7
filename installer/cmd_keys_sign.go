package main

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/keys/keyfile"
	"fate-installer/installer/problem"

	"github.com/spf13/cobra"
)

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
