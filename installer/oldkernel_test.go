package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/tools"
	"fate-installer/scripts/oldkernel/seccomp"
)

// oldKernel runs the program as on Linux 3.10, the oldest kernel it promises to work on; see package seccomp.
type oldKernel struct {
	t   *testing.T
	bin string // has the programs fate-installer and oldkernel
	dir string // where commands are run
}

// TestOldKernel runs the program as it is released, static, without the system calls that are younger than Linux 3.10.
func TestOldKernel(t *testing.T) {
	if !seccomp.Supported() {
		t.Skip("the system calls of Linux 3.10 are known for amd64 only")
	}
	if testing.Short() {
		t.Skip("it runs other processes, which the race detector does not see")
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+"/", ".", "../scripts/oldkernel")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Rename(filepath.Join(bin, "installer"), filepath.Join(bin, "fate-installer")); err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct {
		name string
		test func(k oldKernel)
	}{{"bundle", bundleOnOldKernel}, {"install", installOnOldKernel}, {"supervise", superviseOnOldKernel},
		{"tools", toolsOnOldKernel}} {
		t.Run(part.name, func(t *testing.T) {
			k := oldKernel{t, bin, t.TempDir()}
			if out, stderr, code := k.try("oldkernel", "-check"); code != 0 {
				t.Fatalf("the system calls are still there: %s%s", out, stderr)
			}
			part.test(k)
		})
	}
}

// command is a command line as on Linux 3.10; the program is called by its name or by a path.
func (k oldKernel) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(k.bin, "oldkernel"), args...)
	cmd.Dir = k.dir
	cmd.Env = append(os.Environ(), "PATH="+k.bin+":"+os.Getenv("PATH"), "HOME="+k.dir,
		"XDG_CACHE_HOME="+filepath.Join(k.dir, ".cache"))
	return cmd
}

// try returns what a command printed, and its exit code.
func (k oldKernel) try(args ...string) (stdout, stderr string, code int) {
	k.t.Helper()
	var out, errs bytes.Buffer
	cmd := k.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		k.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// want runs the program, which has to succeed and to print all the texts, and returns what it printed.
func (k oldKernel) want(texts []string, args ...string) string {
	k.t.Helper()
	out, stderr, code := k.try(append([]string{"fate-installer"}, args...)...)
	if code != exit.OK {
		k.t.Fatalf("fate-installer %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, stderr)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			k.t.Errorf("fate-installer %s does not print %q:\n%s", strings.Join(args, " "), text, out)
		}
	}
	return out
}

// write makes a file in the directory of commands.
func (k oldKernel) write(name, text string) string {
	k.t.Helper()
	file := filepath.Join(k.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o755)); err != nil {
		k.t.Fatal(err)
	}
	return file
}

