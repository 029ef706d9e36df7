package step

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// kills is how many random moments the kill test tries.
const kills = 50

// wholePlan has every kind that needs no supervisor, with the order that a real plan has.
func wholePlan() engine.Plan {
	var p engine.Plan
	add := func(s engine.Step, after ...engine.Step) engine.Step {
		n := engine.Node{Step: s, Title: s.ID()}
		for _, a := range after {
			n.After = append(n.After, a.ID())
		}
		p.Add(n)
		return s
	}
	group := add(Group{Name: "fate"})
	user := add(User{Name: "app", Group: "fate"}, group)
	base := add(Dir{Path: "/data/projects/fate", Owner: "app", Group: "fate"}, user)
	logs := add(Dir{Path: "/data/logs/fate", Perm: 0o750, Owner: "app", Group: "fate"}, user)
	tree := add(eggroll("1"), base)
	add(inTree("conf/eggroll.properties", "rendered=1\n"), tree)
	add(inTree("conf/route_table.json", "{}"), tree)
	add(Symlink{Path: "/data/projects/fate/current", Target: "eggroll"}, tree)
	add(File{Path: "/data/conf/pw", Content: []byte(secret), Secret: true, Owner: "app", Group: "fate"}, logs)
	add(File{Path: "/etc/my.cnf", Content: []byte("[mysqld]\n")})
	hosts := add(Hosts(HostsEntry{"10.0.0.1", []string{"party1"}}))
	add(Block{Path: "/etc/hosts", Name: "second", Lines: []string{"10.0.0.2 party2"}}, hosts)
	add(limits)
	add(sysctls)
	add(swap(1 << 20))
	add(SELinux{})
	add(Firewall{Ports: []int{9370, 9360}})
	add(Hostname{Name: "party10000"})
	add(CompatLibrary{Path: "/usr/lib/libssl.so.10", Candidates: []string{"libssl.so.1.0.0"}})
	self := add(Self{Path: "/usr/local/bin/fate-installer", Digest: engine.Hash([]byte(selfContent))})
	add(unit, self)
	return p
}

func wholeTree() map[string]string {
	return with("/etc/my.cnf", "[old]\n", "/etc/fstab", "", "/proc/swaps", "", "/proc/self/mountinfo", ext4Mounts,
		"/proc/sys/kernel/osrelease", "6.1.0\n",
		"/proc/sys/kernel/hostname", "bare\n", "/etc/hostname", "bare\n", "/proc/sys/vm/max_map_count", "65530\n",
		"/etc/selinux/config", "SELINUX=enforcing\n", "/sys/fs/selinux/enforce", "1", "/usr/lib/libssl.so.1.0.0", "elf",
		"/usr/local/bin/", "",
		"/etc/security/limits.d/20-nproc.conf", "* soft nproc 4096\n", runDir+"/active/firewalld", "", portsNow,
		"22/tcp\n", portsBoot, "22/tcp\n")
}

// countChanges calls at with the number of each change, in the order in which they come. A command is no change of this
// process, and lives on when this process is killed.
func countChanges(w *world, at func(n int64)) {
	var count atomic.Int64
	tick := func() {
		if !w.machine.busy.Load() {
			at(count.Add(1))
		}
	}
	w.host.InjectFaults(w.t, func(host.Op, string) error { tick(); return nil })
	w.payload.tick = tick
}

// TestKilledAtAnyMoment kills the process at random changes of an installation and of its removal, and expects that
// running again ends in the same tree as a run that was never disturbed.
func TestKilledAtAnyMoment(t *testing.T) {
	reference := newWorld(t, tempDir(t), true, wholeTree())
	before := reference.snapshot()
	var changes, removals atomic.Int64
	countChanges(reference, func(n int64) { changes.Store(n) })
	reference.whole(t, "install")
	installed := reference.snapshot()
	countChanges(reference, func(n int64) { removals.Store(n) })
	reference.whole(t, "uninstall")
	sameTree(t, "after an undisturbed uninstall", before, reference.snapshot())
	for i := range kills {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			w := newWorld(t, tempDir(t), true, wholeTree())
			must(t, w.journal.Close())
			for range 1 + rnd.IntN(2) {
				killAt(t, w.dir, "install", 1+rnd.Int64N(changes.Load()))
				loseLastDone(t, w.dir, rnd)
			}
			if rnd.IntN(3) == 0 { // give up halfway instead
				killAt(t, w.dir, "uninstall", 1+rnd.Int64N(removals.Load()))
				again := newWorld(t, w.dir, true, nil)
				again.whole(t, "uninstall")
				sameTree(t, "after the uninstall of half an installation", before, again.snapshot())
				return
			}
			again := newWorld(t, w.dir, true, nil)
			again.whole(t, "install")
			sameTree(t, "after the second run", installed, again.snapshot())
			must(t, again.journal.Close())
			killAt(t, w.dir, "uninstall", 1+rnd.Int64N(removals.Load()))
			again = newWorld(t, w.dir, true, nil)
			again.whole(t, "uninstall")
			sameTree(t, "after the uninstall", before, again.snapshot())
		})
	}
}

