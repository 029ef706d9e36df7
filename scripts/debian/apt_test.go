package debian

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sum = "bda81cb1c5b538e19eed27462fa8df577684b9cdc4fe40cee8d1da9cbc0fe76b"

func TestParseStanza(t *testing.T) {
	const whole = "Package: mariadb-server-core\nVersion: 1:10.11.19-0+deb12u1\nArchitecture: amd64\nDepends: " +
		"libc6\nSize: 7342456\nSHA256: " + sum
	want := Package{Name: "mariadb-server-core", Version: "1:10.11.19-0+deb12u1",
		File: "mariadb-server-core_1%3a10.11.19-0+deb12u1_amd64.deb", Size: 7342456, SHA256: sum}
	if got, err := parseStanza(whole); err != nil || got != want {
		t.Errorf("parseStanza = %+v, %v, want %+v", got, err, want)
	}
	for _, key := range []string{"Version", "Architecture", "Size", "SHA256"} {
		if _, err := parseStanza(strings.Replace(whole, key, "X-"+key, 1)); err == nil {
			t.Errorf("no error for a package without %s", key)
		}
	}
	if got, err := parseStanza(""); err != nil || got.Name != "" {
		t.Errorf("an empty stanza gave %+v, %v", got, err)
	}
}

func TestUpstreamVersion(t *testing.T) {
	for debian, want := range map[string]string{
		"1:10.11.19-0+deb12u1":  "10.11.19",
		"17.0.21.1+2-1~deb12u1": "17.0.21.1",
		"3.8.0-11+deb12u2":      "3.8.0",
		"1.41.3+ds-1":           "1.41.3",
		"1.0":                   "1.0",
	} {
		if got := (Package{Version: debian}).Upstream(); got != want {
			t.Errorf("upstream version of %s is %s, want %s", debian, got, want)
		}
	}
}

func TestDownloadUsesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	d := Package{Name: "empty", Version: "1", File: "empty_1_all.deb", Size: 1,
		SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
	for _, name := range []string{d.File, "empty_0_all.deb"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := Download(t.Context(), dir, map[string]Package{d.Name: d}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != d.File {
		t.Errorf("files after download: %v, %v; want only %s", entries, err, d.File)
	}
	if err := os.WriteFile(filepath.Join(dir, d.File), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.check(dir); err == nil || !strings.Contains(err.Error(), "SHA256") {
		t.Errorf("check of a changed package: %v", err)
	}
}
