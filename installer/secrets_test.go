package main

import (
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/redact"
)

// TestSecretsOfAnUnfinishedChangeAreKnown: a change of passwords that was cut off has left values that no other file
// has.
func TestSecretsOfAnUnfinishedChangeAreKnown(t *testing.T) {
	root := t.TempDir()
	g := &globals{Root: root, Base: "/data"}
	if got, err := knownSecrets(g); err != nil || len(got) > len(cluster.SecretNames()) {
		t.Errorf("nothing is installed: %d, %v", len(got), err)
	}
	handed := handedSecrets{Role: cluster.RoleHost, Party: 10000}
	handed.Secrets.Set("mysql_user", cluster.NewSecret("handed-over-value"))
	data, err := handed.encode()
	if err != nil {
		t.Fatal(err)
	}
	layout := g.layout()
	put(t, root, layout.SecretHandover(), string(data))
	var was, is cluster.Secrets
	was.Set("mysql_user", cluster.NewSecret("the-former-value"))
	is.Set("mysql_user", cluster.NewSecret("the-present-value"))
	records := cluster.SecretRecords{}
	records.Begin(was, is)
	if data, err = records.Encode(); err != nil {
		t.Fatal(err)
	}
	put(t, root, layout.SecretRecords(), string(data))
	secrets, err := knownSecrets(g)
	if err != nil {
		t.Fatal(err)
	}
	text := redact.New(secrets).Text("login with handed-over-value, then the-former-value")
	if want := "login with " + redact.Hidden + ", then " + redact.Hidden; text != want {
		t.Errorf("%q, want %q", text, want)
	}
	put(t, root, layout.SecretHandover(), "{")
	if _, err := knownSecrets(g); err == nil {
		t.Error("a damaged file is taken for one without passwords")
	}
}
