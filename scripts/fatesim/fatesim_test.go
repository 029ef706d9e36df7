package fatesim

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

var releases = []Release{Newest, Former}

func TestEnvHasTheVersions(t *testing.T) {
	keys := map[string]string{"eggroll": "EGGROLL", "fate": "FATE", "fateflow": "FATEFlow", "fateboard": "FATEBoard"}
	for _, r := range releases {
		env := r.Env()
		for _, c := range r.Components() {
			if got := env[keys[c.Name]]; got != c.Version {
				t.Errorf("fate.env of %s says %s=%s, the component's version is %s", r.FATE,
					keys[c.Name], got, c.Version)
			}
		}
	}
}

// TestTablesAreThoseOfTheRelease: each release has its columns and no later ones, and the way to them only where
// upstream's package has it.
func TestTablesAreThoseOfTheRelease(t *testing.T) {
	for _, c := range []struct {
		release         Release
		deepspeed, meta bool
	}{{Newest, true, true}, {Former, false, false}} {
		files, err := c.release.files()
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(files[modelsFile], []byte("f_is_deepspeed")); got != c.deepspeed {
			t.Errorf("FATE %s: f_is_deepspeed is there: %v", c.release.FATE, got)
		}
		for _, word := range []string{"processor_option", "node_resource", "session_ranks"} {
			if got := bytes.Contains(files[metaFile], []byte(word)); got != c.meta {
				t.Errorf("eggroll %s: %s is there: %v", c.release.Eggroll, word, got)
			}
		}
		for _, name := range []string{flowUpgrade, eggrollUpgrade} {
			if _, got := files[name]; got != c.meta {
				t.Errorf("FATE %s: %s is there: %v", c.release.FATE, name, got)
			}
		}
		for _, word := range []string{"t_job", "t_task", "t_session_record", "t_worker"} {
			if !bytes.Contains(files[modelsFile], []byte(word)) {
				t.Errorf("FATE %s: no table %s", c.release.FATE, word)
			}
		}
	}
}

// A stand-in must say that it is one.
func TestEveryProgramIsLabelled(t *testing.T) {
	for _, name := range []string{
		"eggroll/java/standin/Log.java", "fateboard/java/standin/Board.java", "fateflow/python/fate_flow/log.py",
		"eggroll/python/eggroll/roll_pair/egg_pair.py", "python/bin/flow", "fate/RELEASE.md",
	} {
		data, err := sources.ReadFile(name)
		if err != nil {
			t.Error(err)
		} else if !bytes.Contains(data, []byte("STAND-IN")) {
			t.Errorf("%s does not say STAND-IN", name)
		}
	}
}

func TestPythonCompiles(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	const script = "import sys\nfor line in sys.stdin:\n name = line.strip()\n compile(open(name, 'rb').read(), " +
		"name, 'exec')"
	cmd := exec.Command(python, "-c", script)
	var names strings.Builder
	err = fs.WalkDir(sources, ".", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".py") || name == "python/bin/flow" {
			names.WriteString(name + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = strings.NewReader(names.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestJarIsReproducible(t *testing.T) {
	dir := t.TempDir()
	classes := fstest.MapFS{"a/B.class": {Data: []byte("b")}, "a/A.class": {Data: []byte("a")}}
	var jars [2][]byte
	for i := range jars {
		file := filepath.Join(dir, string(rune('0'+i))+".jar")
		if err := writeJar(file, classes, Newest.manifest("a.A")); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		jars[i] = data
	}
	if !bytes.Equal(jars[0], jars[1]) {
		t.Error("two jars of the same classes differ")
	}
	r, err := zip.NewReader(bytes.NewReader(jars[0]), int64(len(jars[0])))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := fs.ReadFile(r, "META-INF/MANIFEST.MF")
	if err != nil || !strings.Contains(string(manifest), "Main-Class: a.A\r\n") {
		t.Errorf("manifest %q, %v", manifest, err)
	}
}
