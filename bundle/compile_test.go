package bundle

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"fate-installer/payload"
)

// checkedHash are the flags of a .pyc whose hash is compared with its source at each import, see PEP 552.
const checkedHash = 0b11

// runHere runs an interpreter as the command does.
func runHere(ctx context.Context, dir string, env, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, env
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New(err.Error() + ": " + string(out))
	}
	return nil
}

// pythonLock is a lock file of an interpreter, which is this machine's behind a script, and of code for it. The python
// comes after fate, and another component with code comes last.
func pythonLock(t *testing.T, dir, interpreter string) string {
	t.Helper()
	for name, text := range map[string]string{
		"python/bin/python3.99":                 interpreter,
		"python/lib/python3.99/library.py":      "x = 1\n",
		"python/lib/python3.99/test/never.py":   "x = 1\n",
		"python/lib/python3.99/idlelib/too.py":  "x = 1\n",
		"fate/a.py":                             "def f(x):\n    return {'b', 'c', 'a', x, 2}\nVALUE = 1\n",
		"fate/b/same.py":                        "VALUE = 1\n",
		"fate/b/latin.py":                       "# coding: latin-1\nx = '\xe4'\n",
		"fate/broken.py":                        "{% for x in y %}\n",
		"fate/__pycache__/stale.cpython-11.pyc": "of another time",
		"zookeeper/tool.py":                     "x = 1\n",
	} {
		writeFile(t, filepath.Join(dir, name), []byte(text))
	}
	if err := os.Chmod(filepath.Join(dir, "python/bin/python3.99"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("python3.99", filepath.Join(dir, "python/bin/python3")); err != nil {
		t.Fatal(err)
	}
	return lockFile(t, dir, "  - {name: fate, version: 1, platform: any, sources: [{path: fate}]}\n"+
		"  - {name: python, version: 1, sources: [{path: python}]}\n"+
		"  - {name: zookeeper, version: 1, platform: any, sources: [{path: zookeeper}]}\n")
}

// machinePython is a script that runs this machine's python.
func machinePython(t *testing.T) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil || runtime.GOARCH != "amd64" {
		t.Skip("needs python3 on amd64")
	}
	return "#!/bin/sh\nexec " + python + " \"$@\"\n"
}

// caches are the .pyc files of a component, by path.
func caches(t *testing.T, appliance, component string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	dir := extracted(t, appliance, component)
	err := filepath.WalkDir(dir, func(at string, d os.DirEntry, err error) error {
		if err != nil || filepath.Ext(at) != ".pyc" {
			return err
		}
		rel, err := filepath.Rel(dir, at)
		if err == nil {
			found[rel], err = os.ReadFile(at)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func extracted(t testing.TB, appliance, component string) string {
	t.Helper()
	p, err := payload.Open(appliance)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	dir := filepath.Join(t.TempDir(), "tree")
	if err := p.Extract(t.Context(), component, dir, payload.ExtractOptions{UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCompileBelowWorkingDirectory: the interpreter, which has another working directory, is found when the output is
// named by a relative path.
func TestCompileBelowWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	file := pythonLock(t, dir, machinePython(t))
	t.Chdir(dir)
	result, _, err := build(t, file, func(o *BuildOptions) { o.Python, o.Out = runHere, "out.bin" })
	if err != nil || result.NotCompiled != "" || result.Compiled != 4 {
		t.Fatalf("%d files, %q, %v", result.Compiled, result.NotCompiled, err)
	}
}

// TestCompile: the code of python and of FATE's components is compiled, whatever their order, what is never loaded is
// not, and nothing is left of it on the disk. A second build elsewhere has the same bytes.
func TestCompile(t *testing.T) {
	python := machinePython(t)
	var digests [2]string
	for i, name := range []string{"a", "a-longer-name"} {
		dir := filepath.Join(t.TempDir(), name)
		file := pythonLock(t, dir, python)
		writeFile(t, filepath.Join(dir, ".out.bin.python/left"), []byte("by a build that was killed"))
		result, out, err := build(t, file, func(o *BuildOptions) { o.Python = runHere })
		if err != nil || result.NotCompiled != "" || result.Compiled != 4 {
			t.Fatalf("%d files, %q, %v", result.Compiled, result.NotCompiled, err)
		}
		for _, c := range result.Manifest.Components {
			digests[i] += c.Digest
		}
		if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
		if i > 0 {
			continue
		}
		fate := caches(t, out, "fate")
		if len(fate) != 4 { // with the one that was there
			t.Errorf("fate has %d caches", len(fate))
		}
		for at, code := range fate {
			stale := strings.Contains(at, "stale")
			if !stale && (len(code) < 16 || binary.LittleEndian.Uint32(code[4:]) != checkedHash) {
				t.Errorf("%s is not checked by a hash: %x", at, code[:min(16, len(code))])
			}
			if bytes.Contains(code, []byte(dir)) {
				t.Errorf("%s has the path of the machine that built it", at)
			}
		}
		if python := caches(t, out, "python"); len(python) != 1 {
			t.Errorf("python has %d caches, want that of its library", len(python))
		}
		if others := caches(t, out, "zookeeper"); len(others) != 0 {
			t.Errorf("zookeeper has %d caches", len(others))
		}
	}
	if digests[0] != digests[1] {
		t.Error("a second build has other bytes")
	}
}

// TestCompiledCodeIsLoaded: an import takes the cache as it is, and after an edit that keeps size and time the source.
func TestCompiledCodeIsLoaded(t *testing.T) {
	python := machinePython(t)
	dir := t.TempDir()
	_, out, err := build(t, pythonLock(t, dir, python), func(o *BuildOptions) { o.Python = runHere })
	if err != nil {
		t.Fatal(err)
	}
	tree := extracted(t, out, "fate")
	load := func() string {
		cmd := exec.Command("python3", "-v", "-c", "import b.same; print('VALUE', b.same.VALUE)")
		cmd.Dir, cmd.Env = tree, []string{"PATH=/usr/bin:/bin"}
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return string(text)
	}
	const fresh = "# code object from " // of the verbose import, and then a source: it was compiled
	if text := load(); !strings.Contains(text, "VALUE 1\n") || !strings.Contains(text, "matches "+tree+"/b/same.py") {
		t.Errorf("the cache is not taken:\n%s", text)
	}
	source := filepath.Join(tree, "b/same.py")
	before, err := os.Stat(source)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, source, []byte("VALUE = 2\n"))
	if err := os.Chtimes(source, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	if text := load(); !strings.Contains(text, "VALUE 2\n") || !strings.Contains(text, fresh+source) {
		t.Errorf("the edit has no effect:\n%s", text)
	}
	if text := load(); !strings.Contains(text, "VALUE 2\n") || strings.Contains(text, fresh+source) {
		t.Errorf("the edit was not compiled once for all:\n%s", text)
	}
}

// TestNotCompiled: what cannot be compiled here is built without, and the result says why.
func TestNotCompiled(t *testing.T) {
	for _, tt := range []struct {
		name, interpreter string
		change            func(lock string) string
		run               PythonRunner
		want              string
	}{
		{"does not run", "#!/nonexistent/interpreter\n", nil, runHere, "the python that is carried does not run here: "},
		{"fails", "#!/bin/sh\necho too old >&2\nexit 1\n", nil, runHere, "too old"},
		{"writes nothing", "#!/bin/sh\n", nil, runHere, "no such file"},
		{"other platform", "#!/bin/sh\n", func(lock string) string {
			return strings.Replace(lock, "linux/amd64", "linux/riscv64", 1)
		}, runHere, "the component python is for linux/riscv64, and this machine is linux/"},
		{"no python", "#!/bin/sh\n", func(lock string) string {
			return strings.Replace(lock, "name: python", "name: perl", 1)
		}, runHere, "there is no component python to compile it with"},
		{"not wanted", "#!/bin/sh\n", nil, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := pythonLock(t, dir, tt.interpreter)
			if tt.change != nil {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				writeFile(t, file, []byte(tt.change(string(text))))
			}
			result, out, err := build(t, file, func(o *BuildOptions) {
				o.Python = tt.run
				if o.Lock.Release.Platform == "linux/riscv64" {
					o.Stub = makeStub(t, filepath.Join(dir, "stub-riscv64"), elf.EM_RISCV)
				}
			})
			if err != nil || !strings.Contains(result.NotCompiled, tt.want) ||
				(tt.want == "") != (result.NotCompiled == "") {
				t.Fatalf("%q, %v, want %q", result.NotCompiled, err, tt.want)
			}
			if found := caches(t, out, "fate"); len(found) != 1 || result.Compiled != 0 {
				t.Errorf("%d caches, want the one that was there; %d compiled", len(found), result.Compiled)
			}
			if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
		})
	}
}

// TestCompileFails: an interpreter that ran and then fails ends the build, and an answer of it is not believed.
func TestCompileFails(t *testing.T) {
	answers := func(text string) PythonRunner {
		runs := 0
		return func(_ context.Context, dir string, _, _ []string) error {
			if runs++; runs == 1 {
				text := "cpython-311\n"
				return os.WriteFile(filepath.Join(dir, "compiled"), []byte(text), 0o600)
			}
			if text == "" {
				return errors.New("killed")
			}
			return os.WriteFile(filepath.Join(dir, "compiled"), []byte(text), 0o600)
		}
	}
	for name, answer := range map[string]string{
		"killed": "", "short": "cpython-311\n\x05\x00\x00\x00\x00\x00\x00\x00abc", "a path": "../../x\n",
		"large": "cpython-311\n\xff\xff\xff\xff\xff\xff\xff\x7f",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, out, err := build(t, pythonLock(t, dir, "#!/bin/sh\n"), func(o *BuildOptions) {
				o.Python = answers(answer)
			})
			var compile *CompileError
			if runtime.GOOS+"/"+runtime.GOARCH == "linux/amd64" && !errors.As(err, &compile) {
				t.Errorf("error %v", err)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("there is an appliance")
			}
			if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
		})
	}
}
