package bundle

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fate-installer/scripts/ldso"
)

// compiler makes ELF files in a directory.
type compiler struct {
	t   testing.TB
	gcc string
	dir string
}

func newCompiler(t testing.TB) *compiler {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil || runtime.GOARCH != "amd64" {
		t.Skip("needs gcc on amd64")
	}
	return &compiler{t, gcc, t.TempDir()}
}

// library makes a shared library with a function of its name, which calls the functions of other libraries.
func (c *compiler) library(out, soname, function string, args ...string) {
	c.t.Helper()
	c.compile(out, "int "+function+"(void) { return 1; }", append([]string{"-shared", "-fPIC", "-Wl,-soname," + soname},
		args...)...)
}

func (c *compiler) program(out string, args ...string) {
	c.t.Helper()
	c.compile(out, "int main(void) { return 0; }", append([]string{"-Wl,--allow-shlib-undefined"}, args...)...)
}

func (c *compiler) compile(out, source string, args ...string) {
	c.t.Helper()
	file := writeFile(c.t, filepath.Join(c.dir, "source.c"), []byte(source))
	target := filepath.Join(c.dir, out)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(c.gcc, append([]string{"-o", target, file, "-Wl,--no-as-needed"}, args...)...)
	cmd.Dir = c.dir
	if text, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("gcc: %v: %s", err, text)
	}
}

func (c *compiler) link(name, target string) {
	c.t.Helper()
	if err := os.Symlink(target, filepath.Join(c.dir, name)); err != nil {
		c.t.Fatal(err)
	}
}

// Flags for a DT_RPATH, which the libraries of an object inherit, and a DT_RUNPATH, which they do not.
func rpath(dirs string) []string   { return []string{"-Wl,--disable-new-dtags", "-Wl,-rpath," + dirs} }
func runpath(dirs string) []string { return []string{"-Wl,--enable-new-dtags", "-Wl,-rpath," + dirs} }

// searches makes a tree that has a program for each rule of the loader.
func searches(t testing.TB) *compiler {
	c := newCompiler(t)
	c.library("tree/lib/libb.so.1", "libb.so.1", "b")
	c.library("tree/lib/liba.so.1.2", "liba.so.1", "a", "tree/lib/libb.so.1")
	c.link("tree/lib/liba.so.1", "liba.so.1.2")
	c.link("tree/lib64", "lib")
	c.library("outside/libout.so.1", "libout.so.1", "out")
	c.library("tree/private/libp.so.1", "libp.so.1", "p", append(runpath("$ORIGIN"), "tree/lib/libb.so.1")...)
	c.library("tree/other/libb.so.1", "libb.so.1", "b2")
	c.library("tree/lib/module.so", "module.so", "module", "outside/libout.so.1", "tree/lib/libb.so.1")
	c.library("tree/deep/one/two/libdeep.so", "libdeep.so", "deep",
		append(rpath("$ORIGIN/../../../lib"), "tree/lib/liba.so.1")...)
	a, b, p, out := "tree/lib/liba.so.1", "tree/lib/libb.so.1", "tree/private/libp.so.1", "outside/libout.so.1"
	c.program("tree/bin/plain", a)
	c.program("tree/bin/rpath", append(rpath("$ORIGIN/../lib"), a)...)
	c.program("tree/bin/runpath", append(runpath("$ORIGIN/../lib"), a)...)
	c.program("tree/bin/runpath-all", append(runpath("$ORIGIN/../lib"), a, b)...)
	c.program("tree/bin/braces", append(rpath("${ORIGIN}/../lib64"), a)...)
	c.program("tree/bin/lib-token", append(rpath("$ORIGIN/../$LIB"), a)...)
	c.program("tree/bin/outside", append(rpath("$ORIGIN/../../outside:$ORIGIN/../lib"), out, a)...)
	c.program("tree/bin/absolute", append(rpath("/opt/elsewhere:/usr/lib"), a)...)
	c.program("tree/bin/relative", append(rpath("lib::$ORIGIN/none"), a)...)
	c.program("tree/bin/inherits-over-runpath", append(rpath("$ORIGIN/../private:$ORIGIN/../lib"), p)...)
	c.program("tree/bin/first-wins", append(rpath("$ORIGIN/../other:$ORIGIN/../lib"), a)...)
	c.program("tree/bin/other-machine", append(rpath("$ORIGIN/../i386:$ORIGIN/../lib"), a)...)
	c.program("tree/bin/none-at-all")
	c.program("tree/deep/program", append(rpath("$ORIGIN/one/two"), "tree/deep/one/two/libdeep.so")...)
	for _, name := range []string{"liba.so.1", "libb.so.1"} {
		makeStub(t, filepath.Join(c.dir, "tree/i386", name), elf.EM_AARCH64)
	}
	makeELF32(t, filepath.Join(c.dir, "tree/i386/libb.so.1"))
	return c
}

