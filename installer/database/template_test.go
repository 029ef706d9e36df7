package database

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"fate-installer/installer/engine"
	"fate-installer/scripts/mysqlserver"
)

// eachOwnServer runs a test against servers in directories of the test's own, in which it may write.
func eachOwnServer(t *testing.T, test func(t *testing.T, s Server, env *engine.Env)) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a server as another user")
	}
	if testing.Short() {
		t.Skip("long: it makes and starts a database several times")
	}
	for _, source := range mysqlserver.Sources() {
		mariaDB := source.Name == "MariaDB of this machine"
		if !mariaDB && source.Name != "MySQL "+mysqlserver.V8012.Version &&
			source.Name != "MySQL "+mysqlserver.V8015.Version {
			continue
		}
		t.Run(source.Name, func(t *testing.T) {
			if os.Getenv(allServersVariable) == "" && !mariaDB {
				t.Skipf("long; make test-mysql, which sets %s, runs it", allServersVariable)
			}
			server := source.ForTest(t)
			s := Server{Flavour: FlavourMySQL, Home: server.Home, LibraryPath: server.LibraryPath}
			if server.MariaDB {
				s.Flavour = FlavourMariaDB
			}
			s.Program, _ = filepath.Rel(server.Home, server.Program())
			onServer(t, s, test)
		})
	}
}

// carry makes a template with the server and puts it where a component has it. It returns the names in it.
func carry(t *testing.T, env *engine.Env, s Server) []string {
	t.Helper()
	maker := s
	maker.User, maker.Data = "", filepath.Join(t.TempDir(), "made")
	must(t, os.Mkdir(maker.Data, 0o700))
	var out, log bytes.Buffer
	if err := maker.WriteTemplate(t.Context(), env.Host, &log, &out); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	place(t, s, out.Bytes())
	z, err := zstd.NewReader(&out)
	must(t, err)
	defer z.Close()
	var names []string
	for r := tar.NewReader(z); ; {
		e, err := r.Next()
		if err == io.EOF {
			return names
		}
		must(t, err)
		names = append(names, e.Name)
		if e.Mode&0o007 != 0 && e.Name != templateHeadName {
			t.Errorf("%s is open to everybody: %o", e.Name, e.Mode)
		}
	}
}

func place(t *testing.T, s Server, template []byte) {
	t.Helper()
	file := filepath.Join(s.Home, TemplateFile)
	must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(t, os.WriteFile(file, template, 0o644))
}

func initLog(t *testing.T, d Init) string {
	t.Helper()
	text, err := os.ReadFile(d.Log)
	must(t, err)
	return string(text)
}

const copiedLine = "copied the data directory that the component carries"

func TestTemplate(t *testing.T) {
	eachOwnServer(t, func(t *testing.T, s Server, env *engine.Env) {
		for _, name := range carry(t, env, s) {
			if hostsOwn(name) || name == datadirMark {
				t.Errorf("the template has %s, which is a host's own", name)
			}
		}
		d := testInit(s)
		applied(t, env, d)
		if log := initLog(t, d); !strings.Contains(log, copiedLine) {
			t.Errorf("the template was not used:\n%s", log)
		}
		checkModes(t, s)
		checkOwners(t, env, s)
		socket := running(t, env, s)
		if err := login(t, env, socket, rootAccount, "").Ping(); !serverError(err, errAccessDenied,
			errAccessNoPassword) {
			t.Errorf("root without password: %v", err)
		}
		root := login(t, env, socket, rootAccount, testRootPassword)
		var schemas int
		must(t, root.QueryRow("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'test'").
			Scan(&schemas))
		if schemas != 0 {
			t.Error("the test database is there")
		}
		if s.Flavour == FlavourMySQL {
			checkIdentity(t, env, s)
		}
	})
}

// checkOwners makes sure that all of a data directory is the server's user's and that others cannot read what the
// template brought.
func checkOwners(t *testing.T, env *engine.Env, s Server) {
	t.Helper()
	must(t, filepath.WalkDir(s.Data, func(file string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o007 != 0 && !strings.HasSuffix(file, ".pem") {
			t.Errorf("%s is open to everybody: %v", file, info.Mode())
		}
		if owner, _, _ := env.Host.Owner(file); owner != s.User {
			t.Errorf("%s belongs to %s", file, owner)
		}
		return err
	}))
}

// checkIdentity makes a second database from the same template: the server gives it another identity and other keys.
func checkIdentity(t *testing.T, env *engine.Env, s Server) {
	t.Helper()
	other := s
	other.Data = filepath.Join(filepath.Dir(s.Data), "other")
	applied(t, env, testInit(other))
	for _, name := range []string{"auto.cnf", "server-key.pem", "private_key.pem"} {
		one, err := os.ReadFile(filepath.Join(s.Data, name))
		must(t, err)
		two, err := os.ReadFile(filepath.Join(other.Data, name))
		must(t, err)
		if bytes.Equal(one, two) {
			t.Errorf("two hosts have the same %s", name)
		}
	}
}

// TestTemplateInterrupted ends the context at more and more stages; there is never half a data directory.
func TestTemplateInterrupted(t *testing.T) {
	eachOwnServer(t, func(t *testing.T, s Server, env *engine.Env) {
		carry(t, env, s)
		interrupt(t, env, s, time.Millisecond, "it does not exist")
	})
}

