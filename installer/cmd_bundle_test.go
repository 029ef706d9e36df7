package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"fate-installer/installer/exit"
	"fate-installer/payload"
)

// The test binary is the program when it is called by the program's name, so that scripts run real processes with
// their own working directory, exit code and executable file.
func init() {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "fate-installer") {
		main()
		os.Exit(exit.OK)
	}
	// What a test prints depends on no variable of the shell that runs it.
	for _, name := range []string{"NO_COLOR", "CLICOLOR_FORCE"} {
		_ = os.Unsetenv(name)
	}
}

var updateScripts = flag.Bool("update-scripts", false, "rewrite the expected output in the scripts under testdata")

// TestBundleScripts runs the sessions under testdata/bundle.
func TestBundleScripts(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "fate-installer")); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/bundle",
		UpdateScripts: *updateScripts,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, ".cache"))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "mounts" { // whether scripts may mount something where only they see it
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt").Run() == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":     scriptCode,
			"document": scriptDocument,
			"flips":    scriptFlips,
			"targz":    scriptTarGz,
			"jar":      scriptJar,
			"flip":     scriptFlip,
			"cut":      scriptCut,
		},
	})
}

// scriptJar runs "jar FILE NAME...": it makes a jar with empty files.
func scriptJar(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: jar FILE NAME...")
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range args[1:] {
		_, err := w.Create(name)
		ts.Check(err)
	}
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out.Bytes(), 0o644))
}

// scriptCode runs "code N COMMAND ARG...": the command must end with exit code N.
func scriptCode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// scriptTarGz runs "targz FILE DIR NAME": FILE becomes a tar.gz of what DIR has, below the directory NAME.
func scriptTarGz(ts *testscript.TestScript, _ bool, args []string) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	dir := ts.MkAbs(args[1])
	ts.Check(filepath.WalkDir(dir, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.Join(args[2], rel),
			Size: int64(len(data)), Mode: 0o644}); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}))
	ts.Check(w.Close())
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out.Bytes(), 0o644))
}

// scriptFlip runs "flip FILE OFFSET": one bit of the byte there changes; a negative offset counts from the end.
func scriptFlip(ts *testscript.TestScript, _ bool, args []string) {
	offset, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	if offset < 0 {
		info, err := f.Stat()
		ts.Check(err)
		offset += info.Size()
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, offset)
	ts.Check(err)
	b[0] ^= 0x10
	_, err = f.WriteAt(b, offset)
	ts.Check(err)
}

// scriptFlips runs "flips FILE N": a byte changes in each of N places, one after the other and half of them in the
// program part; each time extract all must end with exit code 4, and nothing may appear.
func scriptFlips(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	info, err := f.Stat()
	ts.Check(err)
	p, err := payload.Open(f.Name())
	ts.Check(err)
	program := p.Manifest().Stub.Size
	ts.Check(p.Close())
	r := rand.New(rand.NewPCG(5, 6))
	for i := range n {
		at := program + r.Int64N(info.Size()-program)
		if i%2 == 0 {
			at = r.Int64N(program)
		}
		var b [1]byte
		_, err := f.ReadAt(b[:], at)
		ts.Check(err)
		_, err = f.WriteAt([]byte{b[0] ^ byte(1+r.IntN(255))}, at)
		ts.Check(err)
		scriptCode(ts, false, []string{"4", "fate-installer", "bundle", "extract", "--from", args[0], "all", "flipped"})
		if _, err := os.Lstat(ts.MkAbs("flipped")); !errors.Is(err, fs.ErrNotExist) {
			ts.Fatalf("byte %d changed: something was written", at)
		}
		_, err = f.WriteAt(b[:], at)
		ts.Check(err)
	}
	ts.Check(ts.Exec("fate-installer", "bundle", "verify", args[0]))
}

// scriptCut runs "cut FILE N": the last N bytes go.
func scriptCut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()-n))
}
