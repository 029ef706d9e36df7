package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fate-installer/installer/exit"
)

// organisation is one side with disks of its own: a directory for what it makes and receives, and a tree for each
// host.
type organisation struct {
	role  string
	dir   string
	hosts map[string]string // address -> root
}

func newOrganisation(t *testing.T, role string, addresses ...string) *organisation {
	t.Helper()
	o := &organisation{role: role, dir: t.TempDir(), hosts: map[string]string{}}
	for _, a := range addresses {
		o.hosts[a] = machine(t)
		bash := filepath.Join(o.hosts[a], "usr/bin/bash")
		if err := os.MkdirAll(filepath.Dir(bash), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(bash, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// file is one that the organisation has.
func (o *organisation) file(name string) string { return filepath.Join(o.dir, name) }

// receive copies a file that another one sends.
func (o *organisation) receive(t *testing.T, from string) string {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := o.file(filepath.Base(from))
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

func (o *organisation) disks() []string {
	disks := []string{o.dir}
	for _, root := range o.hosts {
		disks = append(disks, root)
	}
	return disks
}

var (
	privateKeyText = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----(.*?)-----END`)
	writtenSecrets = regexp.MustCompile(`(?m)^ *(?:dbpasswd|passwd|mysql_root|route_table_key): "?([^"\n]+)"?$`)
)

// secrets are all private keys and passwords on the organisation's disks.
func (o *organisation) secrets(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	eachFile(t, o.disks(), func(name string, data []byte) {
		for _, m := range privateKeyText.FindAllSubmatch(data, -1) {
			found[strings.TrimSpace(string(m[1]))] = name
		}
		if filepath.Ext(name) == ".yaml" {
			for _, m := range writtenSecrets.FindAllSubmatch(data, -1) {
				found[string(m[1])] = name
			}
		}
		if filepath.Base(name) != "secrets.json" {
			return
		}
		var doc any
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		values, _ := doc.(map[string]any)
		for key, value := range values {
			if text, ok := value.(string); ok && text != "" {
				found[text] = name + ": " + key
			}
		}
	})
	return found
}

func eachFile(t *testing.T, dirs []string, look func(name string, data []byte)) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(name)
			look(name, data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoSideHasTheOthersSecrets installs two organisations from what init writes for each, with keys that each made
// for itself, and looks on every disk of one for the secrets of the other.
func TestNoSideHasTheOthersSecrets(t *testing.T) {
	appliance := applianceOf(t, map[string]string{
		"jdk": "8u345", "eggroll": "2.5.3", "python": "3.8.13", "fate": "1.11.4", "fateflow": "1.11.4",
		"fateboard": "1.11.2", "mysql": "8.0.28",
	})
	start := filepath.Join(t.TempDir(), "cluster")
	mustRunCLI(t, machine(t), "", "init", "--host", "10000:192.168.0.1", "--host-database", "192.168.0.3",
		"--guest", "9999:192.168.0.2",
		"--tls", "host,guest", "--out", start)
	host, guest := newOrganisation(t, "host", "192.168.0.1", "192.168.0.3"), newOrganisation(t, "guest",
		"192.168.0.2")
	for _, o := range []*organisation{host, guest} {
		o.receive(t, filepath.Join(start, o.role+".yaml"))
		o.receive(t, filepath.Join(start, "public.yaml"))
		mustRunCLI(t, machine(t), "", "keys", "request", "--config", o.file(o.role+".yaml"), "--out", o.file("keys"))
	}
	for _, pair := range [][2]*organisation{{host, guest}, {guest, host}} {
		o, peer := pair[0], pair[1]
		request := peer.receive(t, filepath.Join(o.file("keys"), o.role+"-request.pem"))
		mustRunCLI(t, machine(t), "", "keys", "sign", "--keys", peer.file("keys"), "--out",
			peer.file(o.role+"-answer.pem"), request)
		answer := o.receive(t, peer.file(o.role+"-answer.pem"))
		mustRunCLI(t, machine(t), "", "keys", "complete", "--config", o.file(o.role+".yaml"), "--config",
			o.file("public.yaml"), "--role", o.role,
			"--keys", o.file("keys"), answer)
		for address, root := range o.hosts {
			mustRunCLI(t, root, "", "install", "--payload", appliance, "--config", o.file(o.role+".yaml"), "--ip",
				address,
				"--keys", filepath.Join(o.file("keys"), o.role+".tar.gz"))
		}
	}
	for _, pair := range [][2]*organisation{{host, guest}, {guest, host}} {
		mine, theirs := pair[0], pair[1]
		secrets := mine.secrets(t)
		if len(secrets) < 6 { // two keys and a CA's, and three passwords at least
			t.Fatalf("the %s has only %d secrets", mine.role, len(secrets))
		}
		eachFile(t, theirs.disks(), func(name string, data []byte) {
			for secret, where := range secrets {
				if bytes.Contains(data, []byte(secret)) {
					t.Errorf("%s of the %s has a secret of the %s, from %s", name, theirs.role, mine.role, where)
				}
			}
		})
	}
	eachFile(t, []string{host.file("public.yaml")}, func(_ string, data []byte) {
		if m := writtenSecrets.Find(data); m != nil {
			t.Errorf("the public part has %s", m)
		}
	})
}

// TestKeysOfAnExchange has the exchange's CA sign the servers of the parties that it calls.
func TestKeysOfAnExchange(t *testing.T) {
	start := filepath.Join(t.TempDir(), "cluster")
	root := machine(t)
	mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.0.2", "--exchange",
		"192.168.0.88",
		"--tls", "host,guest,exchange", "--out", start)
	config := func(role string) string { return filepath.Join(start, role+".yaml") }
	keys := func(role string) string { return filepath.Join(start, role+"-keys") }
	mustRunCLI(t, root, "", "keys", "request", "--shared-ca", "--config", config("exchange"), "--out",
		keys("exchange"))
	mustRunCLI(t, root, "", "keys", "check", "--config", config("exchange"), "--role", "exchange",
		filepath.Join(keys("exchange"), "exchange.tar.gz"))
	for _, role := range []string{"host", "guest"} {
		answer := filepath.Join(start, role+"-answer.pem")
		mustRunCLI(t, root, "", "keys", "request", "--config", config(role), "--out", keys(role))
		request := filepath.Join(keys(role), role+"-request.pem")
		if _, stderr, code := runCLI(t, root, "", "keys", "sign", "--shared-ca", "--config", config("exchange"),
			"--keys", keys("exchange"), request); code != exit.Usage ||
			!strings.Contains(stderr, "public.yaml") {
			t.Errorf("without the public part: exit %d\n%s", code, stderr)
		}
		mustRunCLI(t, root, "", "keys", "sign", "--shared-ca", "--config", config("exchange"), "--config",
			config("public"), "--keys", keys("exchange"), "--out", answer, request)
		if _, stderr, code := runCLI(t, root, "", "keys", "complete", "--config", config(role), "--keys",
			keys(role), answer); code != exit.Usage ||
			!strings.Contains(stderr, "its CA would say whom this side accepts") {
			t.Errorf("a server's certificate that was not asked for: exit %d\n%s", code, stderr)
		}
		mustRunCLI(t, root, "", "keys", "complete", "--shared-ca", "--config", config(role), "--keys", keys(role),
			answer)
		mustRunCLI(t, root, "", "keys", "check", "--config", config(role), "--role", role, filepath.Join(keys(role),
			role+".tar.gz"))
	}
}

// TestKeyRequestsThatAreRefused: a request may ask for what is not the peer's, and be no request at all.
func TestKeyRequestsThatAreRefused(t *testing.T) {
	dir, root := t.TempDir(), machine(t)
	public := filepath.Join(dir, "public.yaml")
	mine, theirs := filepath.Join(dir, "mine"), filepath.Join(dir, "theirs")
	cluster := func(ip string) string {
		return "exchange: {ip: 192.168.0.88, rollsite: {server_secure: true, client_secure: true}}\n" +
			"host: {partyid: 10000, rollsite: {ips: [" + ip + "], server_secure: true, client_secure: true}}\n"
	}
	write := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	write(public, cluster("192.168.0.1"))
	mustRunCLI(t, root, "", "keys", "request", "--shared-ca", "--role", "exchange", "--config", public, "--out", mine)
	mustRunCLI(t, root, "", "keys", "request", "--role", "host", "--config", write(filepath.Join(dir, "other.yaml"),
		cluster("192.168.0.77")), "--out", theirs)
	request := filepath.Join(theirs, "host-request.pem")
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"another's address": {[]string{"keys", "sign", "--shared-ca", "--config", public, "--keys", mine, request},
			"cannot sign for 192.168.0.77: it is no address of the host in the cluster files (192.168.0.1)"},
		"no request": {[]string{"keys", "sign", "--keys", mine, public}, "it is no request"},
		"a private key": {[]string{"keys", "sign", "--keys", mine, filepath.Join(theirs, "host-server.key")},
			"which must never be sent"},
		"a certificate": {[]string{"keys", "sign", "--keys", mine, filepath.Join(theirs, "host-server.pem")},
			"cannot be read"},
		"no keys": {[]string{"keys", "sign", "--keys", dir, request}, "cannot read keys"},
		"the request itself": {[]string{"keys", "complete", "--role", "host", "--config", public, "--keys", theirs,
			request}, "cannot use the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			if stdout, stderr, code := runCLI(t, root, "", tt.args...); code != exit.Usage ||
				!strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, want %q\n%s%s", code, tt.want, stdout, stderr)
			}
		})
	}
}