// TestTemplateNotUsed: a template for other options, a damaged one, and one whose data no server starts on do not keep
// a host from having a database.
func TestTemplateNotUsed(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, s *Server){
		"other options": func(_ *testing.T, s *Server) {
			s.Format = []string{"--innodb-page-size=8192"}
		},
		"damaged": func(t *testing.T, s *Server) {
			file := filepath.Join(s.Home, TemplateFile)
			data, err := os.ReadFile(file)
			must(t, err)
			must(t, os.WriteFile(file, data[:len(data)/2], 0o644))
		},
		"not a database": func(t *testing.T, s *Server) {
			place(t, *s, template(t, tarHead(s.Flavour), tarFile("ibdata1", "no page of InnoDB")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachOwnServer(t, func(t *testing.T, s Server, env *engine.Env) {
				carry(t, env, s)
				spoil(t, &s)
				d := testInit(s)
				applied(t, env, d)
				if log := initLog(t, d); strings.Contains(log, copiedLine) != (name == "not a database") {
					t.Errorf("the log of the initialisation:\n%s", log)
				}
				running(t, env, s)
			})
		})
	}
}

type tarEntry struct {
	tar.Header
	body string
}

func tarHead(flavour Flavour) tarEntry {
	return tarFile(templateHeadName, fmt.Sprintf(`{"schema":1,"flavour":%q,"format":null}`, flavour))
}

func tarFile(name, body string) tarEntry {
	return tarEntry{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o4777, Size: int64(len(body))}, body}
}

func template(t *testing.T, entries ...tarEntry) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	must(t, err)
	w := tar.NewWriter(z)
	for _, e := range entries {
		must(t, w.WriteHeader(&e.Header))
		_, err := io.WriteString(w, e.body)
		must(t, err)
	}
	must(t, w.Close())
	must(t, z.Close())
	return out.Bytes()
}

// TestTemplateOfAStranger: the component's files belong to the service user, and root copies the template.
func TestTemplateOfAStranger(t *testing.T) {
	link := tarEntry{tar.Header{Name: "mysql", Typeflag: tar.TypeSymlink, Linkname: "/outside"}, ""}
	hard := tarEntry{tar.Header{Name: "passwd", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}, ""}
	device := tarEntry{tar.Header{Name: "sda", Typeflag: tar.TypeBlock, Devmajor: 8}, ""}
	head := tarHead(FlavourMySQL)
	for name, c := range map[string]struct {
		template []byte
		want     string
	}{
		"a link":              {template(t, head, link, tarFile("mysql/passwd", "x")), "neither file nor directory"},
		"a hard link":         {template(t, head, hard), "neither file nor directory"},
		"a device":            {template(t, head, device), "neither file nor directory"},
		"a path out of it":    {template(t, head, tarFile("../passwd", "x")), "no path in it"},
		"an absolute path":    {template(t, head, tarFile("/outside/passwd", "x")), "no path in it"},
		"the root":            {template(t, head, tarFile("a/..", "x")), "no path in it"},
		"a file twice":        {template(t, head, tarFile("a", "x"), tarFile("a", "y")), "file exists"},
		"no head":             {template(t, tarFile("ibdata1", "x")), `begins with "ibdata1"`},
		"a head that is none": {template(t, tarFile(templateHeadName, "[")), "cannot read"},
		"another flavour":     {template(t, tarHead(FlavourMariaDB)), errNoTemplate.Error()},
		"no zstd":             {[]byte("text"), "cannot read"},
		"nothing":             {nil, "cannot read"},
	} {
		t.Run(name, func(t *testing.T) {
			h := treeOf(t, map[string]string{"/outside/file": "kept", "/data/new/.keep": "",
				"/home/" + TemplateFile: string(c.template)})
			d := Init{Server: Server{Flavour: FlavourMySQL, Home: "/home"}}
			err := d.copyTemplate(t.Context(), h, "/data/new")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			for _, dir := range []string{"/outside", "/data"} {
				if entries, err := h.ReadDir(dir); err != nil || len(entries) != 1 {
					t.Errorf("%s has %v, %v", dir, entries, err)
				}
			}
		})
	}
}

// TestTemplateModes: the bits of the tar do not count.
func TestTemplateModes(t *testing.T) {
	h := treeOf(t, map[string]string{"/data/new/.keep": "",
		"/home/" + TemplateFile: string(template(t, tarHead(FlavourMySQL),
			tarEntry{tar.Header{Name: "mysql/", Typeflag: tar.TypeDir, Mode: 0o777}, ""}, tarFile("mysql/db", "abc")))})
	d := Init{Server: Server{Flavour: FlavourMySQL, Home: "/home"}}
	if err := d.copyTemplate(t.Context(), h, "/data/new"); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]os.FileMode{"mysql": 0o750 | os.ModeDir, "mysql/db": 0o640} {
		if info, err := h.Lstat("/data/new/" + file); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", file, info, err, want)
		}
	}
	if text, err := h.ReadFile("/data/new/mysql/db"); err != nil || string(text) != "abc" {
		t.Errorf("got %q, %v", text, err)
	}
}
