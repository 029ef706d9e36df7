package deploy

import (
	"errors"
	"path"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/redact"
)

// TestSecretsOfAnUnfinishedChangeAreKnown: a change of passwords that was cut off has left values that no other file
// has.
func TestSecretsOfAnUnfinishedChangeAreKnown(t *testing.T) {
	i := openTree(t, t.TempDir())
	put := func(name, text string) {
		t.Helper()
		if err := errors.Join(i.host.MkdirAll(path.Dir(name), host.FileMode{Perm: 0o700}),
			i.host.WriteFile(name, []byte(text), host.FileMode{Perm: 0o600})); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := KnownSecrets(i.host, i.cmd.Base); err != nil || len(got) > len(cluster.SecretNames()) {
		t.Errorf("nothing is installed: %d, %v", len(got), err)
	}
	handed := Handover{Role: cluster.RoleHost, Party: 10000}
	handed.Secrets.Set("mysql_user", cluster.NewSecret("handed-over-value"))
	data, err := handed.Encode()
	if err != nil {
		t.Fatal(err)
	}
	layout := i.Layout()
	put(layout.SecretHandover(), string(data))
	var was, is cluster.Secrets
	was.Set("mysql_user", cluster.NewSecret("the-former-value"))
	is.Set("mysql_user", cluster.NewSecret("the-present-value"))
	records := cluster.SecretRecords{}
	records.Begin(was, is)
	if data, err = records.Encode(); err != nil {
		t.Fatal(err)
	}
	put(layout.SecretRecords(), string(data))
	secrets, err := KnownSecrets(i.host, i.cmd.Base)
	if err != nil {
		t.Fatal(err)
	}
	text := redact.New(secrets).Text("login with handed-over-value, then the-former-value")
	if want := "login with " + redact.Hidden + ", then " + redact.Hidden; text != want {
		t.Errorf("%q, want %q", text, want)
	}
	put(layout.SecretHandover(), "{")
	if _, err := KnownSecrets(i.host, i.cmd.Base); err == nil {
		t.Error("a damaged file is taken for one without passwords")
	}
}
