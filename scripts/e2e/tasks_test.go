//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// pidsV1 is the pids controller of cgroup v1, in the lab host as on the machine: groups that are made here are seen
// there.
const pidsV1 = "/sys/fs/cgroup/pids"

// filler makes processes of the service user as long as it can, and takes each place that gets free.
const filler = `($<, $>, $(, $)) = (getpwnam("app"))[2, 2, 3, 3]; $SIG{CHLD} = "IGNORE";
while (1) {
	my $pid = fork;
	if (!defined $pid) { select undef, undef, undef, 0.002; next }
	exec "sleep", "600" if $pid == 0;
}`

// TestTaskLimit fills a control group that limits the tasks of the running supervisor. The supervisor lives, status and
// why name the limit, a program that cannot be started says so, and runs when the limit is raised.
func TestTaskLimit(t *testing.T) {
	t.Parallel()
	name := labName(t)
	if _, err := os.Stat(pidsV1 + "/cgroup.procs"); err != nil {
		t.Skipf("this machine has no pids controller of cgroup v1: %v", err)
	}
	t.Cleanup(func() { // after the lab, whose processes are in it
		bench{nil, t}.await("the kernel is done with the last zombie of the group", func() bool {
			err := os.Remove(pidsV1 + "/" + name)
			return err == nil || errors.Is(err, fs.ErrNotExist)
		})
	})
	b := newBench(t, "host=192.168.0.1")
	b.install("host", "--role", "host", "--party", "10000")
	b.awaitReady("host", modulesOfParty...)
	group := pidsV1 + "/" + name
	main := func() string {
		return b.run("host", "systemctl", "show", "-p", "MainPID,NRestarts", "fate-supervisor")
	}
	before := main()
	b.run("host", "sh", "-ec", `mkdir -p $1 && mount -t cgroup -o pids pids $1 && mkdir $2
		find /sys/fs/cgroup/system.slice/fate-supervisor.service -name cgroup.procs | xargs cat |
			while read -r pid; do echo $pid >$2/cgroup.procs || [ ! -d /proc/$pid ]; done`, "sh", pidsV1, group)
	used, err := strconv.Atoi(strings.TrimSpace(b.run("host", "cat", group+"/pids.current")))
	if err != nil || used < 50 {
		t.Fatalf("%d tasks are in the group, %v", used, err)
	}
	limit := used + 60
	file := group + "/pids.max"
	b.write("host", file, strconv.Itoa(limit))
	b.run("host", "sh", "-ec", `(echo $(exec sh -c 'echo $PPID') >$1/cgroup.procs
		exec setsid perl -e "$2" >/dev/null 2>&1 </dev/null) &`, "sh", group, filler)
	full := func() bool {
		now, err := strconv.Atoi(strings.TrimSpace(b.run("host", "cat", group+"/pids.current")))
		return err == nil && now >= limit
	}
	b.await("the group is full", full)

	nearly := regexp.MustCompile(fmt.Sprintf(`the limit on processes and threads is nearly reached: \d+ of %d are in `+
		`use, limit in %s`, limit, file))
	b.await("the limit is named", func() bool {
		out, code, _ := b.try("host", "fate-installer", "svc", "status", "-o", "json")
		return code == 3 && nearly.MatchString(out)
	})
	out, code, _ := b.try("host", "fate-installer", "svc", "status")
	t.Logf("svc status: exit status %d\n%s", code, out)
	if code != 3 || !strings.Contains(out, "degraded") || !nearly.MatchString(out) {
		t.Error("svc status does not name the limit")
	}
	out, code, _ = b.try("host", "fate-installer", "svc", "why", "fateboard")
	t.Logf("svc why: exit status %d\n%s", code, out)
	if !nearly.MatchString(out) || !strings.Contains(out, "TasksMax") {
		t.Error("svc why has no remedy")
	}
	b.run("host", "fate-installer", "svc", "stop", "fateboard")
	b.await("the group is full again", full) // else it could get some of the threads that it had
	b.run("host", "fate-installer", "svc", "start", "--no-wait", "fateboard")
	reached := fmt.Sprintf("task limit %d of %s reached", limit, file)
	b.await("the start says "+reached, func() bool {
		p := b.only("host", "fate-fateboard")
		return strings.Contains(p.Why, reached)
	})
	out, _, _ = b.try("host", "fate-installer", "svc", "status", "fateboard")
	t.Logf("svc status fateboard:\n%s", out)
	if now := main(); now != before {
		t.Errorf("the supervisor was restarted: %q, before %q", now, before)
	}

	b.write("host", file, "max")
	b.run("host", "sh", "-c", `for dir in /proc/[0-9]*; do
		case $(tr '\0' ' ' <$dir/cmdline 2>/dev/null) in perl\ -e\ *) kill -KILL ${dir#/proc/} ;; esac
	done; for dir in /proc/[0-9]*; do
		case $(tr '\0' ' ' <$dir/cmdline 2>/dev/null) in "sleep 600 ") kill -KILL ${dir#/proc/} ;; esac
	done; true`)
	b.awaitReady("host", modulesOfParty...)
	if now := main(); now != before {
		t.Errorf("the supervisor was restarted: %q, before %q", now, before)
	}
	b.toy("host")
}
