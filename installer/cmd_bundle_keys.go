package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/problem"
	"fate-installer/payload"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// signKeyOptions name a private key and where its password comes from: a file or the terminal, never the command line,
// which every user of the machine can read.
type signKeyOptions struct {
	file, passwordFile string
}

func (o *signKeyOptions) addFlags(f *pflag.FlagSet, name, usage string) {
	f.StringVar(&o.file, name, "", usage)
	f.StringVar(&o.passwordFile, "password-file", "",
		"`file` with the key's password on its first line (default: asked on the terminal)")
}

// read returns the key, or nil when none is named.
func (o *signKeyOptions) read(g *globals) (*payload.PrivateKey, error) {
	if o.file == "" {
		return nil, nil
	}
	key, err := payload.ReadPrivateKey(o.file,
		func() (string, error) { return readPassword(g, o.passwordFile, "Password of "+o.file+": ") })
	if err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	return &key, nil
}

// passwordFileLimit bounds a file of which only the first line counts, in bytes.
const passwordFileLimit = 64 << 10

// readPassword reads the first line of a file, or asks on the terminal.
func readPassword(g *globals, file, prompt string) (string, error) {
	if file != "" {
		data, err := input(g, func() ([]byte, error) { return problem.ReadFile(file, passwordFileLimit) })
		if err != nil {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		line, _, _ := strings.Cut(string(data), "\n")
		return strings.TrimSuffix(line, "\r"), nil
	}
	in, ok := g.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", exit.Hint(errors.New("there is no terminal to ask for the password on"),
			"put it into a file and name that with --password-file")
	}
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", fmt.Errorf("cannot ask for the password: %w", err)
	}
	fmt.Fprint(g.Stderr, g.text(prompt))
	secret, err := input(g, func() ([]byte, error) { return term.ReadPassword(int(in.Fd())) })
	if errors.Is(err, context.Canceled) {
		err = errors.Join(err, term.Restore(int(in.Fd()), before)) // so that the terminal shows again what is typed
	}
	fmt.Fprintln(g.Stderr)
	return string(secret), err
}

type bundleKeygenOptions struct {
	out          string
	passwordFile string
	noPassword   bool
}

func newBundleKeygenCommand(g *globals) *cobra.Command {
	o := &bundleKeygenOptions{}
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key pair to sign appliances with",
		Long: `Make an ed25519 key pair in the files NAME.key, readable by you alone, and NAME.pub. Keep the first; publish the second
and its key id where people who check appliances can compare it. Files that exist are never overwritten.

The format is that of minisign, which can check an appliance too:
unzip -p FILE manifest.json > manifest.json; unzip -p FILE manifest.sig > manifest.json.minisig; minisign -Vm manifest.json -p NAME.pub

EXIT STATUS
  0    the files were written
  1    unexpected error, such as a file that exists
  2    no password, or two different ones`,
		Example: `  fate-installer bundle keygen --out release
  fate-installer bundle keygen --out ci --no-password`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runBundleKeygen(g, o) },
	}
	cmd.Flags().StringVar(&o.out, "out", "fate-installer", "`NAME` of the files, without .key and .pub")
	cmd.Flags().StringVar(&o.passwordFile, "password-file", "",
		"`file` with the new key's password on its first line (default: asked on the terminal)")
	cmd.Flags().BoolVar(&o.noPassword, "no-password", false, "do not protect the key; the file's mode does")
	cmd.MarkFlagsMutuallyExclusive("password-file", "no-password")
	return cmd
}

// bundleKeygenOutput is the JSON document of bundle keygen.
type bundleKeygenOutput struct {
	Private   string `json:"private"`    // file of the private key
	Public    string `json:"public"`     // file of the public key
	KeyID     string `json:"key_id"`     // the ID that signatures name
	PublicKey string `json:"public_key"` // the public key itself, as --pubkey takes it
}

