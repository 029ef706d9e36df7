package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"fate-installer/installer/backup"
	"fate-installer/installer/exit"
	"fate-installer/installer/problem"

	"filippo.io/age"
	"github.com/spf13/pflag"
)

// sealOptions say who can read a backup that is made.
type sealOptions struct {
	passphraseFile string
	recipients     []string
}

func (o *sealOptions) addFlags(f *pflag.FlagSet) {
	addPassphraseFile(f, &o.passphraseFile)
	f.StringArrayVar(&o.recipients, "recipient", nil,
		"encrypt to this age `key` (age1...) instead of a passphrase; repeatable")
}

func addPassphraseFile(f *pflag.FlagSet, file *string) {
	f.StringVar(file, "passphrase-file", "",
		"`file` of root, mode 0600, with the passphrase on its first line (default: asked on the terminal)")
}

// leastPassphrase is the length of the shortest passphrase that a backup is made with.
const leastPassphrase = 12

// recipients is whom the options encrypt to, and what the manifest calls that.
func (o *sealOptions) recipientsOf(g *globals) ([]age.Recipient, string, error) {
	if len(o.recipients) > 0 {
		if o.passphraseFile != "" {
			return nil, "", exit.With(errors.New("cannot encrypt to a passphrase and to recipients: name one of "+
				"--passphrase-file and --recipient"), exit.Usage)
		}
		var to []age.Recipient
		for _, r := range o.recipients {
			recipient, err := age.ParseX25519Recipient(r)
			if err != nil {
				return nil, "", exit.With(exit.Hint(fmt.Errorf("cannot use --recipient %s: it is no age public key", r),
					"age-keygen makes a key pair, and prints the public key, which begins with age1"), exit.Usage)
			}
			to = append(to, recipient)
		}
		return to, backup.ByRecipient, nil
	}
	text, err := readPassphrase(g, o.passphraseFile, "passphrase for the backup: ")
	if err != nil {
		return nil, "", err
	}
	if len(text) < leastPassphrase {
		return nil, "", exit.With(fmt.Errorf("cannot use this passphrase: it has fewer than %d characters",
			leastPassphrase), exit.Usage)
	}
	if o.passphraseFile == "" {
		again, err := readPassphrase(g, "", "the same again: ")
		if err != nil {
			return nil, "", err
		}
		if again != text {
			return nil, "", exit.With(errors.New("the two passphrases differ"), exit.Usage)
		}
	}
	to, err := age.NewScryptRecipient(text)
	if err != nil {
		return nil, "", exit.With(err, exit.Usage)
	}
	return []age.Recipient{to}, backup.ByPassphrase, nil
}

// unsealOptions say how a backup is decrypted.
type unsealOptions struct {
	passphraseFile string
	identity       string
}

func (o *unsealOptions) addFlags(f *pflag.FlagSet) {
	addPassphraseFile(f, &o.passphraseFile)
	f.StringVar(&o.identity, "identity", "", "`file` with the age secret key of a recipient")
}

// given reports whether the options name anything.
func (o *unsealOptions) given() bool { return o.passphraseFile != "" || o.identity != "" }

// identitiesOf is what decrypts a backup.
func (o *unsealOptions) identitiesOf(g *globals, m *backup.Manifest) ([]age.Identity, error) {
	if o.passphraseFile != "" && o.identity != "" {
		return nil, exit.With(errors.New("cannot decrypt with a passphrase and a key: name one of --passphrase-file and "+
			"--identity"), exit.Usage)
	}
	if m.Encryption == backup.ByRecipient && o.identity == "" {
		return nil, exit.With(exit.Hint(errors.New("this backup is encrypted to a key"),
			"name the file with the secret key: --identity FILE"), exit.Usage)
	}
	if m.Encryption == backup.ByPassphrase && o.identity != "" {
		return nil, exit.With(exit.Hint(errors.New("this backup is encrypted with a passphrase, and not to a key"),
			"leave --identity out"), exit.Usage)
	}
	if o.identity != "" {
		data, err := readPrivate(g, o.identity, "the secret key")
		if err != nil {
			return nil, err
		}
		identities, err := age.ParseIdentities(strings.NewReader(string(data)))
		if err != nil {
			return nil, exit.With(fmt.Errorf("cannot use %s: it has no age secret key", o.identity), exit.Usage)
		}
		return identities, nil
	}
	text, err := readPassphrase(g, o.passphraseFile, "passphrase of the backup: ")
	if err != nil {
		return nil, err
	}
	identity, err := age.NewScryptIdentity(text)
	if err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	return []age.Identity{identity}, nil
}

// readPassphrase reads the first line of a file, or asks on the terminal.
func readPassphrase(g *globals, file, prompt string) (string, error) {
	if file == "" {
		text, err := readPassword(g, "", prompt)
		if err != nil && !canAsk(g) {
			err = exit.Hint(errors.New("there is no terminal to ask for the passphrase on"),
				"put it into a file that only root can read, and name that with --passphrase-file")
		}
		return text, exit.With(err, exit.Usage)
	}
	data, err := readPrivate(g, file, "the passphrase")
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

// readPrivate reads a file that no other user may read or write.
func readPrivate(g *globals, name, what string) ([]byte, error) {
	data, err := input(g, func() ([]byte, error) {
		file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return nil, err
		}
		owner := int(info.Sys().(*syscall.Stat_t).Uid)
		switch {
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s is no regular file", name)
		case info.Mode().Perm()&0o077 != 0 || owner != 0 && owner != os.Geteuid():
			return nil, exit.Hint(fmt.Errorf("others than root may read or change %s", name),
				"chown root "+name+"; chmod 600 "+name)
		}
		return problem.ReadAll(file, passwordFileLimit)
	})
	if err != nil {
		return nil, exit.With(fmt.Errorf("cannot read %s: %w", what, err), exit.Usage)
	}
	return data, nil
}
