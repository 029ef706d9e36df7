package bundle

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// released lists the lock files that are kept for FATE's releases.
func released(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../release/*.lock.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("lock files %v, %v", files, err)
	}
	return files
}

// envText writes a release's fate.env.
func envText(env map[string]string) string {
	var s strings.Builder
	for _, key := range slices.Sorted(maps.Keys(env)) {
		s.WriteString(key + "=" + env[key] + "\n")
	}
	return s.String()
}

// The lock files of releases wait for nothing but the official package: with it next to them, lock makes of them what
// import writes for that package, and build builds.
func TestReleaseLockFiles(t *testing.T) {
	for _, original := range released(t) {
		name := filepath.Base(original)
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			dir := t.TempDir()
			text, lock := unlockedText(t, original)
			file := writeFile(t, filepath.Join(dir, name), text)
			lock.File = file
			if want := "fate-" + lock.Release.FATE + ".lock.yaml"; name != want {
				t.Errorf("the file is for FATE %s and should be called %s", lock.Release.FATE, want)
			}
			archive := "AnsibleFATE_" + lock.Release.FATE + "_release_offline.tar.gz"
			sources := 0
			for _, c := range lock.Components {
				for _, s := range c.Sources {
					sources++
					if s.Path != archive {
						t.Errorf("%s needs %s; only %s is at hand", c.Name, s.Path, archive)
					}
				}
			}

			o := BuildOptions{Lock: lock, Out: filepath.Join(dir, "out"),
				Stub: makeStub(t, filepath.Join(dir, "stub"), elf.EM_X86_64), Level: 1}
			var unlocked *UnlockedError
			if _, err := Build(ctx, o); !errors.As(err, &unlocked) || len(unlocked.Missing) != sources ||
				unlocked.Hint() != "fate-installer bundle lock "+file {
				t.Errorf("a build without digests: error %v", err)
			}
			var missing *MissingError
			if _, err := Fill(ctx, FillOptions{File: file}); !errors.As(err, &missing) ||
				missing.File != filepath.Join(dir, archive) {
				t.Errorf("lock without the package: error %v", err)
			}

			data := officialPackageOf(t, lock.Release.FATE, envText(lock.Release.Env))
			writeFile(t, filepath.Join(dir, archive), data)
			filled, err := Fill(ctx, FillOptions{File: file})
			if err != nil {
				t.Fatal(err)
			}
			if len(filled.Filled) != sources {
				t.Errorf("%d sources locked, want %d", len(filled.Filled), sources)
			}
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			imported, err := Import(ctx, ImportOptions{Archive: filepath.Join(dir, archive), Lock: file,
				Optional: []string{"miniconda", "pypi"}})
			if err != nil {
				t.Fatal(err)
			}
			if len(imported.Missing) > 0 {
				t.Errorf("a party needs %v, too", imported.Missing)
			}
			comments, rest := splitComments(whole)
			if diff := cmp.Diff(string(imported.Lock.Encode("")), rest); diff != "" {
				t.Errorf("what import writes and the completed file differ (-import +file):\n%s", diff)
			}
			if before, _ := splitComments(text); before != comments || !strings.Contains(comments, archive) {
				t.Errorf("comments were\n%s\nand became\n%s", before, comments)
			}

			if o.Lock, err = ReadLock(file); err != nil {
				t.Fatal(err)
			}
			built, err := Build(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			if len(built.Manifest.Components) != len(lock.Components) ||
				!maps.Equal(built.Manifest.Release.Env, lock.Release.Env) {
				t.Errorf("built %d components of %v", len(built.Manifest.Components), built.Manifest.Release)
			}

			if err := os.Remove(filepath.Join(dir, archive)); err != nil {
				t.Fatal(err)
			}
			if _, err := Build(ctx, o); !errors.As(err, &missing) || !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a build without the package: error %v", err)
			}
		})
	}
}

// unlockedText reads a release's lock file as it is before bundle lock, whether or not that has been run on it.
func unlockedText(t testing.TB, file string) ([]byte, *Lock) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := ParseLock(file, data)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	sources, locked := 0, 0
	for line := range bytes.Lines(data) {
		key, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		switch string(key) {
		case "- path":
			sources++
		case "sha256", "size":
			locked++
			continue
		}
		text = append(text, line...)
	}
	if missing := len(lock.Unlocked()); missing != 0 && (missing != sources || locked != 0) {
		t.Errorf("%s: some sources have digests and %d have none; one run of bundle lock gives all or none", file,
			missing)
	}
	if lock, err = ParseLock(file, text); err != nil {
		t.Fatal(err)
	}
	return text, lock
}

// splitComments takes the lines that are nothing but a comment out of a lock.
func splitComments(text []byte) (comments, rest string) {
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			comments += string(line)
		} else {
			rest += string(line)
		}
	}
	return comments, rest
}

// What a lock says of a release before its package is at hand is believed no longer when the package is.
func TestFillRefusesAnotherPackage(t *testing.T) {
	original := released(t)[0]
	text, lock := unlockedText(t, original)
	env := maps.Clone(lock.Release.Env)
	env["EGGROLL"], env["NEW"] = "9.9.9", "1"
	whole := officialPackageOf(t, lock.Release.FATE, envText(lock.Release.Env))
	for name, test := range map[string]struct {
		data       []byte
		want, hint string
	}{
		"another eggroll": {officialPackageOf(t, lock.Release.FATE, envText(env)),
			"contradicts release.env of FILE: EGGROLL is 9.9.9 there and " + lock.Release.Env["EGGROLL"] + " here",
			"bundle import"},
		"another layout": {officialPackageOf(t, lock.Release.FATE, envText(lock.Release.Env), "pypi.tar.gz"),
			`it has no member "AnsibleFATE_` + lock.Release.FATE + `_release_offline/roles/python/files/pypi.tar.gz"`,
			"bundle import"},
		"cut short":         {whole[:len(whole)/2], "it is damaged or cut short", "fetch it again"},
		"cut short at once": {whole[:400], "it is damaged or cut short", "fetch it again"},
		"no package":        {[]byte("<html>not found</html>"), "it cannot be read as an archive with members", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := writeFile(t, filepath.Join(dir, filepath.Base(original)), text)
			writeFile(t, filepath.Join(dir, lock.Components[0].Sources[0].Path), test.data)
			_, err := Fill(context.Background(), FillOptions{File: file})
			var wrong *ArchiveError
			if !errors.As(err, &wrong) || !strings.Contains(strings.ReplaceAll(err.Error(), file, "FILE"), test.want) ||
				!strings.Contains(wrong.Hint(), test.hint) {
				t.Errorf("error %v, want %s and a hint of %q", err, test.want, test.hint)
			}
			if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, text) {
				t.Errorf("the lock file was changed, %v", err)
			}
		})
	}
}
