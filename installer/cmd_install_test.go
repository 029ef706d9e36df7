package main

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/payload"
)

// smallProgram is the least that an appliance accepts as its program: an ELF header and one program header.
func smallProgram() []byte {
	b := make([]byte, 256)
	copy(b, "\x7fELF\x02\x01\x01")
	machine := map[string]uint16{"amd64": 62, "arm64": 183}[runtime.GOARCH]
	for at, v := range map[int]uint16{16: 2, 18: machine, 54: 56, 56: 1} {
		binary.LittleEndian.PutUint16(b[at:], v)
	}
	binary.LittleEndian.PutUint64(b[32:], 64)
	binary.LittleEndian.PutUint64(b[64+32:], uint64(len(b)))
	return b
}

// programOf is the program of an appliance, which tells it from other appliances: the text is in no part that is run.
func programOf(versions map[string]string) []byte {
	b := smallProgram()
	copy(b[128:], versions["eggroll"])
	return b
}

// smallAppliance is an appliance whose components have one file each, enough to install an exchange into a tree.
func smallAppliance(t *testing.T) string {
	t.Helper()
	return applianceOf(t, map[string]string{"jdk": "8u345", "eggroll": "2.5.3"})
}

// applianceOf is smallAppliance with other components and versions; the file of each, README, tells its version.
func applianceOf(t *testing.T, versions map[string]string) string {
	t.Helper()
	return signedAppliance(t, versions, nil, 0)
}

// signedAppliance is applianceOf with a signature, unless the key is nil, and a revision.
func signedAppliance(t *testing.T, versions map[string]string, key *payload.PrivateKey, revision int64) string {
	t.Helper()
	return buildAppliance(t, versions, "", key, revision)
}

// applianceWith is applianceOf with a text behind the version in each file.
func applianceWith(t *testing.T, versions map[string]string, text string) string {
	t.Helper()
	return buildAppliance(t, versions, text, nil, 0)
}

func buildAppliance(t *testing.T, versions map[string]string, text string,
	key *payload.PrivateKey, revision int64) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "appliance"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := payload.NewWriter(file, bytes.NewReader(programOf(versions)), payload.WriterOptions{
		Release: payload.Release{FATE: "1.11.4", Platform: "linux/" + runtime.GOARCH,
			Env: map[string]string{"FATE": "1.11.4", "EGGROLL": versions["eggroll"]}, Revision: revision},
		Level: 1, Workers: 1, Key: key,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		version := versions[name]
		var stream bytes.Buffer
		content := version + text
		tw := tar.NewWriter(&stream)
		if err := tw.WriteHeader(&tar.Header{Name: "README", Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := tw.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.AddComponent(t.Context(), payload.Component{Name: name, Version: version}, &stream); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

const installedKeysDir = "data/projects/data/fate/keys"

// TestInstallTakesKeysAndRemembersThem installs an exchange with TLS into a tree: without keys it is refused, with them
// they are installed, a re-run keeps them, and new ones replace them even after a file was edited.
func TestInstallTakesKeysAndRemembersThem(t *testing.T) {
	root, dir, appliance := machine(t), t.TempDir(), smallAppliance(t)
	cluster := mustRunCLI(t, root, "", threeSides...)
	for _, name := range []string{"first", "second"} {
		mustRunCLI(t, root, cluster, "keys", "--config", "-", "--out", filepath.Join(dir, name))
	}
	first, second := filepath.Join(dir, "first", "exchange.tar.gz"), filepath.Join(dir, "second", "exchange")
	install := func(args ...string) (stdout, stderr string, code int) {
		t.Helper()
		return runCLI(t, root, cluster,
			append([]string{"--payload", appliance, "--config", "-", "--ip", "192.168.0.88"}, args...)...)
	}

	_, stderr, code := install()
	for _, want := range []string{"cannot install: the exchange uses TLS", "fate-installer keys --config",
		"--keys keys/exchange.tar.gz"} {
		if code != exit.Usage || !strings.Contains(stderr, want) {
			t.Errorf("without keys: exit code %d, no %q in\n%s", code, want, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "data")); err == nil {
		t.Error("something was done before the keys were missed")
	}
	for _, bad := range []string{filepath.Join(dir, "first", "host.tar.gz"), filepath.Join(dir, "nothing"), appliance} {
		if _, stderr, code := install("--keys", bad); code != exit.Usage {
			t.Errorf("%s: exit code %d\n%s", bad, code, stderr)
		}
	}

	if out, stderr, code := install("--keys", first); code != exit.OK {
		t.Fatalf("with keys: exit code %d\n%s%s", code, out, stderr)
	}
	keysAre(t, root, filepath.Join(dir, "first", "exchange"))

	out, stderr, code := install()
	if code != exit.OK || !strings.Contains(out, "nothing to do") {
		t.Errorf("a re-run without --keys: exit code %d\n%s%s", code, out, stderr)
	}
	edited := filepath.Join(root, installedKeysDir, "exchange-server.key")
	if err := os.WriteFile(edited, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, stderr, code := install(); code != exit.OK || !strings.Contains(out, "note: exchange-server.key") {
		t.Errorf("with a damaged key: exit code %d\n%s%s", code, out, stderr)
	}
	if out, stderr, code := install("--keys", second); code != exit.OK {
		t.Errorf("with new keys: exit code %d\n%s%s", code, out, stderr)
	}
	keysAre(t, root, second)
}

// keysAre compares the installed keys with the ones in a directory.
func keysAre(t *testing.T, root, dir string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(root, installedKeysDir))
	if err != nil || len(files) != 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		installed := filepath.Join(root, installedKeysDir, f.Name())
		got, err := os.ReadFile(installed)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 || !bytes.Equal(got, want) {
			t.Errorf("%s: mode %v, as given %v, %v", f.Name(), info.Mode(), bytes.Equal(got, want), err)
		}
	}
}

// TestNotesAreShownWhereverThePlanIs: a published password is worth a remark in every command that reads the file.
func TestNotesAreShownWhereverThePlanIs(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	const text = "exchange: {ip: 192.168.0.88, rollsite: {route_table_key: fate, pool_size: 100}}"
	for _, verb := range []string{"plan", "check"} {
		args := []string{verb, "--payload", appliance, "--config", "-", "--ip", "192.168.0.88"}
		out, stderr, code := runCLI(t, root, text, args...)
		if code == exit.Usage || !strings.Contains(out, "note: -:1:") ||
			!strings.Contains(out, "pool_size is not applied") {
			t.Errorf("%s: exit code %d\n%s%s", verb, code, out, stderr)
		}
		out, _, _ = runCLI(t, root, text, append(args, "-o", "json")...)
		var doc struct{ Notes []string }
		if err := json.Unmarshal([]byte(out), &doc); err != nil ||
			!slices.ContainsFunc(doc.Notes, func(n string) bool { return strings.Contains(n, "pool_size") }) {
			t.Errorf("%s -o json: %v, notes %q", verb, err, doc.Notes)
		}
	}
}
