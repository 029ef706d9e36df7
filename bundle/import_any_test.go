package bundle

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAddedVersion(t *testing.T) {
	for name, want := range map[string]string{
		"mysql-8.0.28.tar.gz":                        "8.0.28",
		"jdk-8u345.tar.xz":                           "8u345",
		"Miniconda3-py38_4.12.0-Linux-x86_64.sh":     "py38_4.12.0",
		"apache-zookeeper-3.5.8-bin.tar.gz":          "3.5.8",
		"mysql-8.0.28-linux-glibc2.12-x86_64.tar.xz": "8.0.28",
		"nginx-1.24.0":                               "1.24.0",
		"cpython-3.8.20+20241002-x86_64-unknown-linux-gnu-install_only.tar.gz": "3.8.20+20241002",
		"nginx.tar.gz": "",
	} {
		got := ""
		if m := addedVersion().FindStringSubmatch(name); m != nil {
			got = m[1]
		}
		if got != want {
			t.Errorf("%s: version %q, want %q", name, got, want)
		}
	}
}

func TestParseFateEnv(t *testing.T) {
	got := parseFateEnv("FATE=1.11.3\r\n# X=1\nEGGROLL = \"2.5.2\"\nnot a line\n=x\nEMPTY=\nA=b=c\nBAD=\x07\n")
	want := map[string]string{"FATE": "1.11.3", "EGGROLL": "2.5.2", "A": "b=c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
}

// Any database that the product can run is a party's database: it is not missed then, and replaces the package's own.
func TestImportTakesAnyDatabase(t *testing.T) {
	dir := t.TempDir()
	whole := writeFile(t, filepath.Join(dir, "whole.tar.gz"), officialPackage(t))
	online := writeFile(t, filepath.Join(dir, "online.tar.gz"), officialPackage(t, "roles/mysql"))
	writeFile(t, filepath.Join(dir, "mariadb/bin/mariadbd"), []byte("server"))
	writeFile(t, filepath.Join(dir, "mysql/bin/mysqld"), []byte("server"))
	mariadb, mysql := Added{"mariadb", "10.11.6", filepath.Join(dir, "mariadb")},
		Added{"mysql", "8.4.1", filepath.Join(dir, "mysql")}
	for name, test := range map[string]struct {
		archive string
		added   []Added
		want    []string // components that are a database
		missing int
		err     string
	}{
		"the package's":     {archive: whole, want: []string{"mysql 8.0.28"}},
		"none":              {archive: online, missing: 1},
		"mariadb":           {archive: online, added: []Added{mariadb}, want: []string{"mariadb 10.11.6"}},
		"mysql":             {archive: online, added: []Added{mysql}, want: []string{"mysql 8.4.1"}},
		"mariadb for mysql": {archive: whole, added: []Added{mariadb}, want: []string{"mariadb 10.11.6"}},
		"another mysql":     {archive: whole, added: []Added{mysql}, want: []string{"mysql 8.4.1"}},
		"both": {archive: online, added: []Added{mysql, mariadb},
			err: "mariadb cannot be added together with mysql"},
	} {
		t.Run(name, func(t *testing.T) {
			o := ImportOptions{Archive: test.archive, Lock: filepath.Join(dir, "l.yaml"),
				Optional: []string{"miniconda", "pypi"}, Added: test.added}
			result, err := Import(context.Background(), o)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range result.Lock.Components {
				if c.Name == "mysql" || c.Name == "mariadb" {
					got = append(got, c.Name+" "+c.Version)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" || len(result.Missing) != test.missing {
				t.Errorf("missing %v, databases (-want +got):\n%s", result.Missing, diff)
			}
		})
	}
}
