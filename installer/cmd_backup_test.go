package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/backup"
	"fate-installer/installer/exit"

	"filippo.io/age"
)

// emptyBackup writes a backup of an exchange, and a file with its passphrase.
func emptyBackup(t *testing.T) (file, passphrase string) {
	t.Helper()
	dir := t.TempDir()
	passphrase = filepath.Join(dir, "passphrase")
	if err := os.WriteFile(passphrase, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	to, err := age.NewScryptRecipient("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(10)
	m := *exampleBackup.Contents
	m.Database, m.Trees = nil, []backup.Tree{}
	file = filepath.Join(dir, m.FileName())
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := backup.Create(t.Context(), out, &m, &backup.Sealed{Site: []byte("{}")}, backup.Content{},
		[]age.Recipient{to}); err != nil {
		t.Fatal(err)
	}
	return file, passphrase
}

// TestBackupCommands looks at a backup, a damaged one and what is none by each command that reads them.
func TestBackupCommands(t *testing.T) {
	file, passphrase := emptyBackup(t)
	dir := filepath.Dir(file)
	run := func(args ...string) (int, string) {
		var out, errs strings.Builder
		g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
		code := execute(context.Background(), g, args)
		return code, out.String() + errs.String()
	}
	damaged := filepath.Join(dir, "damaged"+backup.Extension)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/3] ^= 1
	if err := os.WriteFile(damaged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	public, wrong := filepath.Join(dir, "public"), filepath.Join(dir, "wrong")
	for name, mode := range map[string]os.FileMode{public: 0o644, wrong: 0o600} {
		if err := os.WriteFile(name, []byte("another passphrase\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exit.OK, "party 10000", []string{"backup", "inspect", file}},
		{exit.OK, "is whole", []string{"backup", "verify", file}},
		{exit.OK, "is whole", []string{"backup", "verify", file, "--passphrase-file", passphrase}},
		{exit.OK, "host 10000", []string{"backup", "list", dir}},
		{exit.Payload, "sha256", []string{"backup", "verify", damaged}},
		{exit.Payload, "passphrase", []string{"backup", "verify", file, "--passphrase-file", wrong}},
		{exit.Usage, "chmod 600", []string{"backup", "verify", file, "--passphrase-file", public}},
		{exit.Usage, "passphrase", []string{"backup", "verify", file, "--identity", wrong}},
		{exit.Payload, "", []string{"backup", "verify", passphrase}},
		{exit.Usage, "one backup", []string{"backup", "verify"}},
		{exit.Usage, "cannot list", []string{"backup", "list", filepath.Join(dir, "none")}},
		{exit.OK, "it is a backup", []string{"version", "--payload", file}},
		{exit.Usage, "--out", []string{"backup", "create"}},
	} {
		code, text := run(c.args...)
		if code != c.code || !strings.Contains(text, c.want) {
			t.Errorf("%q: exit code %d, want %d, and %q in\n%s", c.args, code, c.code, c.want, text)
		}
	}
	for _, args := range [][]string{{"backup", "inspect", file}, {"backup", "list", dir}, {"backup", "verify", file}} {
		args = append(args, "-o", "json")
		var out strings.Builder
		g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &strings.Builder{}}
		if code := execute(context.Background(), g, args); code != exit.OK {
			t.Errorf("%q: exit code %d", args, code)
		}
		checkDocument(t, args, out.String())
	}
	appliance := applianceOf(t, olderVersions)
	if code, text := run("backup", "inspect", appliance); code != exit.Payload ||
		!strings.Contains(text, "not a backup") {
		t.Errorf("of an appliance: exit code %d\n%s", code, text)
	}
}

// TestRecipients refuses what is no key, a passphrase that is short, and both.
func TestRecipients(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("12345\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	public := key.Recipient().String()
	for want, o := range map[string]sealOptions{
		"no age public key": {recipients: []string{"age1nonsense"}},
		"fewer than":        {passphraseFile: short},
		"name one of":       {passphraseFile: short, recipients: []string{public}},
		"no terminal":       {},
	} {
		_, _, err := o.recipientsOf(&globals{Stdin: strings.NewReader("")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	to, how, err := (&sealOptions{recipients: []string{public}}).recipientsOf(&globals{})
	if err != nil || how != backup.ByRecipient || len(to) != 1 {
		t.Errorf("%v, %s, %v", to, how, err)
	}
}
