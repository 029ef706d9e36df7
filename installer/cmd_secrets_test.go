package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// partyVersions are the components of a party on one host.
var partyVersions = map[string]string{
	"jdk": "8u345", "eggroll": "2.5.3", "mysql": "8.0.28", "python": "3.8.13", "fate": "1.11.4",
	"fateflow": "1.11.2", "fateboard": "1.11.2",
}

// partyTree is a tree with a whole host installed from a cluster file that has its passwords.
func partyTree(t *testing.T) (root, appliance, cluster string) {
	t.Helper()
	root, appliance = machine(t), applianceOf(t, partyVersions)
	addPrograms(t, root)
	cluster = mustRunCLI(t, root, "", "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.1.1")
	mustRunCLI(t, root, cluster, "install", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1")
	return root, appliance, cluster
}

// addPrograms gives a tree the programs that FATE's scripts call.
func addPrograms(t *testing.T, root string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bash", "ps", "awk", "getopt", "lsof", "kill", "xargs", "grep", "which"} {
		if err := os.WriteFile(filepath.Join(root, "usr/bin", name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

const stateDir = "data/projects/common/fate-installer"

// keptSecrets reads secrets.json.
func keptSecrets(t *testing.T, root string) cluster.Secrets {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, stateDir, "secrets.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := cluster.DecodeSecrets(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// filesWith lists the files of a tree, other than the installer's own, that have a text in them.
func filesWith(t *testing.T, root, text string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(name, stateDir) {
			return err
		}
		data, err := os.ReadFile(name)
		if bytes.Contains(data, []byte(text)) {
			out = append(out, filepath.Base(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// checkRotated makes sure that the files of a tree have the kept passwords and none of the former ones.
func checkRotated(t *testing.T, root string, was cluster.Secrets) {
	t.Helper()
	now := keptSecrets(t, root)
	for name, want := range map[string][]string{
		"mysql_root":      nil,
		"mysql_user":      {"eggroll.properties", "probe.cnf", "service_conf.yaml"},
		"route_table_key": {"eggroll.properties"},
		"fateboard_admin": {"application.properties"},
	} {
		if now.Get(name).Equal(was.Get(name)) {
			t.Errorf("%s is the former one", name)
		}
		if got := filesWith(t, root, now.Get(name).Reveal()); !slices.Equal(got, want) {
			t.Errorf("the new %s is in %q, want %q", name, got, want)
		}
		if got := filesWith(t, root, was.Get(name).Reveal()); len(got) > 0 {
			t.Errorf("the former %s is in %q", name, got)
		}
	}
}

// TestSecretsRotate changes every password of a party, and installs again with the cluster file that has the former
// ones.
func TestSecretsRotate(t *testing.T) {
	root, appliance, text := partyTree(t)
	was := keptSecrets(t, root)
	out := mustRunCLI(t, root, "", "secrets", "rotate", "all")
	for _, want := range []string{"changed    mysql_root, mysql_fate, route_table_key, fateboard",
		"eggroll.properties", "boot the tree"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	checkRotated(t, root, was)
	now := keptSecrets(t, root)
	for _, name := range cluster.SecretNames() {
		if strings.Contains(out, now.Get(name).Reveal()) {
			t.Errorf("%s is printed", name)
		}
	}
	again := mustRunCLI(t, root, text, "install", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1")
	if !strings.Contains(again, "nothing to do") || !strings.Contains(again,
		"the cluster file has a former mysql_fate") {
		t.Errorf("the cluster file of before changes something, or is not noted:\n%s", again)
	}
	checkRotated(t, root, was)
	for _, file := range []string{"secrets.json", "secret-records.json"} {
		if info, err := os.Stat(filepath.Join(root, stateDir, file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	if out := mustRunCLI(t, root, "", "uninstall", "--purge-data", "--yes"); strings.Contains(out, "  kept ") ||
		!strings.Contains(out, ", 0 kept, 0 left") {
		t.Errorf("a purge keeps something:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(root, stateDir, "secret-records.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("former passwords are left: %v", err)
	}
}

// TestSecretsRotateCutOff ends a rotation at each change of a file in turn, as a kill would: the same command again
// reaches the end state, and generates no second password once the first is stored.
func TestSecretsRotateCutOff(t *testing.T) {
	installed, _, _ := partyTree(t)
	was := keptSecrets(t, installed)
	killed := errors.New("killed")
	for n := 0; ; n++ {
		root := t.TempDir()
		if err := os.CopyFS(root, os.DirFS(installed)); err != nil {
			t.Fatal(err)
		}
		left := n
		var mu sync.Mutex // steps run at the same time
		err := rotateWith(t, root, func(op host.Op, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			// what the next run can see
			if left >= 0 && (op == host.OpWrite || op == host.OpRename || op == host.OpRemove) {
				left--
			}
			if left < 0 {
				return killed
			}
			return nil
		})
		if err != nil && !strings.Contains(err.Error(), killed.Error()) {
			t.Fatalf("after %d changes: %v", n, err)
		}
		generated := keptSecrets(t, root)
		mustRunCLI(t, root, "", "secrets", "rotate", "all")
		checkRotated(t, root, was)
		if now := keptSecrets(t, root); !generated.MySQLUser.Equal(was.MySQLUser) && len(now.Changed(generated)) > 0 {
			t.Errorf("after %d changes: %q are generated again", n, now.Changed(generated))
		}
		if err == nil {
			if n < 12 {
				t.Errorf("a rotation makes only %d changes", n)
			}
			t.Logf("cut off at each of %d changes", n)
			return
		}
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		if testing.Short() {
			n += 4
		}
	}
}

// rotateWith is secrets rotate all with faults.
func rotateWith(t *testing.T, root string, fault host.Fault) error {
	t.Helper()
	g := &globals{Root: root, Base: "/data", User: "app", Group: "apps", Output: outputText, LogLevel: "error",
		Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{},
		opened: func(h *host.Host) { h.InjectFaults(t, fault) }}
	return runSecretsRotate(t.Context(), g, &rotateOptions{}, []string{deploy.AllSecrets})
}

// TestSecretsRotateOnTwoHosts changes the shared passwords where the database is, and brings them to the other host.
func TestSecretsRotateOnTwoHosts(t *testing.T) {
	main, appliance, _ := partyTree(t)
	mustRunCLI(t, main, "", "uninstall", "--purge-data", "--yes")
	second := machine(t)
	addPrograms(t, second)
	cluster := mustRunCLI(t, main, "", "init", "--host", "10000:192.168.0.1", "--host-database", "192.168.0.2",
		"--guest", "9999:192.168.1.1")
	for root, ip := range map[string]string{main: "192.168.0.1", second: "192.168.0.2"} {
		mustRunCLI(t, root, cluster, "install", "--payload", appliance, "--config", "-", "--ip", ip)
	}
	was := keptSecrets(t, main)
	if _, stderr, code := runCLI(t, main, "", "secrets", "rotate", "mysql_fate"); code != exit.Usage ||
		!strings.Contains(stderr, "it is changed on 192.168.0.2 first") {
		t.Errorf("away from the database: %d %s", code, stderr)
	}
	var report struct {
		Handover string               `json:"handover"`
		Left     []deploy.SecretsLeft `json:"hosts_left"`
	}
	out := mustRunCLI(t, second, "", "secrets", "rotate", "all", "-o", "json")
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Left) != 1 || report.Left[0].Host != "192.168.0.1" || !slices.Equal(report.Left[0].Secrets,
		[]string{"mysql_fate"}) {
		t.Errorf("hosts that have the former ones: %+v", report.Left)
	}
	handover := filepath.Join(second, report.Handover)
	data, err := os.ReadFile(handover)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte(keptSecrets(t, second).MySQLRoot.Reveal())) {
		t.Error("the file for the other hosts has a password that they do not use")
	}
	if err := os.Chmod(handover, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := runCLI(t, main, "", "secrets", "rotate", "--from", handover); code != exit.Usage ||
		!strings.Contains(stderr, "chmod 600") {
		t.Errorf("a file that others can read: %d %s", code, stderr)
	}
	if err := os.Chmod(handover, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRunCLI(t, main, "", "secrets", "rotate", "--from", handover)
	now := keptSecrets(t, main)
	if !now.MySQLUser.Equal(keptSecrets(t, second).MySQLUser) || now.MySQLUser.Equal(was.MySQLUser) ||
		!now.RouteTableKey.Equal(was.RouteTableKey) {
		t.Error("the other host did not take the shared password, or more than it")
	}
	if got := filesWith(t, main, was.MySQLUser.Reveal()); len(got) > 0 {
		t.Errorf("the former password is in %q", got)
	}
}

func TestSecretsNeedAnInstallation(t *testing.T) {
	for _, args := range [][]string{{"list"}, {"rotate", "all"}} {
		_, stderr, code := runCLI(t, t.TempDir(), "", append([]string{"secrets"}, args...)...)
		if code != exit.Usage || !strings.Contains(stderr, "nothing is installed here below /data") ||
			!strings.Contains(stderr, "install first") {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
	}
}

func TestSecretsRotateRefusals(t *testing.T) {
	root, _, _ := partyTree(t)
	foreign := filepath.Join(t.TempDir(), "foreign.json")
	if err := os.WriteFile(foreign,
		[]byte(`{"schema": 1, "role": "guest", "party": 9999, "secrets": {"mysql_user": "x"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	public, noSecrets := filepath.Join(t.TempDir(), "public.json"), filepath.Join(t.TempDir(), "settings")
	if err := errors.Join(os.WriteFile(noSecrets, []byte("not for root alone"), 0o644), os.WriteFile(public,
		[]byte(`{"schema": 1, "role": "host", "party": 10000, "secrets": {"mysql_user": "x"}}`), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"rotate"}, "no secret is named"},
		{[]string{"rotate", "mysql"}, `there is no secret "mysql": there are mysql_root, mysql_fate, `},
		{[]string{"list", "x"}, `unexpected argument "x"`},
		{[]string{"rotate", "--from", public}, "chmod 600 " + public},
		{[]string{"rotate", "--from", noSecrets}, "it is not a file that secrets rotate wrote"},
		{[]string{"rotate", "zookeeper"}, "this side does not use it"},
		{[]string{"rotate", "--from", foreign}, "guest of party 9999"},
		{[]string{"rotate", "--from", "/nonexistent"}, "/nonexistent"},
	} {
		if _, stderr, code := runCLI(t, root, "", append([]string{"secrets"}, tt.args...)...); code != exit.Usage ||
			!strings.Contains(stderr, tt.want) {
			t.Errorf("%q: exit code %d, %s", tt.args, code, stderr)
		}
	}
	properties := filepath.Join(root, "data/projects/fate/eggroll/conf/eggroll.properties")
	data, err := os.ReadFile(properties)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(properties, append(data, "eggroll.edited=1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	was := keptSecrets(t, root)
	if _, stderr, code := runCLI(t, root, "", "secrets", "rotate", "route_table_key"); code != exit.Usage ||
		!strings.Contains(stderr, "--force-config") {
		t.Errorf("an edited file: exit code %d, %s", code, stderr)
	}
	if len(keptSecrets(t, root).Changed(was)) > 0 {
		t.Error("a refused rotation changed something")
	}
	if out := mustRunCLI(t, root, "", "secrets", "rotate", "route_table_key", "--force-config", "-o",
		"json"); !strings.Contains(out, `"route_table_key"`) {
		t.Errorf("with --force-config: %s", out)
	}
}

func TestSecretsList(t *testing.T) {
	root, _, _ := partyTree(t)
	out := mustRunCLI(t, root, "", "secrets", "list", "-o", "json")
	var list struct{ Secrets []listedSecret }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range list.Secrets {
		names = append(names, s.Name)
		if s.Since == nil || s.Unfinished || s.From != "cluster file" {
			t.Errorf("%+v", s)
		}
	}
	if want := []string{"mysql_root", "mysql_fate", "route_table_key", "fateboard"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	kept := keptSecrets(t, root)
	text := mustRunCLI(t, root, "", "secrets", "list")
	for _, secret := range kept.All() {
		if strings.Contains(out+text, secret.Reveal()) {
			t.Error("a value is shown")
		}
	}
}

func FuzzDecodeHandedSecrets(f *testing.F) {
	f.Add([]byte(`{"schema": 1, "role": "host", "party": 10000, "secrets": {"mysql_user": "x", "zookeeper": "y"}}`))
	f.Add([]byte(`{"schema": 1, "secrets": {"mysql_user": "\u0000"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := deploy.DecodeHandover(data)
		if err != nil {
			return
		}
		once, err := h.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := deploy.DecodeHandover(once)
		if err != nil && len(h.Secrets.All()) > 0 {
			t.Fatalf("cannot read %s: %v", once, err)
		}
		if err == nil && len(again.Secrets.Changed(h.Secrets)) > 0 {
			t.Errorf("%s is read as something else", once)
		}
	})
}
