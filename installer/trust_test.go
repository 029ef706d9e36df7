package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/payload"
)

// TestTrustInAnAppliance: what install and verify say about the maker of an appliance, and what they refuse.
func TestTrustInAnAppliance(t *testing.T) {
	newKey := func() (string, *payload.PrivateKey) {
		public, private, err := payload.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		return public.String(), &private
	}
	maker, makerKey := newKey()
	_, otherKey := newKey()
	versions := map[string]string{"jdk": "8u345", "eggroll": "2.5.3"}
	unsigned := applianceOf(t, versions)
	second, third := signedAppliance(t, versions, makerKey, 2), signedAppliance(t, versions, makerKey, 3)
	foreign := signedAppliance(t, versions, otherKey, 9)
	root := machine(t)
	install := func(appliance string, more ...string) []string {
		return append([]string{"install", "--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88",
			"--waive", "port:9370=test"}, more...)
	}
	verify := func(appliance string, more ...string) []string {
		return append([]string{"bundle", "verify", appliance}, more...)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"verify unsigned", verify(unsigned), exit.OK, "not signed: nothing proves who made this appliance"},
		{"verify unsigned, required", verify(unsigned, "--require-signature"), exit.Usage, "no public key is known"},
		{"verify signed without a key", verify(second), exit.OK, "not checked: give the public key with --pubkey"},
		{"verify signed", verify(second, "--pubkey", maker, "--require-signature"), exit.OK, "signed with key"},
		{"verify unsigned with a key", verify(unsigned, "--pubkey", maker), exit.Payload, "it is not signed"},
		{"install of another maker", install(foreign, "--pubkey", maker), exit.Payload, "cannot trust"},
		{"install", install(second, "--pubkey", maker), exit.OK, "appliance: signed with key"},
		{"verify with the kept key", verify(unsigned), exit.Payload, "it is not signed"},
		{"again without the key", install(second, "--require-signature"), exit.OK, "appliance: signed with key"},
		{"unsigned later", install(unsigned), exit.Payload, "it is not signed"},
		{"of another maker later", install(foreign), exit.Payload, "cannot trust"},
		{"a higher revision", install(third), exit.OK, "appliance: signed with key"},
		{"a lower revision", install(second), exit.Payload,
			"revision is 2, and revision 3 of the same maker was installed here"},
		{"verify a lower revision", verify(second), exit.Payload, "revision 3"},
		{"a lower revision on purpose", install(second, "--allow-older"), exit.OK, "appliance: signed with key"},
		{"the key forgotten", install(unsigned, "--pubkey", "none"), exit.OK, "appliance: not signed"},
		{"of another maker, unchecked", install(foreign), exit.OK, "not checked"},
		{"no key", install(unsigned, "--pubkey", "RWQbad"), exit.Usage, "cannot read the public key"},
	} {
		stdout, stderr, code := runCLI(t, root, "", c.args...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", c.name, code, c.code, c.want, stdout, stderr)
		}
	}
}

// What is kept is the text of a key: the name of a file with another key is none.
func TestKeptKeyIsText(t *testing.T) {
	public, _, err := payload.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(public.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (deploy.Trust{Key: file}).PublicKey(); err == nil ||
		!strings.Contains(err.Error(), "kept with the installation") {
		t.Errorf("a file's name is taken for a key: %v", err)
	}
	if key, err := (deploy.Trust{Key: public.String()}).PublicKey(); err != nil || !key.Equal(public) {
		t.Errorf("the key is %v, %v", key, err)
	}
	if key, err := (deploy.Trust{}).PublicKey(); err != nil || key != nil {
		t.Errorf("no key is %v, %v", key, err)
	}
}