// whole installs or uninstalls the whole plan.
func (w *world) whole(t testingT, what string) {
	t.Helper()
	env := w.env()
	env.Parallel = 4
	if what == "install" {
		_, err := engine.Apply(t.Context(), wholePlan(), env, w.journal, nil)
		must(t, err)
		return
	}
	r, err := engine.Undo(t.Context(), env, w.journal, engine.Everything, Undoer, nil)
	must(t, err)
	if n := r.Count(engine.Undone); n != len(r.Steps) {
		t.Fatal(fmt.Sprintf("%d of %d steps undone: %+v", n, len(r.Steps), r.Steps))
	}
}

// The child process of the kill test is this test binary with these variables.
const (
	killDir  = "STEP_TEST_KILL_DIR"
	killWhat = "STEP_TEST_KILL_WHAT"
	killMark = "STEP_TEST_KILL_AT"
)

// killAt lets a child work on a tree until its n-th change, or soon after it, and then it is gone without a word.
func killAt(t *testing.T, dir, what string, n int64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKillChild$")
	child.Env = append(os.Environ(), killDir+"="+dir, killWhat+"="+what, killMark+"="+strconv.FormatInt(n, 10))
	out, err := child.CombinedOutput()
	status, _ := child.ProcessState.Sys().(syscall.WaitStatus)
	if err != nil && status.Signal() != syscall.SIGKILL { // the order of the changes differs, so it may also finish
		t.Fatalf("child: %v\n%s", err, out)
	}
}

// TestKillChild is the child process; on its own it does nothing.
func TestKillChild(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("it is a part of TestKilledAtAnyMoment")
	}
	at, err := strconv.ParseInt(os.Getenv(killMark), 10, 64)
	must(t, err)
	w := newWorld(t, dir, true, nil)
	countChanges(w, func(n int64) {
		// Not while a command runs, which a kill of this process would not end. To wait for the command here could be
		// to wait for ever: it may need what is locked around this change.
		if n >= at && w.machine.mu.TryLock() {
			must(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
			select {} // the signal is on its way
		}
	})
	w.whole(t, os.Getenv(killWhat))
}

// loseLastDone does what a power cut does beyond a kill: the last record, if it is one that nothing depends on yet, did
// not reach the disk, or half of it did.
func loseLastDone(t *testing.T, dir string, rnd *rand.Rand) {
	t.Helper()
	file := filepath.Join(dir, stateDir, "journal")
	data, err := os.ReadFile(file)
	must(t, err)
	lines := bytes.SplitAfter(data, []byte("\n"))
	if len(lines) < 2 {
		return
	}
	last := lines[len(lines)-2] // after the last newline there is nothing
	var r struct{ Op string }
	if json.Unmarshal(last, &r) != nil || r.Op != "done" {
		return
	}
	must(t, os.Truncate(file, int64(len(data)-1-rnd.IntN(len(last)))))
}

// TestSecretsStayOutOfTheJournal looks into everything that a whole installation wrote for the state directory.
func TestSecretsStayOutOfTheJournal(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with("/data/conf/pw", secret+" before"))
	w.run(t, File{Path: "/data/conf/pw", Content: []byte(secret), Secret: true})
	if strings.Contains(w.read(stateDir+"/journal"), secret) {
		t.Error("the journal has it")
	}
	backup := engine.Hash([]byte(secret + " before"))
	fi, err := w.host.Lstat(stateDir + "/backup/" + backup)
	must(t, err)
	if fi.Mode().Perm() != 0o600 {
		t.Errorf("the backup has mode %v", fi.Mode())
	}
}