func runBundleKeygen(g *globals, o *bundleKeygenOptions) error {
	password, err := o.password(g)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	public, private, err := payload.GenerateKey()
	if err != nil {
		return fmt.Errorf("cannot make a key: %w", err)
	}
	if err := payload.WriteKeys(o.out+".key", o.out+".pub", private, password); err != nil {
		return err
	}
	if g.Output == outputJSON {
		return g.printJSON(bundleKeygenOutput{o.out + ".key", o.out + ".pub", payload.KeyID(public), public.String()})
	}
	g.printf("wrote %s.key and %s.pub, key id %s\npublic key %s\n", o.out, o.out, payload.KeyID(public), public)
	return nil
}

// password is the one to protect the new key with, empty for none.
func (o *bundleKeygenOptions) password(g *globals) (string, error) {
	if o.noPassword {
		return "", nil
	}
	first, err := readPassword(g, o.passwordFile, "Password for the new key: ")
	switch {
	case err != nil:
		return "", err
	case first == "":
		return "", exit.Hint(errors.New("cannot protect the key with an empty password"),
			"give one, or say --no-password")
	case o.passwordFile != "":
		return first, nil
	}
	again, err := readPassword(g, "", "Once more: ")
	if err == nil && again != first {
		err = errors.New("cannot protect the key: the two passwords differ")
	}
	return first, err
}

type bundleSignOptions struct {
	signKey signKeyOptions
	out     string
}

func newBundleSignCommand(g *globals) *cobra.Command {
	o := &bundleSignOptions{}
	cmd := &cobra.Command{
		Use:   "sign --key KEY FILE",
		Short: "Sign an appliance, or replace its signature",
		Long: `Verify the appliance, then write it again with a signature by the key over its manifest, which covers every byte of it.
The file is replaced in one step, or written elsewhere with --out. A split appliance is joined on the way, so it needs --out.

EXIT STATUS
  0    signed
  1    unexpected error
  2    the key cannot be used, or there is no room for the result
  4    the appliance is damaged
  130  interrupted; the file is as it was`,
		Example: `  fate-installer bundle sign --key release.key fate-installer-1.11.4-amd64
  fate-installer bundle sign --key release.key --out signed unsigned`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAppliance(cmd.Context(), g, args, func(ctx context.Context, p *payload.Payload) error {
				return runBundleSign(ctx, g, o, p, args[0])
			})
		},
	}
	o.signKey.addFlags(cmd.Flags(), "key", "private key `FILE` to sign with")
	cmd.Flags().StringVar(&o.out, "out", "", "write the signed appliance to this `file` instead of replacing it")
	_ = cmd.MarkFlagRequired("key") // only fails for a flag that is not there
	return cmd
}

// bundleSignOutput is the JSON document of bundle sign.
type bundleSignOutput struct {
	Path  string `json:"path"`   // the signed appliance
	KeyID string `json:"key_id"` // the ID of the key that signed it
}

func runBundleSign(ctx context.Context, g *globals, o *bundleSignOptions, p *payload.Payload, file string) error {
	out := o.out
	if out == "" {
		out = file
	}
	if info, err := os.Stat(file); o.out == "" && (err != nil || info.Size() != p.Size()) {
		return exit.With(exit.Hint(fmt.Errorf("cannot sign %s in place: it is in parts", file),
			"name the file to write with --out"), exit.Usage)
	}
	key, err := o.signKey.read(g)
	if err != nil {
		return err
	}
	// A file that has rotted since it was built must not be signed.
	bar := longProgress(g, "verifying", p.Size())
	defer bar.Finish()
	if _, err := p.Verify(ctx, payload.VerifyOptions{Progress: func(done, _ int64) { bar.Set(done) }}); err != nil {
		return err
	}
	bar.Finish()
	if err := payload.Sign(ctx, file, out, *key); err != nil {
		return err
	}
	id := payload.KeyID(key.Public().(payload.PublicKey))
	if g.Output == outputJSON {
		return g.printJSON(bundleSignOutput{out, id})
	}
	g.printf("signed %s with key %s\n", out, id)
	return nil
}
