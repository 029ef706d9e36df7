package mysqlserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/scripts/debian"
)

// Server is a database server in a directory of its own, which any user can run.
type Server struct {
	Name        string // for people: the server, its version and its origin
	MariaDB     bool
	Version     string
	Home        string   // basedir; bin has the program
	LibraryPath []string // directories below Home for LD_LIBRARY_PATH
}

// Program is the server's program.
func (s Server) Program() string {
	if s.MariaDB {
		return filepath.Join(s.Home, "bin", "mariadbd")
	}
	return filepath.Join(s.Home, "bin", "mysqld")
}

// Source is where a server comes from.
type Source struct {
	Name string
	get  func(ctx context.Context) (Server, error)
}

// Sources lists every server that tests can have: Oracle's own builds of MySQL 8.0, MySQL 9 of Debian sid, and MariaDB
// of this machine's Debian, of Debian 13 and of sid.
func Sources() []Source {
	return []Source{
		{"MySQL " + V8012.Version, V8012.server},
		{"MySQL " + V8015.Version, V8015.server},
		{"MySQL of Debian sid", debianSource("sid", "mysql-server-core", "mysqld")},
		{"MariaDB of this machine", installedMariaDB},
		{"MariaDB of Debian trixie", debianSource("trixie", "mariadb-server-core", "mariadbd")},
		{"MariaDB of Debian sid", debianSource("sid", "mariadb-server-core", "mariadbd")},
	}
}

// ForTest returns a server below a directory that ends with the test, and skips the test when it cannot be had. Its
// files are links to those of the cache: do not write into them.
func (s Source) ForTest(t testing.TB) Server {
	t.Helper()
	server, err := s.get(t.Context())
	if errors.Is(err, ErrUnavailable) || errors.Is(err, debian.ErrUnavailable) {
		t.Skipf("%s cannot be had: %v", s.Name, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(openTempDir(t), "server")
	if err := linkTree(server.Home, home); err != nil {
		t.Fatalf("cannot give the test a database server: %v", err)
	}
	server.Home = home
	return server
}

func (r Release) server(ctx context.Context) (Server, error) {
	home, err := Tree(ctx, r)
	name := "MySQL " + r.Version + ", Oracle's build"
	return Server{Name: name, Version: r.Version, Home: home, LibraryPath: []string{LibraryDir}}, err
}

// installedMariaDB makes a tree like a component's from the files of this machine's package.
func installedMariaDB(ctx context.Context) (Server, error) {
	program, err := exec.LookPath("mariadbd")
	if err != nil {
		return Server{}, fmt.Errorf("MariaDB is %w: there is no mariadbd on this machine", ErrUnavailable)
	}
	out, err := exec.CommandContext(ctx, program, "--no-defaults", "--version").Output()
	if err != nil {
		return Server{}, fmt.Errorf("cannot ask %s for its version: %w", program, err)
	}
	_, version, _ := strings.Cut(string(out), "Ver ")
	version, _, _ = strings.Cut(version, "-")
	home, err := cached("installed-mariadb-"+version, func(dir string) error {
		prefix := filepath.Dir(filepath.Dir(program))
		for _, name := range []string{"bin", "share"} {
			if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
				return err
			}
		}
		return errors.Join(linkTree(filepath.Join(prefix, "share/mysql"), filepath.Join(dir, "share/mysql")),
			linkTree(program, filepath.Join(dir, "bin/mariadbd")))
	})
	name := "MariaDB " + version + ", Debian of this machine"
	return Server{Name: name, MariaDB: true, Version: version, Home: home}, err
}

// debianSource is a server from a package of another release of Debian, with that release's C library and every other
// library next to it. Its program is started by that release's dynamic loader.
func debianSource(suite, name, program string) func(context.Context) (Server, error) {
	return func(ctx context.Context) (Server, error) {
		s, err := debian.OpenSuite(ctx, suite)
		if err != nil {
			return Server{}, err
		}
		tree, p, err := s.Tree(ctx, name)
		if err != nil {
			return Server{}, err
		}
		home, err := cached(strings.TrimSuffix(p.File, ".deb"), func(dir string) error {
			if err := os.Remove(dir); err != nil {
				return err
			}
			if err := linkTree(filepath.Join(tree, "usr"), dir); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "bin", program), []byte(fmt.Sprintf(loaderScript, program)), 0o755)
		})
		out := Server{MariaDB: program == "mariadbd", Version: p.Upstream(), Home: home}
		kind := "MySQL"
		if out.MariaDB {
			kind = "MariaDB"
		}
		out.Name = fmt.Sprintf("%s %s, Debian %s", kind, out.Version, suite)
		return out, err
	}
}

// loaderScript runs the program of sbin with the dynamic loader and the libraries of its own release.
const loaderScript = `#!/bin/sh
home=$(cd "${0%%/*}/.." && pwd -P) || exit 1
exec "$home/lib64/ld-linux-x86-64.so.2" --library-path "$home/lib/x86_64-linux-gnu" --argv0 "$0" "$home/sbin/%[1]s" "$@"
`

// FreePort returns a TCP port below those that the kernel gives to outgoing connections, and free when it was tried.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("found no free port")
	return 0
}
