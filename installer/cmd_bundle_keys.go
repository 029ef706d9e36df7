package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"golang.org/x/term"
)

func (o *signKeyOptions) addFlags(f *pflag.FlagSet, name, usage string) {
	f.StringVar(&o.file, name, "", usage)
	f.StringVar(&o.passwordFile, "password-file", "", "`file` with the key's password on its first line (default: asked on the terminal)")
}

// askPassword reads a line from the terminal without showing it.
func askPassword(g *globals, prompt string) (string, error) {
	in, ok := g.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", withHint(errors.New("there is no terminal to ask for the password on"), "put it into a file and name that with --password-file")
	}
	fmt.Fprint(g.Stderr, prompt)
	secret, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(g.Stderr)
	return string(secret), err
}
