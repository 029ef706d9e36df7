package main

import (
	"fmt"
	"path"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/keys/keyfile"
	"fate-installer/installer/problem"

	"github.com/spf13/cobra"
)

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
	if err := keyfile.Write(o.keys, append(files, keys.File{Name: packed, Content: archive}),
		false); err != nil {
		return err
	}
	if g.Output == outputJSON {
		return g.printJSON(keysCompleteOutput{path.Join(o.keys, packed), remarks.Texts()})
	}
	printNotes(g, remarks)
	g.advisef("%s for the rollsite hosts of the %s: fate-installer install --keys %s\n", path.Join(o.keys, packed),
		side, path.Join(o.keys, packed))
	return nil
}
