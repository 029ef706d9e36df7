package bundle

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// demoWheel is a wheel with everything the format has.
func demoWheel(t testing.TB) []byte {
	return makeZip(t,
		zipMember{"demo/__init__.py", "", 0o664},
		zipMember{"demo/ext.cpython-38-x86_64-linux-gnu.so", "\x7fELF", 0o775},
		zipMember{"demo_pkg-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n", 0o644},
		zipMember{"demo_pkg-1.0.dist-info/entry_points.txt",
			"[console_scripts]\n# a comment\ndemo = demo.cli:main\ndemo-x=demo:App.run [extra]\n\n[other]\nx = not a " +
				"program\n", 0o644},
		zipMember{"demo_pkg-1.0.data/purelib/demo_data.py", "x = 1\n", 0o644},
		zipMember{"demo_pkg-1.0.data/scripts/tool", "#!python\nprint('tool')\n", 0o644},
		zipMember{"demo_pkg-1.0.data/scripts/tool.sh", "#!/bin/sh\n", 0o755},
		zipMember{"demo_pkg-1.0.data/data/etc/demo.conf", "a=b\n", 0o644},
		zipMember{"demo_pkg-1.0.data/headers/demo.h", "int x;\n", 0o644})
}

func simpleWheel(t testing.TB, stem string, files ...zipMember) string {
	return string(makeZip(t, append(files, zipMember{stem + ".dist-info/WHEEL", "Wheel-Version: 1.0\n", 0o644})...))
}

