package bundle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// databaseServers are the programs that the installer starts of the components that can be a party's database. It runs
// a program under its exact name, so a tree that has it elsewhere cannot be used.
var databaseServers = map[string]string{"mysql": "bin/mysqld", "mariadb": "bin/mariadbd"}

// DatabaseServers gives the program that is started of each component that can be a party's database, by its path in
// the tree.
func DatabaseServers() map[string]string {
	out := map[string]string{}
	for _, c := range databases {
		out[c] = databaseServers[c]
	}
	return out
}

// ServerError says that a database component lacks the program that the installer starts.
type ServerError struct {
	Component, Program string
	Found              []string // programs that might be it, by their paths in the tree
}

func (e *ServerError) Error() string {
	s := fmt.Sprintf("it has no program %s, which the installer starts", e.Program)
	if len(e.Found) > 0 {
		s += "; it has " + strings.Join(e.Found, ", ")
	}
	return s
}

// Hint says how to get such a tree.
func (e *ServerError) Hint() string {
	if len(e.Found) == 0 {
		return "take the server's own archive for any Linux; an archive with more than one directory on top needs " +
			"strip " +
			"in the lock file"
	}
	from := e.Found[0]
	if path.Dir(from) == path.Dir(e.Program) {
		return fmt.Sprintf("add the link to the tree: ln -s %s %s", path.Base(from), e.Program)
	}
	return fmt.Sprintf("move it, with rename in the lock file: {from: %s, to: %s}, or in the tree", path.Dir(from),
		path.Dir(e.Program))
}

// isServer reports whether a path of a tree is that of a database server, under any name and in any place.
func isServer(file string) bool {
	base, dir := path.Base(file), path.Base(path.Dir(file))
	return (base == "mysqld" || base == "mariadbd") && (dir == "bin" || dir == "sbin" || dir == "libexec")
}

// checkServer refuses a database whose server could not be started where it is.
func (t *tree) checkServer(c *Component) error {
	program := databaseServers[c.Name]
	if program == "" || c.StandIn {
		return nil
	}
	n := t.nodes[program]
	if n != nil && n.kind == kindSymlink {
		end, err := t.follow(n)
		if err == nil {
			n = t.nodes[end]
		}
	}
	if n != nil && n.kind == kindFile && n.mode&0o111 != 0 {
		return nil
	}
	e := &ServerError{Component: c.Name, Program: program}
	for _, n := range t.sorted() {
		if n.kind != kindDir && n.path != program && isServer(n.path) {
			e.Found = append(e.Found, n.path)
		}
	}
	return e
}

// checkAddedServer is checkServer for a directory or an archive that has not been unpacked. What is no archive is left
// to the build.
func checkAddedServer(a Added, strip int) error {
	program := databaseServers[a.Component]
	if program == "" {
		return nil
	}
	e := &ServerError{Component: a.Component, Program: program}
	look := func(file string) (found bool) {
		if file == program {
			return true
		}
		if isServer(file) {
			e.Found = append(e.Found, file)
		}
		return false
	}
	found := false
	if info, err := os.Stat(a.Path); err != nil || info.IsDir() {
		for _, dir := range []string{"bin", "sbin", "libexec", "usr/bin", "usr/sbin", "usr/libexec"} {
			for _, name := range []string{"mysqld", "mariadbd"} {
				if _, err := os.Stat(filepath.Join(a.Path, dir, name)); err == nil && look(path.Join(dir, name)) {
					found = true
				}
			}
		}
	} else if err := eachPath(a.Path, func(file string) {
		for range strip {
			_, file, _ = strings.Cut(file, "/")
		}
		found = look(file) || found
	}); errors.Is(err, errNoTar) {
		return nil
	} else if err != nil {
		return err
	}
	if found {
		return nil
	}
	return e
}

// eachPath calls use with the path of each entry of a tar.
func eachPath(file string, use func(string)) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("cannot read a component: %w", err)
	}
	defer f.Close()
	found, err := identify(file, FormatAuto, bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return &ArchiveError{Archive: file, Reason: "cannot read its format", Err: err}
	}
	defer found.archived.Close()
	if found.format != FormatTar {
		return errNoTar
	}
	return readTar(file, found.archived, func(e entry, _ io.Reader) error {
		use(e.path)
		return nil
	})
}

// errNoTar is given for a file that only a build can look into.
var errNoTar = errors.New("not a tar")