// wantFile compares a file with what has to be in it.
func (k oldKernel) wantFile(file, text string) {
	k.t.Helper()
	if !filepath.IsAbs(file) {
		file = filepath.Join(k.dir, file)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != text {
		k.t.Errorf("%s has %q, %v, want %q", file, data, err, text)
	}
}

const tinyLock = `schema: 1
release: {fate: 1.11.4, platform: linux/amd64}
components:
  - {name: jdk, version: "1.8", sources: [{path: jdk}]}
  - {name: tools, version: "1", platform: any, sources: [{path: run.sh, into: bin}]}
`

// bundleOnOldKernel builds an appliance and reads it in every way.
func bundleOnOldKernel(k oldKernel) {
	k.want([]string{"fate-installer"}, "version")
	k.want([]string{"Exit status:", "bundle"}, "--help")

	// One file of more than a frame is written by several workers, in a different way.
	java := strings.Repeat("a line of a large file\n", 1<<20)
	k.write("demo.lock.yaml", tinyLock)
	k.write("jdk/bin/java", java)
	k.write("run.sh", "#!/bin/sh\n")
	if err := os.Symlink("bin/java", filepath.Join(k.dir, "jdk/java")); err != nil {
		k.t.Fatal(err)
	}
	k.want([]string{"locked jdk"}, "bundle", "lock", "demo.lock.yaml")
	k.want([]string{"2 components", "verified"}, "bundle", "build", "--lock", "demo.lock.yaml", "--out",
		"fate-installer-demo", "--level", "1")
	k.want([]string{"FATE 1.11.4", "tools"}, "bundle", "inspect", "fate-installer-demo")
	k.want([]string{"is whole"}, "bundle", "verify", "fate-installer-demo")
	k.want([]string{"jdk 1.8: 1 file"}, "bundle", "extract", "--from", "fate-installer-demo", "all", "out")
	k.wantFile("out/jdk/java", java)
	k.wantFile("out/tools/bin/run.sh", "#!/bin/sh\n")
	if _, stderr, code := k.try("fate-installer", "bundle", "extract", "--from",
		"fate-installer-demo", "all", "out"); code != exit.Usage || !strings.Contains(stderr, "it exists") {
		k.t.Errorf("extract to what is there: exit code %d\n%s", code, stderr)
	}
	// The appliance is the program too.
	if out, stderr, code := k.try("./fate-installer-demo", "bundle", "extract", "tools", "own"); code != exit.OK {
		k.t.Errorf("exit code %d\n%s%s", code, out, stderr)
	}
	k.wantFile("own/bin/run.sh", "#!/bin/sh\n")

	file := filepath.Join(k.dir, "fate-installer-demo")
	data, err := os.ReadFile(file)
	if err != nil {
		k.t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(file, data, 0o755); err != nil {
		k.t.Fatal(err)
	}
	if _, stderr, code := k.try("fate-installer", "bundle", "extract", "--from",
		"fate-installer-demo", "all", "damaged"); code != exit.Payload {
		k.t.Errorf("extract from a damaged file: exit code %d\n%s", code, stderr)
	}
	if _, err := os.Lstat(filepath.Join(k.dir, "damaged")); err == nil {
		k.t.Error("a damaged file was extracted")
	}
}

// installOnOldKernel goes from a cluster file to an installation in a tree, to the next version and back, and to
// nothing.
func installOnOldKernel(k oldKernel) {
	k.want(nil, append(slices.Clone(threeSides), "--out", "cluster.yaml")...)
	k.want([]string{"service_conf.yaml"}, "render", "--config", "cluster.yaml", "--ip", "192.168.0.1", "--fate-version",
		"1.11.4", "--out", "tree")
	if info, err := os.Stat(filepath.Join(k.dir, "tree/data/projects/fate/conf/service_conf.yaml")); err != nil ||
		info.Size() == 0 {
		k.t.Errorf("service_conf.yaml: %v", err)
	}
	k.want(nil, "keys", "--config", "cluster.yaml", "--out", "keys")

	root := machine(k.t)
	old, next := applianceOf(k.t, map[string]string{"jdk": "8u345", "eggroll": "2.5.2"}),
		applianceOf(k.t, map[string]string{"jdk": "8u345", "eggroll": "2.5.3"})
	on := func(verb, appliance string, args ...string) []string {
		return append([]string{verb, "--root", root, "--payload", appliance}, args...)
	}
	exchange := []string{"--role", "exchange", "--ip", "192.168.0.88"}
	version := filepath.Join(root, "data/projects/fate/eggroll/README")
	k.want([]string{"+ ", "eggroll"}, on("plan", old, exchange...)...)
	k.want(nil, on("install", old, exchange...)...)
	k.wantFile(version, "2.5.2")
	k.want([]string{"nothing to do"}, on("install", old, exchange...)...)
	k.want([]string{"2.5.2 -> 2.5.3"}, on("upgrade", next)...)
	k.wantFile(version, "2.5.3")
	k.want(nil, "rollback", "--root", root)
	k.wantFile(version, "2.5.2")
	k.want(nil, "uninstall", "--root", root, "--yes")
	if _, err := os.Stat(version); err == nil {
		k.t.Error("uninstall leaves eggroll")
	}
}

// toolsOnOldKernel stops a process by eggroll's pipeline, with nothing but the program's own tools.
func toolsOnOldKernel(k oldKernel) {
	for _, name := range tools.Names() {
		if err := os.Symlink(filepath.Join(k.bin, "fate-installer"), filepath.Join(k.dir, name)); err != nil {
			k.t.Fatal(err)
		}
	}
	const script = `PATH=$PWD; (exec -a 'worker session-id 7' /bin/sleep 600) & worker=$!
while ! ps aux | grep -q 'session-id [7]'; do :; done
ps aux | grep 'session-id [7]' | grep -v grep | awk '{print $2}' | xargs kill; wait $worker; echo ended $?`
	out, stderr, code := k.try("/bin/bash", "-c", script)
	if code != 0 || out != "ended 143\n" || stderr != "" {
		k.t.Errorf("exit code %d, output %q, errors %q", code, out, stderr)
	}
}
