package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/exit"
)

// plants are the entries that the service user can put in the place of a file, by their names.
var plants = map[string]func(path string) error{
	"pipe": func(path string) error { return syscall.Mkfifo(path, 0o666) },
	"socket": func(path string) error {
		short, err := os.MkdirTemp("/tmp", "s") // the path of a socket has at most 107 bytes
		if err != nil {
			return err
		}
		defer os.RemoveAll(short)
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(short, "s"), Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return errors.Join(os.Rename(filepath.Join(short, "s"), path), l.Close())
	},
	"directory": func(path string) error {
		return errors.Join(os.Mkdir(path, 0o755), os.WriteFile(filepath.Join(path, "mine"), []byte("mine"), 0o644))
	},
}

// filesOfServiceUser lists the files of an installation below the directories of the service user.
func filesOfServiceUser(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	for _, dir := range []string{"data/projects/fate", "data/logs/fate"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				out = append(out, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 6 {
		t.Fatalf("an installation has only the files %q", out)
	}
	return out
}

// TestPlantedFiles puts pipes, sockets and directories in the place of each file of an installation, as the service
// user can. A command of root's that opens a pipe never ends, and neither does this test. Each says what is wrong, or
// makes it good.
func TestPlantedFiles(t *testing.T) {
	for kind, plant := range plants {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			root, appliance := machine(t), smallAppliance(t)
			installation := []string{"--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88"}
			install := append(installation, "--force-config")
			run := func(args ...string) (string, int) {
				t.Helper()
				out, stderr, code := runCLI(t, root, "", args...)
				if code != exit.OK && !strings.Contains(stderr, "error: ") {
					t.Errorf("%q: exit code %d without a sentence:\n%s%s", args, code, out, stderr)
				}
				return out + stderr, code
			}
			if out, code := run(install...); code != exit.OK {
				t.Fatal(out)
			}
			files := filesOfServiceUser(t, root)
			for _, file := range files {
				kept := filepath.Join(t.TempDir(), "kept")
				if err := errors.Join(os.Rename(file, kept), plant(file)); err != nil {
					t.Fatal(err)
				}
				out, code := run(install...)
				if fi, err := os.Lstat(file); code == exit.OK && (err != nil || !fi.Mode().IsRegular()) {
					t.Errorf("a %s in the place of %s is there after an install: %v, %v", kind, file, fi, err)
				}
				if code != exit.OK && !strings.Contains(out, filepath.Base(file)) {
					t.Errorf("the refusal of a %s does not name %s:\n%s", kind, file, out)
				}
				t.Logf("%s for %s: exit code %d, %s", kind, strings.TrimPrefix(file, root), code, lastLine(out))
				if err := errors.Join(os.RemoveAll(file), os.Rename(kept, file)); err != nil {
					t.Fatal(err)
				}
				if out, code := run(install...); code != exit.OK {
					t.Fatalf("the repair of %s: exit code %d\n%s", file, code, out)
				}
			}
			for _, file := range files {
				if err := errors.Join(os.Remove(file), plant(file)); err != nil {
					t.Fatal(err)
				}
			}
			run(append([]string{"check"}, installation...)...)
			run(append([]string{"plan"}, installation...)...)
			for i, args := range [][]string{{"config", "show"}, {"secrets", "list"},
				{"diagnose", "--out", filepath.Join(t.TempDir(), "d.tar.gz")}, {"uninstall", "--yes"}} {
				out, code := run(args...)
				t.Logf("%d %q: exit code %d, %s", i, args, code, lastLine(out))
			}
		})
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
