package bundle

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// TestDatabaseServer has trees with the server where it is started and elsewhere, as a finished tree, and as a
// directory and an archive that are added to an import.
func TestDatabaseServer(t *testing.T) {
	for name, test := range map[string]struct {
		component string
		files     map[string]string // path -> target of a link; blank: a program
		hint      string            // blank: it can be started
	}{
		"mysql":                 {"mysql", map[string]string{"bin/mysqld": ""}, ""},
		"mariadb":               {"mariadb", map[string]string{"bin/mariadbd": ""}, ""},
		"a link":                {"mariadb", map[string]string{"bin/mysqld": "", "bin/mariadbd": "mysqld"}, ""},
		"a distribution's":      {"mariadb", map[string]string{"sbin/mariadbd": ""}, "{from: sbin, to: bin}"},
		"below usr":             {"mysql", map[string]string{"usr/sbin/mysqld": ""}, "{from: usr/sbin, to: bin}"},
		"mariadb's former name": {"mariadb", map[string]string{"bin/mysqld": ""}, "ln -s mysqld bin/mariadbd"},
		"a directory too many": {"mysql", map[string]string{"mysql-8/x/bin/mysqld": ""},
			"{from: mysql-8/x/bin, to: bin}"},
		"no server":              {"mysql", map[string]string{"bin/mysql": ""}, "archive for any Linux"},
		"no database, no matter": {"jdk", map[string]string{"bin/java": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := newSpool(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			tr := newTree(s)
			o := tr.merge(&Source{Path: "x"}, false)
			for file, target := range test.files {
				e := entry{path: file, kind: kindFile, mode: 0o755, size: 1}
				if target != "" {
					e = entry{path: file, kind: kindSymlink, target: target}
				}
				if err := tr.add(o, e, bytes.NewReader([]byte("x"))); err != nil {
					t.Fatal(err)
				}
			}
			c := &Component{Name: test.component}
			if err := tr.finish(c); err != nil {
				t.Fatal(err)
			}
			err = tr.checkServer(c)
			var refused *ServerError
			if errors.As(err, &refused) != (test.hint != "") || refused != nil &&
				!strings.Contains(refused.Hint(), test.hint) {
				t.Errorf("%v, want a hint with %q", err, test.hint)
			}
			if err := tr.checkServer(&Component{Name: test.component, StandIn: true}); err != nil {
				t.Errorf("a stand-in: %v", err)
			}
		})
	}
}

// TestAddedDatabaseServer refuses a database that could not be started when it is imported.
func TestAddedDatabaseServer(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "good/bin/mariadbd"), []byte("server"))
	writeFile(t, filepath.Join(dir, "bad/sbin/mariadbd"), []byte("server"))
	good := writeFile(t, filepath.Join(dir, "good.tar.gz"), compress(t, "gz",
		makeTar(t, d("m/"), f("m/bin/mariadbd", "x"))))
	bad := writeFile(t, filepath.Join(dir, "bad.tar.gz"), compress(t, "gz",
		makeTar(t, d("m/"), f("m/sbin/mariadbd", "x"))))
	for _, test := range []struct {
		path  string
		strip int
		want  string
	}{
		{filepath.Join(dir, "good"), 0, ""}, {good, 1, ""},
		{filepath.Join(dir, "bad"), 0, "sbin/mariadbd"}, {bad, 1, "sbin/mariadbd"}, {good, 0, "m/bin/mariadbd"},
	} {
		err := checkAddedServer(Added{Component: "mariadb", Version: "10.11.6", Path: test.path}, test.strip)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), "it has "+test.want) {
			t.Errorf("%s, strip %d: %v, want %q", test.path, test.strip, err, test.want)
		}
	}
}
