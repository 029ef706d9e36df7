package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/golden"

	"github.com/google/go-cmp/cmp"
)

const fateEnv = "FATE=1.11.3\nFATEFlow=1.11.2\nFATEBoard=1.11.2\nEGGROLL=2.5.2\nCENTOS=7.2\n# " +
	"comment\nPYTHON=3.8\nJDK=8\n\n"

// officialPackage makes the package of FATE 1.11.3; leave drops members whose path contains one of the words.
func officialPackage(t testing.TB, leave ...string) []byte {
	t.Helper()
	return officialPackageOf(t, "1.11.3", fateEnv, leave...)
}

// officialPackageOf makes a package with the layout of AnsibleFATE 1.9.1 to 1.11, in the order find gives it on one
// machine.
func officialPackageOf(t testing.TB, version, fateEnv string, leave ...string) []byte {
	t.Helper()
	root := "AnsibleFATE_" + version + "_release_offline/"
	archive := func(codec string, entries ...*tar.Header) string {
		return string(compress(t, codec, makeTar(t, entries...)))
	}
	sh := func(name, body string) *tar.Header { return fm(name, body, 0o755) }
	entries := []*tar.Header{
		d(root), sh(root+"deploy/deploy.sh", "#!/bin/bash\n"), f(root+"bin/yq", "\x7fELF"),
		f(root+"roles/check/files/deploy.tar.gz", archive("gz", d("deploy/"), f("deploy/up.sql", "--"))),
		f(root+"roles/eggroll/files/create-eggroll-meta-tables.sql", "CREATE"),
		f(root+"roles/eggroll/files/eggroll.tar.gz", archive("gz", d("eggroll/"), f("eggroll/lib/core.jar", "PK"),
			sh("eggroll/bin/eggroll.sh", "#!/bin/bash\n"),
			f("eggroll/conf/create-eggroll-meta-tables.sql", "CREATE"), f("eggroll/logs/old.log", "noise"))),
		f(root+"roles/fateboard/files/fateboard.tar.gz", archive("gz", d("fateboard/"),
			f("fateboard/fateboard-1.11.2.jar", "PK board"), l("fateboard/fateboard.jar", "fateboard-1.11.2.jar"),
			f("fateboard/conf/application.properties", "server.port=8080\n"))),
		f(root+"roles/fateflow/files/fate.tar.gz", archive("gz", d("fate/"), f("fate/RELEASE.md", "# Release"),
			f("fate/python/federatedml/__init__.py", ""), f("fate/fate.env", fateEnv))),
		f(root+"roles/fateflow/files/fateflow.tar.gz", archive("gz", d("fateflow/"),
			f("fateflow/python/fate_flow/fate_flow_server.py", "print()\n"))),
		f(root+"roles/java/files/jdk-8u345.tar.xz", archive("xz", d("jdk-8u345/"),
			sh("jdk-8u345/bin/java", "\x7fELF java"), l("jdk-8u345/jre/bin/java", "../../bin/java"))),
		f(root+"roles/mysql/files/mysql-8.0.28.tar.gz", archive("gz", d("mysql-8.0.28/"),
			sh("mysql-8.0.28/bin/mysqld", "\x7fELF mysqld"))),
		sh(root+"roles/python/files/Miniconda3-py38_4.12.0-Linux-x86_64.sh", "#!/bin/sh\n# binary\n"),
		f(root+"roles/python/files/pypi.tar.gz", archive("gz", d("pypi/"),
			f("pypi/numpy-1.23.1-cp38-cp38-manylinux2014_x86_64.whl",
				simpleWheel(t, "numpy-1.23.1", zipMember{"numpy/__init__.py", "1", 0o644})))),
		f(root+"roles/python/files/requirements.txt", "numpy==1.23.1\n"),
		f(root+"roles/rabbitmq/files/rabbitmq-server-generic-unix-3.9.14.tar.xz",
			archive("xz", d("rabbitmq_server-3.9.14/"), sh("rabbitmq_server-3.9.14/sbin/rabbitmq-server",
				"#!/bin/sh\n"))),
		l(root+"roles/supervisor/files/Miniconda3-py38_4.12.0-Linux-x86_64.sh",
			"../../python/files/Miniconda3-py38_4.12.0-Linux-x86_64.sh"),
		f(root+"roles/supervisor/files/supervisor-4.2.4-py2.py3-none-any.whl", "PK"),
	}
	var kept []*tar.Header
	for _, e := range entries {
		if !containsAny(e.Name, leave) {
			kept = append(kept, e)
		}
	}
	return compress(t, "gz", makeTar(t, kept...))
}

