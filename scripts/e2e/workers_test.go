//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"fate-installer/scripts/debian"
	"fate-installer/scripts/lab/lab"
)

// longJob submits a toy job whose workers compute for longer than eggroll's watchers need to notice a fault (two looks
// at a processor that are 10 s apart, and 20 s of timeout), and prints the status it ends with, or the one it has
// after the given seconds. Arguments: address of FATE-Flow, party, seconds to compute, seconds to wait.
const longJob = `import json, sys, time, urllib.request
address, party, compute, wait = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
def call(path, body):
    request = urllib.request.Request("http://" + address + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    answer = json.load(urllib.request.urlopen(request, timeout=60))
    if answer["retcode"]:
        sys.exit("%s: %s" % (path, answer))
    return answer
conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": party}, "role": {"guest": [party], "host": [party]},
        "job_parameters": {"common": {"task_cores": 1, "standin_seconds": compute}}}
dsl = {"components": {"secure_add_example_0": {"module": "SecureAddExample"}}}
job = call("/v1/job/submit", {"job_dsl": dsl, "job_runtime_conf": conf})["jobId"]
end = time.time() + wait
while True:
    status = call("/v1/job/query", {"job_id": job, "role": "guest"})["data"][0]["f_status"]
    if status in ("success", "failed", "canceled", "timeout") or time.time() > end:
        break
    time.sleep(1)
if status == "running":
    call("/v1/job/stop", {"job_id": job})
print(status)
`

// findWorkers looks at the script that a process runs, and not at its whole command line: that of this program, and of
// what starts it, has the name of the script as well.
const findWorkers = `import glob, os, signal
def words(file):
    try:
        return open(file, "rb").read().split(b"\0")
    except OSError: # the process has ended
        return []
found = [int(f.split("/")[2]) for f in glob.glob("/proc/[0-9]*/cmdline") if any(w.endswith(b"/egg_pair.py") for w in words(f)[1:2])]
`

const (
	countWorkers = findWorkers + "print(len(found))\n"
	killWorkers  = findWorkers + "for pid in found: os.kill(pid, signal.SIGKILL)\n"
)

const (
	labPython      = "/data/projects/fate/common/python/venv/bin/python"
	eggrollFile    = "/data/projects/fate/eggroll/conf/eggroll.properties"
	managerLogFile = "/data/logs/fate/eggroll/bootstrap.clustermanager.out"
)

// long runs a long job on a party of one host and returns its status.
func (b bench) long(host, address, party string, wait int) string {
	b.t.Helper()
	return strings.TrimSpace(b.run(host, labPython, "-c", longJob, address+":9380", party, "50", strconv.Itoa(wait)))
}

// workers counts the egg_pair processes of a host.
func (b bench) workers(host string) int {
	b.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(b.run(host, labPython, "-c", countWorkers)))
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// managerSays reports whether the clustermanager's log has a text.
func (b bench) managerSays(host, text string) bool {
	b.t.Helper()
	return strings.Contains(b.run(host, "cat", managerLogFile), text)
}

// TestWorkers runs long jobs on a host that has none of the programs with which eggroll stops and watches its workers,
// and proves that the stand-ins notice what the product prevents: the missing programs, and a time zone in the
// database's URL that is not the host's. make e2e-long runs long jobs with procps and with busybox, too.
func TestWorkers(t *testing.T) {
	t.Parallel()
	const bare, full = "192.168.0.1", "192.168.1.1"
	b := newBench(t, "bare="+bare, "full="+full)
	for _, name := range []string{"ps", "kill", "pgrep", "awk", "mawk", "grep", "xargs", "which", "getopt"} {
		b.run("bare", "rm", "-f", "/usr/bin/"+name)
	}
	b.addProcps("full")
	b.run("full", "ln", "-sf", "/usr/share/zoneinfo/America/New_York", "/etc/localtime")

	b.step("a host without the programs", func(b bench) {
		out, _, err := b.try("bare", installerFile, "check", "--all", "--role", "host", "--party", "10000")
		want := "awk, grep, kill, ps, which, xargs not on this host, fate-installer's own serve instead"
		if err != nil ||
			!strings.Contains(out, want) {
			b.t.Errorf("check does not say %q (%v):\n%s", want, err, out)
		}
		b.install("bare", "--role", "host", "--party", "10000")
		b.checkWorkers("bare", bare, "10000")
	})
	b.step("a host with procps in New York", func(b bench) {
		b.install("full", "--role", "guest", "--party", "9999")
		if long() {
			b.checkWorkers("full", full, "9999")
		}
	})
	b.step("without ps and kill the stand-ins fail as eggroll does", func(b bench) {
		b.run("bare", "rm", "/data/projects/common/tools/ps", "/data/projects/common/tools/kill")
		if status := b.long("bare", bare, "10000", 80); status == "success" {
			b.t.Error("a long job succeeds where eggroll cannot see its workers")
		}
		for _, text := range []string{" change status RUNNING_ERROR", "session watcher kill eggpair session"} {
			if !b.managerSays("bare", text) {
				b.t.Errorf("the clustermanager's log has no %q", text)
			}
		}
		if b.workers("bare") == 0 {
			b.t.Error("no worker is left, though nothing can stop one")
		}
		b.run("bare", labPython, "-c", killWorkers) // eggroll has given them up, and the next step counts its own
	})
	if long() {
		b.step("a host with busybox", func(b bench) { b.busyboxHost(bare) })
	}
	b.step("with upstream's time zone in the URL no session starts", bench.upstreamZone)
}

