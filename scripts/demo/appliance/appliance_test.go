package appliance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/bundle"
)

const sum = "bda81cb1c5b538e19eed27462fa8df577684b9cdc4fe40cee8d1da9cbc0fe76b"

func TestParseStanza(t *testing.T) {
	const whole = "Package: mariadb-server-core\nVersion: 1:10.11.19-0+deb12u1\nArchitecture: amd64\nDepends: libc6\nSize: 7342456\nSHA256: " + sum
	want := deb{name: "mariadb-server-core", version: "1:10.11.19-0+deb12u1", file: "mariadb-server-core_1%3a10.11.19-0+deb12u1_amd64.deb", size: 7342456, sha256: sum}
	if got, err := parseStanza(whole); err != nil || got != want {
		t.Errorf("parseStanza = %+v, %v, want %+v", got, err, want)
	}
	for _, key := range []string{"Version", "Architecture", "Size", "SHA256"} {
		if _, err := parseStanza(strings.Replace(whole, key, "X-"+key, 1)); err == nil {
			t.Errorf("no error for a package without %s", key)
		}
	}
	if got, err := parseStanza(""); err != nil || got.name != "" {
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
		if got := (deb{version: debian}).upstream(); got != want {
			t.Errorf("upstream version of %s is %s, want %s", debian, got, want)
		}
	}
}

func TestDownloadUsesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	d := deb{name: "empty", version: "1", file: "empty_1_all.deb", size: 1, sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
	for _, name := range []string{d.file, "empty_0_all.deb"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := download(t.Context(), dir, map[string]deb{d.name: d}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != d.file {
		t.Errorf("files after download: %v, %v; want only %s", entries, err, d.file)
	}
	if err := os.WriteFile(filepath.Join(dir, d.file), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.check(dir); err == nil || !strings.Contains(err.Error(), "SHA256") {
		t.Errorf("check of a changed package: %v", err)
	}
}

// The lock file has to be one that package bundle understands, and nothing in it may
// come from a place that is not said.
func TestLockFile(t *testing.T) {
	all, err := components()
	if err != nil {
		t.Fatal(err)
	}
	debs := make(map[string]deb)
	for _, name := range packageNames(all) {
		debs[name] = deb{name: name, version: "1.2-3", file: name + "_1.2-3_all.deb", size: 1, sha256: sum}
	}
	l := lockFile{Schema: 1, Release: lockRelease{FATE: fateVersion, Platform: "linux/amd64", Env: map[string]string{"FATE": fateVersion}}}
	for _, c := range all {
		l.Components = append(l.Components, c.lock(debs, debDir, standInDir))
	}
	data, err := l.encode()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := bundle.ParseLock("demo.lock.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	standIns := []string{"eggroll", "fate", "fateflow", "fateboard"}
	for _, c := range parsed.Components {
		if c.StandIn != slices.Contains(standIns, c.Name) {
			t.Errorf("component %s: stand_in is %v", c.Name, c.StandIn)
		}
		if c.License == "" || c.Version == "" {
			t.Errorf("component %s has license %q and version %q", c.Name, c.License, c.Version)
		}
		for _, s := range c.Sources {
			if s.Format == bundle.FormatDeb && !s.Locked() {
				t.Errorf("component %s: %s is not locked", c.Name, s.Path)
			}
		}
	}
}