// makeELF32 writes the header of a 32-bit file.
func makeELF32(t testing.TB, name string) {
	header := make([]byte, 64)
	copy(header, elf.ELFMAG)
	header[4], header[5], header[6] = byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	binary.LittleEndian.PutUint16(header[16:], uint16(elf.ET_DYN))
	binary.LittleEndian.PutUint16(header[18:], uint16(elf.EM_386))
	writeFile(t, name, header)
}

// treeOf reads a directory as the sources of a component are read.
func treeOf(t testing.TB, dir string) *tree {
	t.Helper()
	s, err := newSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	tr := newTree(s)
	o := tr.merge(&Source{Path: dir}, false)
	err = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, file)
		switch {
		case d.IsDir():
			return tr.add(o, entry{path: rel, kind: kindDir, mode: modeDir}, nil)
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(file)
			if err != nil {
				return err
			}
			return tr.add(o, entry{path: rel, kind: kindSymlink, mode: 0o777, target: target}, nil)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return tr.add(o, entry{path: rel, kind: kindFile, mode: 0o755, size: int64(len(data))}, bytes.NewReader(data))
	})
	if err == nil {
		err = tr.finish(&Component{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestLoaderAgrees compares what is computed of a tree with what the real loader says of it, file by file: on a host
// that has the C library and nothing else, without a library path and with one.
func TestLoaderAgrees(t *testing.T) {
	c := searches(t)
	root := t.TempDir()
	h, err := ldso.NewHost(root)
	if err != nil {
		t.Skip(err)
	}
	const home = "/opt/component"
	if err := os.CopyFS(filepath.Join(root, home), os.DirFS(filepath.Join(c.dir, "tree"))); err != nil {
		t.Fatal(err)
	}
	e := treeOf(t, filepath.Join(c.dir, "tree")).readELF("linux/amd64")
	e.lib = h.Lib
	if len(e.programs) != 14 || len(e.others) < 6 {
		t.Fatalf("programs %q, others %q", e.programs, e.others)
	}
	for _, libraryPath := range [][]string{nil, {"lib"}, {"other", "lib64"}} {
		var absolute []string
		for _, dir := range libraryPath {
			absolute = append(absolute, home+"/"+dir)
		}
		for _, file := range slices.Concat(e.programs, e.others) {
			if strings.HasPrefix(file, "i386/") {
				continue // no more than a header
			}
			list, complaints, err := h.List(t.Context(), home+"/"+file, absolute)
			if errors.Is(err, ldso.ErrUnsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			for _, l := range list {
				want[l.Name] = strings.TrimPrefix(path.Clean(l.Path), home+"/")
				if isGlibc(l.Name) && !strings.HasPrefix(l.Path, home) {
					want[l.Name] = "the host"
				}
			}
			got := map[string]string{}
			r := e.list(file, libraryPath)
			for _, o := range r.Loaded[1:] {
				got[o.Name] = o.Path
				if o.Object == nil {
					got[o.Name] = "the host"
				}
			}
			for _, m := range r.Missing {
				got[m.Name] = "."
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s with library path %q (-loader +computed):\n%s%s", file, libraryPath, diff, complaints)
			}
		}
	}
}

// linkOf links a tree as Build does.
func linkOf(t testing.TB, dir string, c Component) (libraryPath []string, programs, modules []string, err error) {
	t.Helper()
	c.Name = "x"
	needs, libraryPath, err := treeOf(t, dir).link(&c, "linux/amd64")
	if needs != nil {
		programs, modules = needs.Programs, needs.Modules
	}
	return libraryPath, programs, modules, err
}

func TestLibraryPath(t *testing.T) {
	// A database as a distribution packs it: the server has no path of its own for its libraries.
	database := func(c *compiler) {
		c.library("out/liburing.so.2", "liburing.so.2", "uring")
		c.library("out/libaio.so.1", "libaio.so.1", "aio")
		c.program("tree/bin/server", "out/liburing.so.2", "out/libaio.so.1")
	}
	bring := func(c *compiler, dir string, names ...string) {
		for _, name := range names {
			data, err := os.ReadFile(filepath.Join(c.dir, "out", name))
			if err != nil {
				c.t.Fatal(err)
			}
			writeFile(c.t, filepath.Join(c.dir, "tree", dir, name), data)
		}
	}
	for name, test := range map[string]struct {
		make     func(c *compiler)
		lock     Component
		want     []string
		programs []string
		modules  []string
		refusal  string
		hint     string
	}{
		"computed": {make: func(c *compiler) { database(c); bring(c, "lib", "liburing.so.2", "libaio.so.1") },
			want: []string{"lib"}},
		"computed of two": {
			make: func(c *compiler) {
				database(c)
				bring(c, "lib/private", "liburing.so.2")
				bring(c, "lib64", "libaio.so.1")
			},
			want: []string{"lib/private", "lib64"},
		},
		"given": {make: func(c *compiler) { database(c); bring(c, "lib", "liburing.so.2", "libaio.so.1") },
			lock: Component{LibraryPath: []string{"lib"}}, want: []string{"lib"}},
		"given, but another": {
			make:    func(c *compiler) { database(c); bring(c, "lib", "liburing.so.2", "libaio.so.1") },
			lock:    Component{LibraryPath: []string{"bin"}},
			refusal: "liburing.so.2, which bin/server needs, is in lib, where the loader does not look for it",
			hint:    "library_path: [lib]",
		},
		"not brought": {
			make:    func(c *compiler) { database(c); bring(c, "lib", "libaio.so.1") },
			refusal: "liburing.so.2, which bin/server needs, is not in the component",
			hint:    "host_libraries: [liburing.so.2]",
		},
		"left to the host": {
			make: func(c *compiler) { database(c); bring(c, "lib", "libaio.so.1") },
			lock: Component{HostLibraries: []string{"liburing.so.*"}},
			want: []string{"lib"}, programs: []string{"liburing.so.2"},
		},
		"the same in two": {
			make: func(c *compiler) {
				database(c)
				bring(c, "lib", "liburing.so.2", "libaio.so.1")
				bring(c, "copies/of/it", "liburing.so.2", "libaio.so.1")
			},
			want: []string{"lib"},
		},
		"different ones in two": {
			make: func(c *compiler) {
				database(c)
				bring(c, "lib", "liburing.so.2")
				bring(c, "copies", "libaio.so.1")
				c.library("tree/lib/older/liburing.so.2", "liburing.so.2", "older")
			},
			refusal: "liburing.so.2, which bin/server needs, is in lib and lib/older", hint: "library_path: [lib]",
		},
		"a C library": {
			make: func(c *compiler) {
				database(c)
				bring(c, "lib", "liburing.so.2", "libaio.so.1")
				c.library("tree/lib/libc.so.6", "libc.so.6", "c")
			},
			refusal: "libc.so.6, which bin/server needs, is lib/libc.so.6: a C library works only with its own loader",
		},
		"of another version": {
			make: func(c *compiler) {
				writeFile(c.t, filepath.Join(c.dir, "new.map"), []byte("V_1 { global: v1; }; V_2 { global: v2; } V_1;"))
				writeFile(c.t, filepath.Join(c.dir, "old.map"), []byte("V_1 { global: v1; };"))
				c.compile("out/libv.so.1", "int v1(void) { return 1; } int v2(void) { return 2; }", "-shared", "-fPIC",
					"-Wl,-soname,libv.so.1", "-Wl,--version-script,new.map")
				c.compile("tree/bin/program", "int v2(void); int main(void) { return v2(); }", "out/libv.so.1")
				c.compile("tree/lib/libv.so.1", "int v1(void) { return 1; }", "-shared", "-fPIC",
					"-Wl,-soname,libv.so.1", "-Wl,--version-script,old.map")
			},
			refusal: "libv.so.1, which bin/program needs, is lib/libv.so.1, which lacks version V_2", hint: "version",
		},
		"a module's, from the tree's own lib": {
			make: func(c *compiler) {
				c.library("tree/lib/libyaml-0.so.2", "libyaml-0.so.2", "yaml")
				c.library("tree/lib/python3/_yaml.so", "_yaml.so", "module", "tree/lib/libyaml-0.so.2")
			},
			want: []string{"lib"},
		},
		"a module's, from a directory of the program's choice": {
			make: func(c *compiler) {
				c.library("tree/lib/server/libjvm.so", "libjvm.so", "jvm")
				c.library("tree/lib/libjava.so", "libjava.so", "java", "tree/lib/server/libjvm.so")
			},
			modules: []string{"libjvm.so"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCompiler(t)
			test.make(c)
			got, programs, modules, err := linkOf(t, filepath.Join(c.dir, "tree"), test.lock)
			var refused *LibraryError
			switch {
			case test.refusal == "":
				if err != nil || !slices.Equal(got, test.want) || !slices.Equal(programs, test.programs) ||
					!slices.Equal(modules, test.modules) {
					t.Errorf("library path %q, programs need %q, modules %q, %v; want %q, %q, %q", got, programs,
						modules, err, test.want, test.programs, test.modules)
				}
			case !errors.As(err, &refused) || !strings.Contains(err.Error(), test.refusal) ||
				!strings.Contains(refused.Hint(), test.hint):
				t.Errorf("error %v, want %q and a hint of %q", err, test.refusal, test.hint)
			}
		})
	}
}

// A program's own word for a library that only one of its libraries needs names both.
func TestNeedsNamePrograms(t *testing.T) {
	c := newCompiler(t)
	c.library("out/libx.so.1", "libx.so.1", "x")
	c.library("tree/lib/liba.so.1", "liba.so.1", "a", "out/libx.so.1")
	c.program("tree/bin/two", "tree/lib/liba.so.1")
	c.program("tree/bin/one", "tree/lib/liba.so.1")
	needs, _, err := treeOf(t, filepath.Join(c.dir, "tree")).link(&Component{Name: "x", HostLibraries: []string{"*"}},
		"linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"libx.so.1": {"bin/one", "bin/two"}}, needs.By); diff != "" {
		t.Errorf("programs that need it (-want +got):\n%s", diff)
	}
	if names := slices.Sorted(maps.Keys(needs.By)); !slices.Equal(names, needs.Programs) {
		t.Errorf("by names %q, programs %q", names, needs.Programs)
	}
}
