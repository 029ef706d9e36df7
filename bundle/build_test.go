package bundle

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"fate-installer/payload"
)

// lockFile writes a lock of the components' YAML in a new directory and returns its path.
func lockFile(t testing.TB, dir, components string) string {
	t.Helper()
	return writeFile(t, filepath.Join(dir, "demo.lock.yaml"), []byte(head+components))
}

// build fills and builds the lock at path, into out next to it.
func build(t testing.TB, file string, change func(*BuildOptions)) (BuildResult, string, error) {
	t.Helper()
	filled, err := Fill(context.Background(), FillOptions{File: file})
	if err != nil {
		return BuildResult{}, "", err
	}
	dir := filepath.Dir(file)
	lock, err := ReadLock(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(filled.Lock.withoutLines(), lock.withoutLines(),
		cmp.AllowUnexported(Component{}, Source{})); diff != "" {
		t.Errorf("the file and the result of Fill differ:\n%s", diff)
	}
	o := BuildOptions{Lock: lock, Out: filepath.Join(dir, "out.bin"),
		Stub: makeStub(t, filepath.Join(dir, "stub"), elf.EM_X86_64), Level: 1}
	if change != nil {
		change(&o)
	}
	result, err := Build(context.Background(), o)
	return result, o.Out, err
}

// contentOf unpacks one component of the appliance and lists it like find -ls: mode, type, path, content or target.
func contentOf(t testing.TB, appliance, component string) string {
	t.Helper()
	dir := extracted(t, appliance, component)
	var out bytes.Buffer
	if err := writeDirTar(context.Background(), &out, dir, newFilters(&Source{})); err != nil {
		t.Fatal(err)
	}
	return listTar(t, &out)
}

// listTar prints the entries of a tar, one a line.
func listTar(t testing.TB, r io.Reader) string {
	t.Helper()
	var s strings.Builder
	err := readTar("test", r, func(e entry, body io.Reader) error {
		s.WriteString(strings.Join([]string{modeString(e), e.path, e.target}, " "))
		if body != nil {
			text, err := io.ReadAll(body)
			if err != nil {
				return err
			}
			s.Write(text)
		}
		s.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.String()
}

func modeString(e entry) string {
	letter := map[kind]string{kindFile: "-", kindDir: "d", kindSymlink: "l", kindHardlink: "h"}[e.kind]
	const octal = "01234567"
	return letter + string([]byte{octal[e.mode>>9&7], octal[e.mode>>6&7], octal[e.mode>>3&7], octal[e.mode&7]})
}

func TestBuildFromEveryFormat(t *testing.T) {
	dir := t.TempDir()
	tarball := makeTar(t, d("top/"), fm("top/bin/run", "#!/bin/sh\n", 0o755), f("top/doc", "text"),
		l("top/bin/link", "../doc"), h("top/hard", "top/doc"))
	for _, codec := range []string{"gz", "xz", "zst", "plain"} {
		writeFile(t, filepath.Join(dir, "t."+codec), compress(t, codec, tarball))
	}
	bzip2, err := os.ReadFile("testdata/hello.tar.bz2") // Go has no encoder
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "t.bz2"), bzip2)
	writeFile(t, filepath.Join(dir, "t.zip"), makeZip(t, zipMember{"top/", "", os.ModeDir | 0o755},
		zipMember{"top/bin/run", "#!/bin/sh\n", 0o755},
		zipMember{"top/doc", "text", 0o644}, zipMember{"top/bin/link", "../doc", os.ModeSymlink | 0o777}))
	writeFile(t, filepath.Join(dir, "t.deb"), makeDeb(t, "amd64", "xz", d("./"), d("./top/"),
		fm("./top/bin/run", "#!/bin/sh\n", 0o755),
		f("./top/doc", "text"), l("./top/bin/link", "/top/doc"), h("./top/hard", "./top/doc")))
	writeFile(t, filepath.Join(dir, "tree/top/bin/run"), []byte("#!/bin/sh\n"))
	writeFile(t, filepath.Join(dir, "tree/top/doc"), []byte("text"))
	for _, err := range []error{
		os.Chmod(filepath.Join(dir, "tree/top/bin/run"), 0o755),
		os.Symlink("../doc", filepath.Join(dir, "tree/top/bin/link")),
		os.Link(filepath.Join(dir, "tree/top/doc"), filepath.Join(dir, "tree/top/hard")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(dir, "install.sh"), []byte("#!/bin/sh\n"))

	const tree = "d0755 bin \nl0777 bin/link ../doc\n-0755 bin/run #!/bin/sh\n\n-0644 doc text\n"
	const hard = "h0644 hard doc\n"
	tests := []struct{ source, want string }{
		{"t.gz", tree + hard},
		{"t.xz", tree + hard},
		{"t.zst", tree + hard},
		{"t.plain", tree + hard},
		{"t.deb", tree + hard},
		{"tree", tree + hard},
		{"t.zip", tree},
	}
	components := ""
	for _, test := range tests {
		components += "  - {name: c-" + test.source + ", version: 1, sources: [{path: " + test.source +
			", strip: 1}]}\n"
	}
	components += "  - {name: bz2, version: 1, sources: [{path: t.bz2}]}\n"
	components += "  - {name: file, version: 1, sources: [{path: install.sh}, {path: t.gz, format: file, into: raw}]}\n"
	file := lockFile(t, dir, components)
	result, out, err := build(t, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, contentOf(t, out, "c-"+test.source)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.source, diff)
		}
	}
	if got := contentOf(t, out, "bz2"); got != "-0644 hello hello\n\n" {
		t.Errorf("bz2: %q", got)
	}
	if got := contentOf(t, out, "file"); !strings.HasPrefix(got,
		"-0755 install.sh #!/bin/sh\n\nd0755 raw \n-0644 raw/t.gz \x1f\x8b") {
		t.Errorf("file: %.60q", got)
	}
	if result.Size == 0 || len(result.Warnings) > 0 || len(result.Parts) != 1 {
		t.Errorf("result: %+v", result)
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	dir := t.TempDir()
	var one, two bytes.Buffer
	for i := range 150 {
		name := strings.Repeat("d/", i%7) + "file" + strings.Repeat("x", i)
		one.WriteString(name)
		two.WriteString(strings.Repeat(name, 20))
		writeFile(t, filepath.Join(dir, "tree", name), one.Bytes())
		writeFile(t, filepath.Join(dir, "tree2", name+"2"), two.Bytes())
	}
	file := lockFile(t, dir, "  - {name: a, version: 1, license: MIT, sources: [{path: tree}, {path: tree2}]}\n")
	var first []byte
	for i, workers := range []int{1, 2, 5} {
		_, out, err := build(t, file, func(o *BuildOptions) {
			o.Workers = workers
			o.Out += string(rune('a' + i))
		})
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		}
		if !bytes.Equal(first, data) {
			t.Errorf("%d workers give other bytes than 1", workers)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The program of another architecture is a file like any other here.
func TestBuildForAnotherArchitecture(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a"), []byte("x"))
	file := lockFile(t, dir, "  - {name: a, version: 1, sources: [{path: a}]}\n")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, bytes.Replace(text, []byte("linux/amd64"), []byte("linux/arm64"), 1))
	result, out, err := build(t, file,
		func(o *BuildOptions) { o.Stub = makeStub(t, filepath.Join(dir, "arm"), elf.EM_AARCH64) })
	if err != nil {
		t.Fatal(err)
	}
	p, err := payload.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := result.Manifest.Release.Platform; got != "linux/arm64" {
		t.Errorf("the platform is %s", got)
	}
	var bom cdx.BOM
	sbom, err := p.ReadFile(SBOMName)
	if err != nil {
		t.Fatal(err)
	}
	if err := cdx.NewBOMDecoder(bytes.NewReader(sbom), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if hashes := (*bom.Components)[0].Hashes; hashes == nil ||
		(*hashes)[0].Value != result.Manifest.Components[0].Digest {
		t.Errorf("the SBOM has hashes %v for a component with digest %s", hashes, result.Manifest.Components[0].Digest)
	}
}

func TestBuildRefusesUnlocked(t *testing.T) {
	l := &Lock{File: "x.yaml", Components: []Component{{Name: "a", Sources: []Source{{Path: "x"}}}}}
	_, err := Build(context.Background(), BuildOptions{Lock: l})
	var unlocked *UnlockedError
	if !errors.As(err, &unlocked) || unlocked.Hint() != "fate-installer bundle lock x.yaml" {
		t.Errorf("error %v", err)
	}
}

func TestBuildRefusesChangedSource(t *testing.T) {
	good := makeTar(t, f("a", "one"))
	changed := makeTar(t, f("a", "two"))
	tests := []struct {
		name string
		data []byte
	}{
		{"other content", changed},
		{"cut short", good[:700]},
		{"longer", append(append([]byte{}, good...), make([]byte, 512)...)},
		{"not an archive any more", []byte("\x1f\x8b\x08 no gzip")},
		{"empty", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			source := writeFile(t, filepath.Join(dir, "a.tar"), good)
			file := lockFile(t, dir, "  - name: a\n    version: 1\n    sources:\n      - path: a.tar\n")
			if _, err := Fill(context.Background(), FillOptions{File: file}); err != nil {
				t.Fatal(err)
			}
			writeFile(t, source, test.data)
			_, out, err := build(t, file, nil)
			var mismatch *MismatchError
			if !errors.As(err, &mismatch) {
				t.Fatalf("error %v, want a MismatchError", err)
			}
			if mismatch.Line != 7 || mismatch.Component != "a" || mismatch.Source != "a.tar" ||
				mismatch.Got.Size != int64(len(test.data)) {
				t.Errorf("%+v", mismatch)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("there is an output: %v", err)
			}
		})
	}
}

// TestOutputIsNotWrittenIntoAnothersFile has another user put something in the place of the temporary file.
func TestOutputIsNotWrittenIntoAnothersFile(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("another file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, plant := range map[string]func(path string) error{
		"link": func(path string) error { return os.Symlink(other, path) },
		"hard": func(path string) error { return os.Link(other, path) },
		"pipe": func(path string) error { return unix.Mkfifo(path, 0o600) },
	} {
		if err := plant(filepath.Join(dir, "."+what+".partial")); err != nil {
			t.Fatal(err)
		}
		if f, err := claimOutput(filepath.Join(dir, what)); err == nil {
			t.Errorf("%s: %s was opened", what, f.Name())
		}
	}
	if text, _ := os.ReadFile(other); string(text) != "another file" {
		t.Errorf("another file has %q", text)
	}
}
