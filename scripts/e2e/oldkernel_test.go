//go:build e2e

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"fate-installer/scripts/oldkernel/seccomp"
)

// oldKernelFile runs a command in a host as on Linux 3.10; see scripts/oldkernel.
const oldKernelFile = "/root/oldkernel"

// oldKernelUnit has systemd start the supervisor so, too; what the supervisor starts inherits it.
const oldKernelUnit = "[Service]\nExecStart=\nExecStart=" + oldKernelFile + " " + programFile +
	" --base /data svc run\n"

// TestOldKernel installs a party whose installer, supervisor and programs have no system call that Linux 3.10, the
// kernel of CentOS 7, does not have. The host's own systemd has all of them.
func TestOldKernel(t *testing.T) {
	t.Parallel()
	if !seccomp.Supported() {
		t.Skip("the system calls of Linux 3.10 are known for amd64 only")
	}
	b := newBench(t, "host=192.168.0.1")
	launcher := filepath.Join(t.TempDir(), "oldkernel")
	build := exec.Command("go", "build", "-o", launcher, "../oldkernel")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := b.CopyTo(t.Context(), launcher, "host", oldKernelFile); err != nil {
		t.Fatal(err)
	}
	b.run("host", oldKernelFile, oldKernelFile, "-check")
	b.write("host", "/etc/systemd/system/fate-supervisor.service.d/oldkernel.conf", oldKernelUnit)
	bare := b.contents("host", []string{"/"}, notOurs...)

	b.step("install", func(b bench) {
		b.runOld("host", installerFile, "check", "--role", "host", "--party", "10000")
		b.t.Log(b.runOld("host", installerFile, "--role", "host", "--party", "10000"))
		b.checkFiltered("host", b.checkReady("host", modulesOfParty...))
		b.runOld("host", programFile, "test", "toy")
		if out := b.runOld("host", installerFile, "install"); !strings.Contains(out, "nothing to do") {
			b.t.Errorf("install again:\n%s", out)
		}
	})
	b.step("a killed program comes back", func(b bench) {
		before := b.checkReady("host", modulesOfParty...)
		for _, p := range before {
			b.kill("host", p.PID)
		}
		b.await("all have been started again", func() bool {
			now, _ := b.status("host")
			for name, p := range before {
				if now[name].PID == p.PID || !now[name].Ready {
					return false
				}
			}
			return true
		})
	})
	b.step("programs survive the supervisor, and are supervised on", func(b bench) {
		before := b.awaitReady("host", modulesOfParty...)
		b.run("host", "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "fate-supervisor")
		b.await("there is another supervisor", func() bool { _, code := b.status("host"); return code != 4 })
		b.checkSamePIDs(before, b.awaitReady("host", modulesOfParty...))
		const name = "fate-fateboard"
		b.kill("host", before[name].PID)
		b.await(name+" is started again", func() bool {
			now, _ := b.status("host")
			return now[name].PID != before[name].PID && now[name].Ready
		})
	})
	b.step("the commands of every day", func(b bench) {
		b.runOld("host", programFile, "svc", "restart", "all")
		b.runOld("host", programFile, "svc", "upgrade-self")
		b.checkFiltered("host", b.awaitReady("host", modulesOfParty...))
		b.runOld("host", programFile, "svc", "status")
		b.runOld("host", programFile, "svc", "logs", "fateboard")
		b.runOld("host", programFile, "diagnose", "--out", "/root/diagnosis.tar.gz")
		b.runOld("host", programFile, "test", "min")
	})
	b.step("upgrade, and back to the database of before", func(b bench) { // two directories change places by renames
		b.carryNext("host", "/root/next")
		jobs := b.jobs("host")
		b.runOld("host", "/root/next", "upgrade")
		b.checkFiltered("host", b.checkReady("host", modulesOfParty...))
		b.checkVersion("2.5.4")
		b.runOld("host", programFile, "rollback", "--yes", "--no-test")
		b.checkFiltered("host", b.checkReady("host", modulesOfParty...))
		b.checkVersion("2.5.3")
		if now := b.jobs("host"); now != jobs {
			b.t.Errorf("%d rows of jobs after the rollback, %d before the upgrade", now, jobs)
		}
		b.run("host", "test", "!", "-e", "/data/projects/data/fate/.mysql.fate-exchange")
	})
	b.step("uninstall with data leaves the host as it was", func(b bench) {
		b.runOld("host", installerFile, "uninstall", "--yes", "--purge-data")
		b.checkSame("root file system", bare, b.contents("host", []string{"/"}, notOurs...))
	})
}

// runOld runs a command of ours as on Linux 3.10.
func (b bench) runOld(host string, args ...string) string {
	b.t.Helper()
	return b.run(host, append([]string{oldKernelFile}, args...)...)
}

// checkFiltered wants the supervisor and its programs to have a filter of system calls.
func (b bench) checkFiltered(host string, programs map[string]program) {
	b.t.Helper()
	pids := map[string]string{"the supervisor": strings.TrimSpace(b.run(host, "systemctl", "show", "--property=MainPID",
		"--value", "fate-supervisor"))}
	for name, p := range programs {
		pids[name] = strconv.Itoa(p.PID)
	}
	var err error
	for name, pid := range pids {
		if status := b.run(host, "cat", "/proc/"+pid+"/status"); !strings.Contains(status, "Seccomp:\t2\n") {
			err = errors.Join(err, errors.New(name+" has all system calls:\n"+status))
		}
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