func TestWheels(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "python/bin/python3"), []byte("interpreter"))
	writeFile(t, filepath.Join(dir, "demo_pkg-1.0-cp38-cp38-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
		demoWheel(t))
	writeFile(t, filepath.Join(dir, "wheels.tar.gz"), compress(t, "gz",
		makeTar(t, d("pypi/"), f("pypi/requirements.txt", "a\n"),
			f("pypi/pure-2.0-py2.py3-none-any.whl", simpleWheel(t, "pure-2.0", zipMember{"pure.py", "1", 0o644},
				zipMember{"tests/__init__.py", "a", 0o644})),
			f("pypi/other-2.0-1-cp36-abi3-manylinux1_x86_64.whl",
				simpleWheel(t, "other-2.0", zipMember{"other.py", "2", 0o644},
					zipMember{"tests/__init__.py", "b", 0o644})),
			f("pypi/win-1-cp38-cp38-win_amd64.whl", "not looked at"))))
	file := lockFile(t, dir, `  - name: python
    version: 3.8.20
    sources:
      - path: python
      - path: demo_pkg-1.0-cp38-cp38-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
        format: wheels
        python: 3.8
      - path: wheels.tar.gz
        format: wheels
        python: 3.8
        include: ["*.whl"]
        exclude: ["win-*", "**/site-packages/tests"]
`)
	_, out, err := build(t, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	start := launcher + "import sys\n"
	const end = "if __name__ == \"__main__\":\n    sys.exit("
	want := "d0755 bin \n-0755 bin/demo " + start + "from demo.cli import main\n" + end + "main())\n\n" +
		"-0755 bin/demo-x " + start + "from demo import App\n" + end + "App.run())\n\n" +
		"-0644 bin/python3 interpreter\n-0755 bin/tool " + launcher +
		"print('tool')\n\n-0755 bin/tool.sh #!/bin/sh\n\n" +
		"d0755 etc \n-0644 etc/demo.conf a=b\n\nd0755 include \nd0755 include/python3.8 \nd0755 " +
		"include/python3.8/demo_pkg \n-0644 include/python3.8/demo_pkg/demo.h int x;\n\n"
	got := contentOf(t, out, "python")
	head, library, _ := strings.Cut(got, "d0755 lib \n")
	if diff := cmp.Diff(want, head); diff != "" {
		t.Errorf("outside of lib (-want +got):\n%s", diff)
	}
	for _, line := range []string{
		"-0644 lib/python3.8/site-packages/demo/__init__.py \n",
		"-0755 lib/python3.8/site-packages/demo/ext.cpython-38-x86_64-linux-gnu.so \x7fELF\n",
		"-0644 lib/python3.8/site-packages/demo_data.py x = 1\n",
		"-0644 lib/python3.8/site-packages/demo_pkg-1.0.dist-info/entry_points.txt [console_scripts]\n",
		"-0644 lib/python3.8/site-packages/other.py 2\n",
		"-0644 lib/python3.8/site-packages/pure.py 1\n",
	} {
		if !strings.Contains(library, line) {
			t.Errorf("no %q in\n%s", line, library)
		}
	}
	if strings.Contains(library, "tests") {
		t.Errorf("an excluded directory is there:\n%s", library)
	}
}

func TestWheelsRefuse(t *testing.T) {
	good := simpleWheel(t, "a-1", zipMember{"a.py", "1", 0o644})
	tests := []struct{ name, file, data, want string }{
		{"another Python", "a-1-cp39-cp39-manylinux2014_x86_64.whl", good,
			`entry "a-1-cp39-cp39-manylinux2014_x86_64.whl" is not for Python 3.8 on linux/amd64`},
		{"another machine", "a-1-cp38-cp38-manylinux2014_aarch64.whl", good, "is not for Python 3.8 on linux/amd64"},
		{"another C library", "a-1-cp38-cp38-musllinux_1_1_x86_64.whl", good, "is not for Python 3.8 on linux/amd64"},
		{"Python 2", "a-1-py2-none-any.whl", good, "is not for Python 3.8"},
		{"a name like no wheel's", "a.whl", good, "is not named like a wheel"},
		{"another project inside", "b-1-py3-none-any.whl", good, "is not a wheel: it has no b-1.dist-info/WHEEL"},
		{"a source archive", "a-1.tar.gz", "x", `entry "a-1.tar.gz" is not a wheel`},
		{"not a ZIP", "a-1-py3-none-any.whl", "x", "a-1-py3-none-any.whl: the ZIP is damaged"},
		{"a way out", "a-1-py3-none-any.whl", simpleWheel(t, "a-1", zipMember{"../x", "1", 0o644}),
			`entry "../x" has ".." in it`},
		{"a strange place", "a-1-py3-none-any.whl", simpleWheel(t, "a-1", zipMember{"a-1.data/kernel/x", "1", 0o644}),
			`is for the unknown place "kernel"`},
		{"a strange entry point", "a-1-py3-none-any.whl", simpleWheel(t, "a-1",
			zipMember{"a-1.dist-info/entry_points.txt", "[console_scripts]\nx = os; evil()\n", 0o644}),
			`has the entry point "x = os; evil()"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "w.tar"), makeTar(t, f(test.file, test.data)))
			_, _, err := build(t,
				lockFile(t, dir, "  - {name: a, version: 1, sources: [{path: w.tar, format: wheels, python: 3.8}]}\n"),
				nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
	t.Run("one project twice", func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "w.tar"), makeTar(t, f("My_Pkg-1-py3-none-any.whl", simpleWheel(t, "My_Pkg-1")),
			f("my.pkg-2-py3-none-any.whl", simpleWheel(t, "my.pkg-2"))))
		_, _, err := build(t, lockFile(t, dir,
			"  - {name: a, version: 1, sources: [{path: w.tar, format: wheels, python: 3.8}]}\n"), nil)
		if err == nil || !strings.Contains(err.Error(),
			`entry "my.pkg-2-py3-none-any.whl" is of the project of My_Pkg-1-py3-none-any.whl`) {
			t.Errorf("error %v", err)
		}
	})
}

func TestWheelTags(t *testing.T) {
	target := newWheelTarget("3.8", "linux/amd64")
	for tags, want := range map[string]bool{
		"py3-none-any": true, "py2.py3-none-any": true, "py36-none-any": true, "py38-none-any": true,
		"py39-none-any":          false,
		"cp38-cp38-linux_x86_64": true, "cp37-cp37m-linux_x86_64": false, "cp37-abi3-manylinux_2_28_x86_64": true,
		"cp39-abi3-manylinux1_x86_64":              false,
		"cp36.cp37.cp38-abi3-manylinux2010_x86_64": true, "cp38-none-any": true, "pp38-pypy38_pp73-linux_x86_64": false,
		"cp38-cp38-macosx_11_0_x86_64": false, "cp38-cp38-win32": false, "py3-none-manylinux2014_x86_64": true,
		"py3-none-manylinux2014_i686": false,
		"cp3-none-any":                false, "p-none-any": false, "py2-none-any": false, "cp310-cp310-any": false,
	} {
		part := strings.Split(tags, "-")
		if got := target.accepts(part[0], part[1], part[2]); got != want {
			t.Errorf("%s accepted: %v, want %v", tags, got, want)
		}
	}
	if newWheelTarget("3.10", PlatformAny).accepts("cp310", "cp310", "manylinux2014_x86_64") {
		t.Error("a component for any platform takes a wheel for one")
	}
}
