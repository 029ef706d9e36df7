//go:build e2e

package appliance

import (
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fate-installer/payload"
	"fate-installer/payload/dynlink"
	"fate-installer/scripts/ldso"
)

// home is where the components are unpacked below the root of the bare host, each in a directory of its name.
const home = "/opt/components"

// TestDemoLoads asks the real dynamic loader about every ELF file of the demo, on a host with the C library and nothing
// else: what it finds is what package dynlink finds, and what it does not find is what the manifest says that the host
// must bring. It needs bin/fate-installer.
func TestDemoLoads(t *testing.T) {
	program, err := filepath.Abs("../../../bin/fate-installer")
	if err != nil {
		t.Fatal(err)
	}
	file, err := Build(t.Context(), program, MariaDB, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	p, err := payload.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	b := &bare{t: t, machine: map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]}
	if b.Host, err = ldso.NewHost(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(b.Root, home), 0o755); err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, c := range p.Manifest().Components {
		if err := p.Extract(t.Context(), c.Name, filepath.Join(b.Root, home, c.Name),
			payload.ExtractOptions{UID: -1, GID: -1, NoSync: true}); err != nil {
			t.Fatal(err)
		}
		n := b.compare(c)
		t.Logf("%s: %d ELF files, library path %q", c.Name, n, c.LibraryPath)
		files += n
	}
	if files < 100 {
		t.Errorf("only %d ELF files were compared", files)
	}
}

// bare is a host with the C library and the components of the demo.
type bare struct {
	*ldso.Host
	t       *testing.T
	machine elf.Machine
}

// Object reads a file as a program on the bare host would; none of the demo's links leads out of it.
func (b *bare) Object(file string) (*dynlink.Object, error) {
	if !strings.HasPrefix(path.Clean(file), home+"/") {
		return nil, nil
	}
	f, err := os.Open(filepath.Join(b.Root, file))
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	o, err := dynlink.Read(f, b.machine)
	if errors.Is(err, dynlink.ErrOther) {
		return nil, nil
	}
	return o, err
}

// compare asks about every ELF file of a component, and returns how many there are.
func (b *bare) compare(c payload.Component) (files int) {
	top := path.Join(home, c.Name)
	var libraryPath []string
	for _, dir := range c.LibraryPath {
		libraryPath = append(libraryPath, path.Join(top, dir))
	}
	s := &dynlink.Search{Files: b, LibraryPath: libraryPath, Lib: b.Lib, Platform: "x86_64",
		System: func(name string) bool {
			_, err := os.Stat(filepath.Join(b.Root, b.Lib, name))
			return err == nil || strings.HasPrefix(name, "ld-linux")
		}}
	needs := payload.Needs{}
	modules := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(b.Root, top), func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		file := strings.TrimPrefix(name, b.Root)
		o, err := b.Object(file)
		if o == nil {
			return err
		}
		files++
		missing := b.compareFile(s, file, o)
		for _, library := range missing {
			if o.IsProgram() {
				needs.Add(library, strings.TrimPrefix(file, top+"/"))
			} else {
				modules[library] = true
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	var recorded payload.Needs
	if c.Needs != nil {
		recorded = *c.Needs
	}
	if diff := cmp.Diff(needs.By, recorded.By); diff != "" {
		b.t.Errorf("%s: what programs need of the host (-loader +manifest):\n%s", c.Name, diff)
	}
	for _, library := range recorded.Modules {
		if !modules[library] {
			b.t.Errorf("%s: the loader finds %s for every file, and the manifest says it is the host's", c.Name,
				library)
		}
	}
	return files
}

// compareFile compares one file and returns the libraries that the loader does not find.
func (b *bare) compareFile(s *dynlink.Search, file string, o *dynlink.Object) (missing []string) {
	list, complaints, err := b.List(b.t.Context(), file, s.LibraryPath)
	if err != nil {
		b.t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]string{}
	for _, l := range list {
		want[l.Name] = path.Clean(l.Path)
		if strings.HasPrefix(l.Path, "/lib") {
			want[l.Name] = "the host"
		}
		if l.Path == "" {
			missing = append(missing, l.Name)
		}
	}
	r := s.List(file, o)
	for _, l := range r.Loaded[1:] {
		switch {
		case strings.HasPrefix(l.Name, "ld-linux"):
		case l.Object == nil:
			got[l.Name] = "the host"
		default:
			got[l.Name] = l.Path
		}
	}
	for _, m := range r.Missing {
		got[m.Name] = "."
	}
	for name, where := range want { // libraries that only those of the host need are not followed
		if got[name] == "" && where == "the host" {
			delete(want, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("%s (-loader +computed):\n%s%s", file, diff, complaints)
	}
	slices.Sort(missing)
	return missing
}