// busyboxHost installs on a host whose tools are busybox's.
func (b bench) busyboxHost(address string) {
	b.addBusybox("bare")
	out, _, err := b.try("bare", installerFile, "check", "--all", "--role", "host", "--party", "10000")
	want := "/usr/bin/ps does not do what eggroll needs (the second column of ps aux is not the process ID)"
	if err != nil ||
		!strings.Contains(out, want) || strings.Contains(out, "/usr/bin/awk does not") {
		b.t.Errorf("check does not say %q, and nothing else of the kind (%v):\n%s", want, err, out)
	}
	b.run("bare", "truncate", "--size", "0", managerLogFile)
	b.install("bare", "--role", "host", "--party", "10000")
	b.checkWorkers("bare", address, "10000")
}

// upstreamZone gives eggroll the URL of upstream's template, with which no job runs, and has the installer repair it.
func (b bench) upstreamZone() {
	before := b.run("full", "cat", eggrollFile)
	wrong := strings.Replace(before, "connectionTimeZone=UTC&forceConnectionTimeZoneToSession=true",
		"serverTimezone=Asia/Shanghai", 1)
	if wrong == before {
		b.t.Fatalf("eggroll.properties has another URL:\n%s", before)
	}
	b.write("full", eggrollFile, wrong)
	b.run("full", programFile, "svc", "restart", "clustermanager")
	b.awaitReady("full", modulesOfParty...)
	if b.tryToy("full") {
		b.t.Error("the toy job passes with a URL that makes sessions look 13 hours old")
	}
	if want := "status stay at NEW too long ,prepare to kill"; !b.managerSays("full", want) {
		b.t.Errorf("the clustermanager's log has no %q", want)
	}
	b.install("full", "--role", "guest", "--party", "9999", "--force-config")
	b.awaitReady("full", modulesOfParty...)
	b.toy("full")
}

// checkWorkers runs a short and a long job; both have to pass and leave no worker.
func (b bench) checkWorkers(host, address, party string) {
	b.t.Helper()
	b.awaitReady(host, modulesOfParty...)
	b.toy(host)
	if status := b.long(host, address, party, 150); status != "success" {
		b.t.Errorf("a long job ended with %q", status)
	}
	// FATE-Flow stops a session after its job, some seconds after the job's status says success.
	b.await("no worker is left on host "+host, func() bool { return b.workers(host) == 0 })
	for _, text := range []string{"RUNNING_ERROR", "session watcher kill", "too long"} {
		if b.managerSays(host, text) {
			b.t.Errorf("the clustermanager's log has %q", text)
		}
	}
	b.t.Logf("%s: a long job passed, %d workers are left", host, b.workers(host))
}

// debianTree unpacks packages of Debian into a temporary directory.
func (b bench) debianTree(names ...string) string {
	b.t.Helper()
	dir := b.t.TempDir()
	packages, err := debian.Resolve(b.t.Context(), names)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := debian.Download(b.t.Context(), dir, packages); err != nil {
		b.t.Fatal(err)
	}
	tree := filepath.Join(dir, "tree")
	for _, p := range packages {
		if out, err := exec.Command("dpkg-deb", "--extract",
			filepath.Join(dir, p.File), tree).CombinedOutput(); err != nil {
			b.t.Fatalf("dpkg-deb: %v\n%s", err, out)
		}
	}
	return tree
}

// addProcps puts Debian's procps on a host, as far as it is needed.
func (b bench) addProcps(host string) {
	b.t.Helper()
	tree := b.debianTree("procps", "libproc2-0")
	libraries, err := filepath.Glob(filepath.Join(tree, "*/*/libproc2.so.0*"))
	more, moreErr := filepath.Glob(filepath.Join(tree, "usr/lib/*/libproc2.so.0*"))
	if err := errors.Join(err, moreErr); err != nil {
		b.t.Fatal(err)
	}
	for _, file := range append(append(libraries, more...), filepath.Join(tree, "bin/ps"),
		filepath.Join(tree, "bin/kill")) {
		target := "/usr/lib"
		if filepath.Base(filepath.Dir(file)) == "bin" {
			target = "/usr/bin"
		}
		if err := b.CopyTo(b.t.Context(), file, host, fmt.Sprintf("%s/%s", target, filepath.Base(file))); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := b.Run(b.t.Context(), host, lab.Cmd{Args: []string{"ps", "aux"}}); err != nil {
		b.t.Fatalf("procps does not run on the host: %v", err)
	}
}

// addBusybox puts busybox on a host under the names of eggroll's tools.
func (b bench) addBusybox(host string) {
	b.t.Helper()
	if err := b.CopyTo(b.t.Context(), filepath.Join(b.debianTree("busybox-static"), "bin/busybox"), host,
		"/usr/bin/busybox"); err != nil {
		b.t.Fatal(err)
	}
	for _, name := range []string{"ps", "kill", "awk", "grep", "xargs", "which"} {
		b.run(host, "ln", "-s", "busybox", "/usr/bin/"+name)
	}
}
