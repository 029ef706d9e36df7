package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
)

// runCLI runs one command line on a temporary machine and returns what it printed and its exit code.
func runCLI(t *testing.T, root, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	g := &globals{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs}
	code = execute(context.Background(), g, append([]string{"--root", root}, args...))
	return out.String(), errs.String(), code
}

func mustRunCLI(t *testing.T, root, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := runCLI(t, root, stdin, args...)
	if code != exit.OK {
		t.Fatalf("%s: exit code %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// machine is an empty directory tree that stands for a host.
func machine(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	makeMachine(t, root)
	return root
}

// makeMachine makes the files of machine.
func makeMachine(t *testing.T, root string) {
	t.Helper()
	for name, content := range map[string]string{
		"etc/passwd":   "root:x:0:0::/root:/bin/sh\napp:x:6000:6000::/home/app:/bin/bash\n",
		"etc/group":    "root:x:0:\napps:x:6000:\n",
		"proc/meminfo": "MemTotal: 16384000 kB\n", "etc/os-release": "ID=debian\nVERSION_ID=\"12\"\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var threeSides = []string{"init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.0.2", "--exchange",
	"192.168.0.88", "--tls", "host,exchange"}

func TestInitPipedIntoRenderForEachHost(t *testing.T) {
	root := machine(t)
	cluster := mustRunCLI(t, root, "", threeSides...)
	for ip, want := range map[string][]string{
		"192.168.0.1": {"data/projects/fate/conf/service_conf.yaml",
			"data/projects/fate/fateboard/conf/application.properties"},
		"192.168.0.2":  {"data/projects/fate/eggroll/conf/route_table.json"},
		"192.168.0.88": {"data/projects/common/supervisord/supervisord.d/fate-rollsite.conf"},
	} {
		out := filepath.Join(t.TempDir(), "tree")
		first := mustRunCLI(t, root, cluster, "render", "--config", "-", "--ip", ip, "--fate-version",
			"1.11.4", "--out", out)
		for _, name := range want {
			if _, err := os.Stat(filepath.Join(out, name)); err != nil {
				t.Error(err)
			}
			if !strings.Contains(first, name) {
				t.Errorf("%s is not listed", name)
			}
		}
		again := filepath.Join(t.TempDir(), "tree")
		mustRunCLI(t, root, cluster, "render", "--config", "-", "--ip", ip, "--fate-version", "1.11.4", "--out", again)
		compareTrees(t, out, again)
	}
}

func compareTrees(t *testing.T, a, b string) {
	t.Helper()
	err := filepath.WalkDir(a, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		one, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		other, err := os.ReadFile(filepath.Join(b, strings.TrimPrefix(name, a)))
		if err != nil {
			return err
		}
		if !bytes.Equal(one, other) {
			t.Errorf("%s differs between two renderings", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestInitWritesANewPrivateFile(t *testing.T) {
	root, file := machine(t), filepath.Join(t.TempDir(), "cluster.yaml")
	mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1", "--out", file)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if _, stderr, code := runCLI(t, root, "", "init", "--host",
		"10000:192.168.0.1", "--out", file); code != exit.Usage || !strings.Contains(stderr, "it exists") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if _, stderr, code := runCLI(t, root, "", "init"); code != exit.Usage || !strings.Contains(stderr,
		"--host 10000:") {
		t.Errorf("without flags and terminal: exit code %d: %s", code, stderr)
	}
	if _, stderr, code := runCLI(t, root, "", "init", "--host", "192.168.0.1"); code != exit.Usage ||
		!strings.Contains(stderr, "--host") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestInitFromAnsibleFATE(t *testing.T) {
	root := machine(t)
	setup := "fate/fatetest/testdata/upstream/setup-conf/scenario6-three-sides-tls-host-exchange/setup.conf"
	cluster := mustRunCLI(t, root, "", "init", "--from", setup)
	for _, want := range []string{"partyid: 10000", "partyid: 9999", "exchange:", "server_secure: true", "dbpasswd: "} {
		if !strings.Contains(cluster, want) {
			t.Errorf("no %q", want)
		}
	}
	if published := mustRunCLI(t, root, "", "init", "--from", setup,
		"--upstream-passwords"); !strings.Contains(published, "fate_deV2999") {
		t.Error("--upstream-passwords has no effect")
	}
	mustRunCLI(t, root, cluster, "config", "check", "--config", "-")
}

func TestConfigCheckListsEveryMistake(t *testing.T) {
	root := machine(t)
	_, stderr, code := runCLI(t, root, "host:\n  partyid: x\n  rollsit: {}\n  ip: 127.0.0.1\n", "config",
		"check", "--config", "-")
	if code != exit.Usage {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"-:2:12: ", "-:3:3: ", "-:4:7: "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %s in\n%s", want, stderr)
		}
	}
}

func TestMistakesAreAListInJSON(t *testing.T) {
	stdout, _, code := runCLI(t, machine(t), "host:\n  partyid: x\n  rollsit: {}\n", "config", "check", "--config",
		"-", "-o", "json")
	var doc struct {
		Problems []struct {
			File, Message, Fix string
			Line, Column       int
		}
	}
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil || code != exit.Usage {
		t.Fatalf("exit code %d, %v:\n%s", code, err, stdout)
	}
	var found bool
	for _, p := range doc.Problems {
		found = found || p.File == "-" && p.Line == 3 && p.Column == 3 && p.Fix == `did you mean "rollsite"?`
	}
	if !found {
		t.Errorf("%+v", doc.Problems)
	}
}

func TestConfigShowHidesPasswordsAndNamesOrigins(t *testing.T) {
	root := machine(t)
	cluster := mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1", "--upstream-passwords")
	out := mustRunCLI(t, root, cluster, "config", "show", "--config", "-", "--ip", "192.168.0.1", "--origins")
	if strings.Contains(strings.ReplaceAll(out, "published", ""), "fate_deV2999") {
		t.Error("a password is shown")
	}
	for _, want := range []string{"host.rollsite.port", "-:", "default", "published with AnsibleFATE",
		"this host: host 10000 at 192.168.0.1"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var doc struct {
		Values []struct{ Path, Value, Origin string }
		Host   struct{ Role string }
	}
	if err := json.Unmarshal([]byte(mustRunCLI(t, root, cluster, "config", "show", "--config", "-", "--ip",
		"192.168.0.1", "-o", "json")), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Values) < 30 || doc.Host.Role != "host" {
		t.Errorf("%d values, role %q", len(doc.Values), doc.Host.Role)
	}
}

func TestRenderDiffAgainstTheHost(t *testing.T) {
	root := machine(t)
	cluster := mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1")
	render := func(extra ...string) (string, int) {
		out, _, code := runCLI(t, root, cluster, append([]string{"render", "--config", "-", "--ip", "192.168.0.1",
			"--fate-version", "1.11.4"}, extra...)...)
		return out, code
	}
	if out, code := render("--diff"); code != 3 || !strings.Contains(out,
		"missing: /data/projects/fate/conf/service_conf.yaml") {
		t.Errorf("on an empty host: exit code %d\n%s", code, out)
	}
	if _, code := render("--out", root); code != exit.OK {
		t.Fatalf("cannot write the tree: exit code %d", code)
	}
	if out, code := render("--diff"); code != exit.OK {
		t.Errorf("nothing has changed: exit code %d\n%s", code, out)
	}
	edit := func(name, old, new string) {
		file := filepath.Join(root, name)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.Replace(data, []byte(old), []byte(new), 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edit("data/projects/fate/eggroll/conf/route_table.json", `"port": 9360`, `"port": 9361`)
	edit("data/projects/fate/conf/service_conf.yaml", "max_connections: 100", "max_connections: 200")
	out, code := render("--diff")
	if code != 3 || !strings.Contains(out, `-          "port": 9361`) ||
		!strings.Contains(out, "service_conf.yaml (holds passwords") || strings.Contains(out, "max_connections") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if out, _ := render("--diff", "--show-secrets"); !strings.Contains(out, "-  max_connections: 200") {
		t.Errorf("--show-secrets does not show\n%s", out)
	}
}

func TestRenderNeedsToKnowTheVersion(t *testing.T) {
	_, stderr, code := runCLI(t, machine(t), "host: {partyid: 1, ip: 10.0.0.1}", "render", "--config", "-", "--ip",
		"10.0.0.1", "--out", t.TempDir())
	if code != exit.Usage || !strings.Contains(stderr, "--fate-version") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	_, stderr, code = runCLI(t, machine(t), "host: {partyid: 1, ip: 10.0.0.1}", "render", "--config", "-", "--ip",
		"10.0.0.1", "--fate-version", "3.1", "--out", t.TempDir())
	if code != exit.Usage || !strings.Contains(stderr, "the known releases are") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestKeysAreMadeCheckedAndInstalled(t *testing.T) {
	root := machine(t)
	cluster := mustRunCLI(t, root, "", threeSides...)
	dir := filepath.Join(t.TempDir(), "keys")
	mustRunCLI(t, root, cluster, "keys", "--config", "-", "--out", dir)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "host.tar.gz")
	mustRunCLI(t, root, cluster, "keys", "check", "--config", "-", "--role", "host", archive)
	if _, stderr, code := runCLI(t, root, cluster, "keys", "check", "--config", "-", "--role",
		"exchange", archive); code != exit.Usage || !strings.Contains(stderr, "there are no keys of the exchange") {
		t.Errorf("keys of the host for the exchange: exit code %d: %s", code, stderr)
	}
	mustRunCLI(t, root, cluster, "keys", "install", "--config", "-", "--ip", "192.168.0.1", archive)
	installed := filepath.Join(root, "data/projects/data/fate/keys/host-server.key")
	if info, err := os.Stat(installed); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if _, stderr, code := runCLI(t, root, cluster, "keys", "--config", "-", "--out", dir); code != exit.Usage ||
		!strings.Contains(stderr, "it exists") {
		t.Errorf("keys are overwritten: exit code %d: %s", code, stderr)
	}
	renewed := filepath.Join(t.TempDir(), "renewed")
	mustRunCLI(t, root, cluster, "keys", "--config", "-", "--renew", filepath.Join(dir, "ca"), "--out", renewed)
	for _, name := range []string{"ca/fate_host-exchange.pem", "host/host-ca.pem"} {
		old, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		now, err := os.ReadFile(filepath.Join(renewed, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(old, now) {
			t.Errorf("renewal changes %s", name)
		}
	}
}

func TestKeysBetweenTwoOrganisations(t *testing.T) {
	root, dir := machine(t), t.TempDir()
	one := mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1", "--tls", "host", "--host-default",
		"192.168.0.2:9371:secure")
	two := mustRunCLI(t, root, "", "init", "--guest", "9999:192.168.0.2", "--tls", "guest", "--guest-default",
		"192.168.0.1:9371:secure")
	mustRunCLI(t, root, one, "keys", "--config", "-", "--out", filepath.Join(dir, "host"))
	mustRunCLI(t, root, two, "keys", "--config", "-", "--from-peer", filepath.Join(dir, "host", "for-peer"), "--out",
		filepath.Join(dir, "guest"))
	mustRunCLI(t, root, two, "keys", "check", "--config", "-", "--role", "guest", filepath.Join(dir, "guest", "guest"))
	// The host, which made its keys first, takes what the guest hands over, under its own CA.
	mustRunCLI(t, root, one, "keys", "--config", "-", "--renew", filepath.Join(dir, "host", "ca"), "--from-peer",
		filepath.Join(dir, "guest", "for-peer"), "--out", filepath.Join(dir, "host2"))
	mustRunCLI(t, root, one, "keys", "check", "--config", "-", "--role", "host",
		filepath.Join(dir, "host2", "host.tar.gz"))
	if _, stderr, code := runCLI(t, root, "host: {partyid: 1, ip: 10.0.0.1}", "keys", "--config", "-", "--out",
		filepath.Join(dir, "none")); code != exit.Usage || !strings.Contains(stderr,
		"no side of the cluster file uses TLS") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestQuestionsOfInit(t *testing.T) {
	var asked bytes.Buffer
	g := &globals{Stdin: strings.NewReader(
		"10000\n10000:192.168.0.1\n9999:192.168.0.2\n\n192.168.0.1, 192.168.0.3\n\nhost, guest\n"), Stderr: &asked}
	var in cluster.InitOptions
	if err := ask(g, &in); err != nil {
		t.Fatal(err)
	}
	if in.Host == nil || in.Guest == nil || in.Exchange != nil || len(in.Host.Flows) != 2 || len(in.Guest.Flows) != 1 ||
		len(in.TLS) != 2 {
		t.Errorf("the answers become %+v", in)
	}
	if !strings.Contains(asked.String(), "write the party id and the address") {
		t.Errorf("a wrong answer is not explained:\n%s", asked.String())
	}
	if err := ask(&globals{Stdin: strings.NewReader(""), Stderr: &asked}, &in); err == nil {
		t.Error("the end of the input is taken for an answer")
	}
}
