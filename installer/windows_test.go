package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/payload"
)

// TestTextFilesOfWindows reads every kind of text that a person writes with the byte order mark of Windows' editors.
func TestTextFilesOfWindows(t *testing.T) {
	const mark = "\ufeff"
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(mark+text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cluster := "host:\r\n  partyid: 10000\r\n  ip: 192.168.0.1\r\n"
	if stdout, stderr, code := runCLI(t, dir, mark+cluster, "config", "check", "--config", "-"); code != exit.OK {
		t.Errorf("from standard input: exit %d\n%s%s", code, stdout, stderr)
	}
	if stdout, stderr, code := runCLI(t, dir, "", "config", "check", "--config", write("cluster.yaml",
		cluster)); code != exit.OK {
		t.Errorf("from a file: exit %d\n%s%s", code, stdout, stderr)
	}
	if password, err := readPassword(&globals{}, write("password", "secret\r\n"), ""); err != nil ||
		password != "secret" {
		t.Errorf("password %q, %v", password, err)
	}
	if data, _, err := readHandedFile(&globals{}, write("handover.json", "{}")); err != nil || string(data) != "{}" {
		t.Errorf("handover %q, %v", data, err)
	}
	const key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
	if got, err := payload.ReadPublicKey(write("key.pub", key+"\r\n")); err != nil ||
		!strings.Contains(got.String(), key) {
		t.Errorf("public key %v, %v", got, err)
	}
	if stdout, stderr, code := runCLI(t, dir, "\xff\xfeh\x00o\x00s\x00t\x00:\x00", "config", "check", "--config",
		"-"); code != exit.Usage ||
		!strings.Contains(stderr, "UTF-16") {
		t.Errorf("UTF-16: exit %d\n%s%s", code, stdout, stderr)
	}
}