func containsAny(s string, words []string) bool {
	for _, word := range words {
		if strings.Contains(s, word) {
			return true
		}
	}
	return false
}

func TestImportAndBuild(t *testing.T) {
	dir := t.TempDir()
	archive := writeFile(t, filepath.Join(dir, "media", "AnsibleFATE_1.11.3_release_offline.tar.gz"),
		officialPackage(t))
	o := ImportOptions{Archive: archive, Lock: filepath.Join(dir, "fate.lock.yaml"),
		Optional: []string{"miniconda", "pypi"}}
	result, err := Import(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	text := result.Lock.Encode("Made from AnsibleFATE_1.11.3_release_offline.tar.gz.")
	golden.Compare(t, "testdata/import.golden.yaml", withoutDigests(text))
	if len(result.Missing) > 0 || !cmp.Equal(result.Skipped, []string{"rabbitmq"}) {
		t.Errorf("missing %v, skipped %v", result.Missing, result.Skipped)
	}
	if missing := result.Lock.Unlocked(); len(missing) > 0 {
		t.Errorf("not locked: %v", missing)
	}
	writeFile(t, o.Lock, text)
	built, out, err := build(t, o.Lock, nil)
	if err != nil {
		t.Fatal(err)
	}
	for component, want := range map[string]string{
		"eggroll": "d0755 bin \n-0755 bin/eggroll.sh #!/bin/bash\n\nd0755 conf \n-0644 " +
			"conf/create-eggroll-meta-tables.sql CREATE\nd0755 lib \n-0644 lib/core.jar PK\n",
		"fateboard": "d0755 conf \n-0644 conf/application.properties server.port=8080\n\n-0644 fateboard-1.11.2.jar " +
			"PK board\nl0777 fateboard.jar fateboard-1.11.2.jar\n",
		"jdk": "d0755 bin \n-0755 bin/java \x7fELF java\nd0755 jre \nd0755 jre/bin \nl0777 jre/bin/java " +
			"../../bin/java\n",
		"miniconda": "-0755 Miniconda3-py38_4.12.0-Linux-x86_64.sh #!/bin/sh\n# binary\n\n",
	} {
		if diff := cmp.Diff(want, contentOf(t, out, component)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", component, diff)
		}
	}
	if got := contentOf(t, out, "pypi"); !strings.HasSuffix(got, "-0644 requirements.txt numpy==1.23.1\n\n") ||
		!strings.HasPrefix(got, "-0644 numpy-1.23.1-cp38-") {
		t.Errorf("pypi:\n%s", got)
	}
	if env := built.Manifest.Release.Env; env["EGGROLL"] != "2.5.2" || env["PYTHON"] != "3.8" || len(env) != 7 {
		t.Errorf("env %v", env)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// withoutDigests replaces digests and sizes, which depend on the version of the compressors.
func withoutDigests(text []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		if key, _, ok := bytes.Cut(line, []byte(": ")); ok &&
			(bytes.HasSuffix(key, []byte("sha256")) || bytes.HasSuffix(key, []byte("size"))) {
			line = []byte(string(key) + ": ...\n")
		}
		out.Write(line)
	}
	return out.Bytes()
}

// The build takes the members as the package stores them, in one pass.
func TestImportOrderIsStoredOrder(t *testing.T) {
	dir := t.TempDir()
	archive := writeFile(t, filepath.Join(dir, "x.tar.gz"), officialPackage(t))
	result, err := Import(context.Background(), ImportOptions{Archive: archive, Lock: filepath.Join(dir, "l.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	var n nested
	defer n.close()
	starts := 0
	for _, c := range result.Lock.Components {
		for _, s := range c.Sources {
			if n.tr == nil {
				starts++
			}
			before := n.file
			if _, _, err := n.open(archive, s.Member); err != nil {
				t.Fatal(err)
			}
			if before != nil && n.file != before {
				t.Errorf("%s %s: the package is read again from its start", c.Name, s.Member)
			}
		}
	}
}

func TestImportOnlineWithDownloads(t *testing.T) {
	dir := t.TempDir()
	archive := writeFile(t, filepath.Join(dir, "AnsibleFATE_1.11.3_release_online.tar.gz"),
		officialPackage(t, "Miniconda3", "pypi", "jdk-", "mysql-", "rabbitmq"))
	lock := filepath.Join(dir, "fate.lock.yaml")
	result, err := Import(context.Background(), ImportOptions{Archive: archive, Lock: lock})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"jdk"}, {"mysql", "mariadb"}, {"python"}}, result.Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	jdk := writeFile(t, filepath.Join(dir, "jdk-8u345.tar.xz"),
		compress(t, "xz", makeTar(t, d("jdk8u345-b01/"), f("jdk8u345-b01/release", "8"))))
	mysql := writeFile(t, filepath.Join(dir, "mysql-8.0.28.tar.gz"),
		compress(t, "gz", makeTar(t, fm("./bin/mysqld", "x", 0o755), f("./lib/y", "y"))))
	writeFile(t, filepath.Join(dir, "env", "bin", "python"), []byte("#!/bin/sh\n"))
	result, err = Import(context.Background(), ImportOptions{Archive: archive, Lock: lock, Added: []Added{
		{Component: "jdk", Path: jdk}, {Component: "mysql", Path: mysql},
		{Component: "python", Version: "3.8.13", Path: filepath.Join(dir, "env")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Missing) > 0 {
		t.Errorf("missing %v", result.Missing)
	}
	writeFile(t, lock, result.Lock.Encode(""))
	_, out, err := build(t, lock, nil)
	if err != nil {
		t.Fatal(err)
	}
	for component, want := range map[string]string{
		"jdk":    "-0644 release 8\n",
		"mysql":  "d0755 bin \n-0755 bin/mysqld x\nd0755 lib \n-0644 lib/y y\n",
		"python": "d0755 bin \n-0644 bin/python #!/bin/sh\n\n",
	} {
		if diff := cmp.Diff(want, contentOf(t, out, component)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", component, diff)
		}
	}
}

// With an interpreter from elsewhere, the package's wheels make a complete environment that needs no pip on the host.
func TestImportWheels(t *testing.T) {
	dir := t.TempDir()
	archive := writeFile(t, filepath.Join(dir, "AnsibleFATE_1.11.3_release_offline.tar.gz"), officialPackage(t))
	interpreter := writeFile(t,
		filepath.Join(dir, "cpython-3.8.20+20241002-x86_64-unknown-linux-gnu-install_only.tar.gz"),
		compress(t, "gz", makeTar(t,
			fm("python/bin/python3.8", "\x7fELF", 0o755), l("python/bin/python3", "python3.8"),
			f("python/lib/python3.8/os.py", ""), f("python/lib/python3.8/site-packages/pip/__init__.py", "old"))))
	o := ImportOptions{Archive: archive, Lock: filepath.Join(dir, "l.yaml"), Wheels: true,
		Added: []Added{{Component: "python", Path: interpreter}}}
	result, err := Import(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Missing) > 0 || !cmp.Equal(result.Skipped, []string{"miniconda", "pypi", "rabbitmq"}) {
		t.Errorf("missing %v, skipped %v", result.Missing, result.Skipped)
	}
	writeFile(t, o.Lock, result.Lock.Encode(""))
	_, out, err := build(t, o.Lock, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "d0755 bin \nl0777 bin/python3 python3.8\n-0755 bin/python3.8 \x7fELF\nd0755 lib \nd0755 lib/python3.8 " +
		"\n-0644 lib/python3.8/os.py \n" +
		"d0755 lib/python3.8/site-packages \nd0755 lib/python3.8/site-packages/numpy-1.23.1.dist-info \n-0644 " +
		"lib/python3.8/site-packages/numpy-1.23.1.dist-info/WHEEL Wheel-Version: 1.0\n\n" +
		"d0755 lib/python3.8/site-packages/numpy \n-0644 lib/python3.8/site-packages/numpy/__init__.py 1\n"
	if diff := cmp.Diff(want, contentOf(t, out, "python")); diff != "" {
		t.Errorf("python (-want +got):\n%s", diff)
	}
	o.Added[0].Version = "3.11.9"
	if _, err := Import(context.Background(), o); err == nil ||
		!strings.Contains(err.Error(), "has wheels for Python 3.8, but the component python is 3.11.9") {
		t.Errorf("error %v", err)
	}
	o.Added = nil
	if _, err := Import(context.Background(), o); err == nil ||
		!strings.Contains(err.Error(), "there is no component python to install them into") {
		t.Errorf("error %v", err)
	}
}

func TestImportOlderPackage(t *testing.T) {
	const root = "AnsibleFATE-1.8.0-offline/"
	archive := func(top string) string {
		return string(compress(t, "gz", makeTar(t, d(top+"/"), f(top+"/x", "x"))))
	}
	data := compress(t, "gz", makeTar(t,
		f(root+"roles/eggroll/files/eggroll-2.4.4.tar.gz", archive("eggroll")),
		f(root+"roles/fateflow/files/fate.env", "FATE=1.8.0\nFATEFlow=1.8.0\nFATEBoard=1.8.0\nEGGROLL=2.4.4\n"),
		f(root+"roles/fateflow/files/RELEASE.md", "# Release"),
		f(root+"roles/fateflow/files/fate-1.8.0.tar.gz", archive("fate")),
		f(root+"roles/fateflow/files/fateflow-1.8.0.tar.gz", archive("fateflow")),
		f(root+"roles/fateflow/files/fate_examples-1.8.0.tar.gz", archive("examples")),
		f(root+"roles/java/files/jdk-8u192.tar.gz", archive("jdk-8u192")),
		f(root+"roles/python/files/Miniconda3-4.5.4-Linux-x86_64.sh", "#!/bin/sh\n")))
	dir := t.TempDir()
	file := writeFile(t, filepath.Join(dir, "old.tar.gz"), data)
	result, err := Import(context.Background(), ImportOptions{Archive: file, Lock: filepath.Join(dir, "l.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range result.Lock.Components {
		got[c.Name] = c.Version
	}
	want := map[string]string{"eggroll": "2.4.4", "fate": "1.8.0", "fateflow": "1.8.0", "jdk": "8u192"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	if n := len(result.Lock.component("fate").Sources); n != 3 {
		t.Errorf("fate has %d sources, want the archive, fate.env and RELEASE.md", n)
	}
}

func TestImportRefuses(t *testing.T) {
	whole := officialPackage(t)
	tests := []struct {
		name, file string
		data       []byte
		want       string
	}{
		{"no archive", "x.tar.gz", []byte("hello"), "it is not an official package"},
		{"another archive", "x.tar.gz", compress(t, "gz", makeTar(t, f("a/b", "c"))),
			"it has none of the files of an official AnsibleFATE package"},
		{"cut short", "x.tar.gz", whole[:len(whole)/2], "unexpected EOF"},
		{"no version anywhere", "x.tar.gz", officialPackage(t, "fate.tar.gz"),
			"it does not say which FATE release it is"},
		{"a damaged archive inside", "x.tar.gz", compress(t, "gz",
			makeTar(t, f("r/roles/fateflow/files/fate.tar.gz", "\x1f\x8b\x08 no"))),
			`entry "r/roles/fateflow/files/fate.tar.gz" is damaged`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			file := writeFile(t, filepath.Join(dir, test.file), test.data)
			_, err := Import(context.Background(), ImportOptions{Archive: file, Lock: filepath.Join(dir, "l.yaml")})
			var wrong *ArchiveError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
	if _, err := Import(context.Background(), ImportOptions{Archive: filepath.Join(t.TempDir(), "no")}); !errors.Is(err,
		os.ErrNotExist) {
		t.Errorf("error %v, want not exist", err)
	}
}
