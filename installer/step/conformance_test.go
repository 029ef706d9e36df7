package step

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/engine"
)

// conformant is a case of the suite that holds every kind of step to the promises of the package.
type conformant struct {
	name  string
	files map[string]string   // the tree before
	step  engine.Step         // has something to do in that tree
	live  bool                // with commands
	after func(*world) string // an extra check after Apply; "" is good
}

// secret must appear in no journal.
const secret = "s3cr3t-p#ss"

var baseTree = map[string]string{
	"/etc/passwd":       "root:x:0:0:root:/root:/bin/bash\n",
	"/etc/group":        "root:x:0:\nusers:x:100:\napps:x:6000:\n",
	"/etc/shadow":       "root:*:19000:0:99999:7:::\n",
	"/etc/hosts":        "127.0.0.1 localhost\n",
	"/etc/skel/.bashrc": "skel\n",
	"/var/spool/mail/":  "",
	"/home/":            "",
	"/etc/systemd/system/multi-user.target.wants/": "",
	"/etc/systemd/system/timers.target.wants/":     "",
	runDir + "/active/":                            "",
}

func with(more ...string) map[string]string {
	m := map[string]string{}
	for k, v := range baseTree {
		m[k] = v
	}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func eggroll(version string) Unpack {
	return Unpack{Component: "eggroll " + version, Version: version, Digest: "digest-" + version,
		Target: "/data/projects/fate/eggroll", Owner: "app", Group: "apps", Keep: []string{"models", "logs/jobs"}}
}

var limits = Limits{Path: "/etc/security/limits.d/99-fate.conf", Entries: []Limit{
	{"*", "soft", "nofile", "65535"}, {"*", "soft", "nproc", "65535"}, {"*", "hard", "nproc", "65535"},
}}

var sysctls = Sysctl{Path: "/etc/sysctl.d/90-fate.conf", Values: []SysctlValue{
	{Key: "vm.max_map_count", Value: "262144", AtLeast: true}, {Key: "fs.file-max", Value: "65535", AtLeast: true},
	{Key: "net.ipv4.tcp_keepalive_time", Value: "60", AtMost: true},
	{Key: "net.ipv4.ip_local_port_range", Value: "10000 60000"},
}}

var docs = docsOf("1", "/fate-installer.1", "/fate-installer-svc.1")

// docsOf are the pages of a program.
func docsOf(version string, pages ...string) Docs {
	d := Docs{Program: "/usr/local/bin/fate-installer", Digest: "digest-" + version, Known: true,
		Files: []Doc{{CompletionDir + "/fate-installer", "complete"}}}
	for _, page := range pages {
		d.Files = append(d.Files, Doc{ManDir + page, "page of " + version})
	}
	return d
}

var unit = BootUnit{Name: "fate-supervisor.service", Content: []byte("[Service]\n")}

var cases = []conformant{
	{name: "dir new", files: baseTree, step: Dir{Path: "/data/projects/fate", Perm: 0o750,
		Owner: "app", Group: "apps"}},
	{name: "dir other mode", files: with("/data/logs/", ""), step: Dir{Path: "/data/logs", Perm: 0o700, Owner: "app"}},
	{name: "dir behind link", files: with("/disk2/data/", "", "/data", "-> /disk2/data"),
		step: Dir{Path: "/data", Perm: 0o700, Owner: "app"}},
	{name: "file new", files: baseTree, step: File{Path: "/data/conf/a.yaml", Content: []byte("a: 1\n"),
		Owner: "app", Group: "apps"}},
	{name: "file replaces", files: with("/etc/my.cnf", "[mysqld]\n"),
		step: File{Path: "/etc/my.cnf", Content: []byte("[x]\n")}},
	{name: "file replaces secret by secret", files: with("/etc/pw", secret+" old"),
		step: File{Path: "/etc/pw", Content: []byte(secret), Secret: true}},
	{name: "file mode only", files: with("/etc/a", "same"), step: File{Path: "/etc/a",
		Content: []byte("same"), Perm: 0o600}},
	{name: "file instead of link", files: with("/etc/a", "-> /etc/b", "/etc/b", "b"),
		step: File{Path: "/etc/a", Content: []byte("a")}},
	{name: "file keeps edits", files: baseTree, step: File{Path: "/etc/a.conf", Content: []byte("a"), KeepEdits: true}},
	{name: "file empty", files: baseTree, step: File{Path: "/etc/a.conf"}},
	{name: "link new", files: baseTree, step: Symlink{Path: "/data/current", Target: "slots/1"}},
	{name: "link moved", files: with("/data/current", "-> slots/0"),
		step: Symlink{Path: "/data/current", Target: "slots/1", Owner: "app", Group: "apps"}},
	{name: "block new", files: baseTree, step: Hosts(HostsEntry{"10.0.0.1", []string{"party1", "p1"}},
		HostsEntry{"10.0.0.2", []string{"party2"}})},
	{name: "block without newline", files: with("/etc/hosts", "127.0.0.1 localhost"),
		step: Hosts(HostsEntry{"10.0.0.1", []string{"party1"}})},
	{name: "block without file", files: baseTree, step: Block{Path: "/etc/new/fstab", Name: "swap",
		Lines: []string{"/swap none swap sw 0 0"}}},
	{name: "group in a tree", files: with("/etc/gshadow", "root:::\n"), step: Group{Name: "fate"}},
	{name: "group on a machine", files: baseTree, step: Group{Name: "fate", GID: 6001}, live: true},
	{name: "user in a tree", files: baseTree, step: User{Name: "app", Group: "apps"}},
	{name: "user on a machine", files: baseTree, step: User{Name: "app", Group: "apps", UID: 1234}, live: true},
	{name: "user joins in a tree", files: with("/etc/passwd", "app:x:77:100::/home/app:/bin/sh\n"),
		step: User{Name: "app", Group: "apps"}},
	{name: "user joins on a machine", files: with("/etc/passwd", "app:x:77:100::/home/app:/bin/sh\n"),
		step: User{Name: "app", Group: "apps"}, live: true},
	{name: "unpack new", files: baseTree, step: eggroll("1")},
	{name: "unpack into empty directory", files: with("/data/projects/fate/eggroll/", ""), step: eggroll("1")},
	{name: "unpack over kept data", files: with("/data/projects/fate/eggroll/models/m1", "trained",
		"/data/projects/fate/eggroll/logs/jobs/1", "log"), step: eggroll("1")},
	{name: "self new", files: with("/usr/local/bin/", ""), step: Self{Path: "/usr/local/bin/fate-installer",
		Digest: engine.Hash([]byte(selfContent))}},
	{name: "self replaces", files: with("/usr/local/bin/fate-installer", "older"),
		step: Self{Path: "/usr/local/bin/fate-installer", Digest: engine.Hash([]byte(selfContent))}},
	{name: "docs new", files: with("/etc/bash_completion.d/", ""), step: docs},
	{name: "docs next to an operator's", files: with(ManDir+"/fate-installer.1", "operator's"), step: docs,
		after: func(w *world) string {
			if got := w.read(ManDir + "/fate-installer.1"); got != "operator's" {
				return "it replaced the operator's page by " + got
			}
			return ""
		}},
	{name: "docs by the installed program", files: with("/usr/local/bin/fate-installer", "older"), live: true,
		step: Docs{Program: "/usr/local/bin/fate-installer", Digest: "d"}, after: func(w *world) string {
			if got := w.read(ManDir + "/fate-installer.1"); got != "printed" {
				return "the page of the installed program is " + got
			}
			return ""
		}},
	{name: "unit in a tree", files: baseTree, step: unit},
	{name: "timer on a machine", files: baseTree, live: true, step: BootUnit{Name: "fate-backup.timer",
		Content: []byte("[Timer]\n"), Reads: []string{"fate-backup.service"}}},
	{name: "unit on a machine", files: baseTree, step: unit, live: true, after: func(w *world) string {
		if !w.exists(runDir + "/active/fate-supervisor.service") {
			return "it is not running"
		}
		return ""
	}},
	{name: "start programs", files: baseTree, step: StartPrograms{Names: []string{"fate-mysql", "fate-fateflow"},
		Inputs: "v1"}, live: true},
	{name: "limits", files: with("/etc/security/limits.d/", ""), step: limits},
	{name: "limits against 20-nproc", files: with("/etc/security/limits.d/20-nproc.conf",
		"# Default limit\n*          soft    nproc     4096\nroot       soft    nproc     unlimited\n"), step: limits,
		after: func(w *world) string {
			if got := w.read("/etc/security/limits.d/20-nproc.conf"); !strings.Contains(got,
				offPrefix+"*          soft    nproc     4096\nroot ") {
				return got
			}
			return ""
		}},
	{name: "sysctl in a tree", files: baseTree, step: sysctls},
	{name: "sysctl on a machine", live: true, files: with("/proc/sys/vm/max_map_count", "65530\n",
		"/proc/sys/fs/file-max", "9223372036854775807\n", "/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n"),
		step: sysctls, after: func(w *world) string {
			if got := w.read("/etc/sysctl.d/90-fate.conf"); strings.Contains(got, "file-max") {
				return "it lowers fs.file-max: " + got
			}
			return ""
		}},
}

func swap(size int64) Swap { return Swap{Path: "/data/swapfile 1M", Size: size} }

const ext4Mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

// osCases are the kinds that prepare the operating system.
var osCases = []conformant{
	{name: "swap in a tree", files: with("/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n"), step: swap(1 << 20)},
	{name: "swap on a machine", live: true, files: with("/etc/fstab", "/dev/sda1 / ext4 defaults 0 1", "/proc/swaps",
		"Filename Type Size Used Priority\n", "/proc/self/mountinfo", ext4Mounts,
		"/proc/sys/kernel/osrelease", "6.1.0\n"), step: swap(1 << 20)},
	{name: "swap written", live: true, files: with("/etc/fstab", "", "/proc/swaps", "", "/proc/self/mountinfo",
		strings.ReplaceAll(ext4Mounts, "ext4", "xfs"), "/proc/sys/kernel/osrelease", "3.10.0-1160.el7.x86_64\n"),
		step: swap(1 << 20)},
	{name: "selinux", live: true, files: with("/etc/selinux/config",
		"# enforcing - policy is enforced.\nSELINUX=enforcing\nSELINUXTYPE=targeted\n", "/sys/fs/selinux/enforce", "1"),
		step: SELinux{}, after: func(w *world) string {
			if got := w.read("/etc/selinux/config"); !strings.Contains(got,
				"# enforcing - policy is enforced.\nSELINUX=permissive\n") {
				return got
			}
			return ""
		}},
	{name: "selinux in a tree", files: with("/etc/selinux/config", "SELINUX=enforcing\n"), step: SELinux{}},
	{name: "firewalld open", live: true, files: with(runDir+"/active/firewalld", "", portsNow,
		"22/tcp\n8000-8100/tcp\n", portsBoot, "9370/tcp\n"), step: Firewall{Ports: []int{8080, 9370, 9371}},
		after: func(w *world) string {
			if got := w.read(portsNow) + w.read(portsBoot); got != "22/tcp\n8000-8100/tcp\n9370/tcp\n9371/tcp\n"+
				"9370/tcp\n8080/tcp\n9371/tcp\n" {
				return got
			}
			return ""
		}},
	{name: "firewalld off", live: true, files: with(runDir+"/active/firewalld", "",
		"/etc/systemd/system/multi-user.target.wants/firewalld", "-> /etc/systemd/system/firewalld"),
		step: Firewall{Disable: true}},
	{name: "ufw open", live: true, files: with(ufwConfig, "ENABLED=yes\n", portsNow, "22/tcp\n8080/tcp\n"),
		step: Firewall{Ports: []int{8080, 9370, 9371}}},
	{name: "ufw off", live: true, files: with(ufwConfig, "ENABLED=yes\n", portsNow, ""), step: Firewall{Disable: true}},
	{name: "sudoers", live: true, files: with("/etc/sudoers.d/", ""), step: Sudoers{User: "app"}},
	{name: "sudoers in a tree", files: baseTree, step: Sudoers{User: "app"}},
	{name: "library", files: with("/usr/lib/libssl.so.1.0.0", "elf", "/usr/lib/libssl.so.10", "-> libssl.so.gone"),
		step: CompatLibrary{Path: "/usr/lib/libssl.so.10", Candidates: []string{"libssl.so.1.0.2", "libssl.so.1.0.0"}}},
	{name: "hostname", live: true, files: with("/etc/hostname", "localhost\n",
		"/proc/sys/kernel/hostname", "localhost\n"), step: Hostname{Name: "party10000"}},
	{name: "hostname in a tree", files: baseTree, step: Hostname{Name: "party10000"}},
}

func (c conformant) world(t *testing.T) *world {
	t.Helper()
	return newWorld(t, tempDir(t), c.live, c.files)
}

func TestConformance(t *testing.T) {
	for _, c := range slices.Concat(cases, osCases, bootCases) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			t.Run("check touches nothing", c.checkTouchesNothing)
			t.Run("apply and undo", c.applyAndUndo)
			t.Run("apply twice", c.applyTwice)
			t.Run("cancelled", c.cancelled)
			t.Run("faults in apply", c.faultsInApply)
			t.Run("faults in undo", c.faultsInUndo)
		})
	}
}

func (c conformant) checkTouchesNothing(t *testing.T) {
	w := c.world(t)
	before := w.snapshot()
	f, err := c.step.Check(t.Context(), w.env())
	must(t, err)
	if f.Done || f.Why == "" {
		t.Fatalf("Check of a host without the step: done %v, why %q", f.Done, f.Why)
	}
	if !json.Valid(f.Before) {
		t.Fatalf("Before is not JSON: %s", f.Before)
	}
	sameTree(t, "after Check", before, w.snapshot())
	if c.live {
		return // a machine has its commands and their files
	}
	// The plan of a bare host is printed before anything exists.
	if _, err := c.step.Check(t.Context(), newWorld(t, tempDir(t), c.live, nil).env()); err != nil {
		t.Fatalf("Check of an empty tree: %v", err)
	}
}

func (c conformant) applyAndUndo(t *testing.T) {
	w := c.world(t)
	before := w.snapshot()
	r, err := w.apply(t.Context(), c.step)
	must(t, err)
	if r.Count(engine.Changed) != 1 {
		t.Fatalf("first run: %+v", r.Steps)
	}
	if c.after != nil {
		if problem := c.after(w); problem != "" {
			t.Fatal(problem)
		}
	}
	after := w.snapshot()
	w.reopenJournal()
	r, err = w.apply(t.Context(), c.step)
	must(t, err)
	if r.Count(engine.Unchanged) != 1 {
		t.Fatalf("second run: %+v", r.Steps)
	}
	sameTree(t, "after the second run", after, w.snapshot())
	if j := w.read(stateDir + "/journal"); strings.Contains(j, secret) {
		t.Fatalf("the journal has a secret:\n%s", j)
	}
	if left := w.verify(t); len(left) == 0 {
		t.Error("Verify of an installed step finds nothing")
	}
	c.undoes(t, w, before)
}

// undoes undoes everything, twice, and expects the tree before.
func (c conformant) undoes(t *testing.T, w *world, before map[string]string) {
	t.Helper()
	w.reopenJournal()
	for range 2 {
		r, err := w.undo(t.Context(), engine.Everything)
		if err != nil || len(r.Steps) != r.Count(engine.Undone)+r.Count(engine.Left) {
			t.Fatalf("undo: %+v, %v", r.Steps, err)
		}
		sameTree(t, "after undo", before, w.snapshot())
	}
	if left := w.verify(t); len(left) > 0 && !strings.Contains(c.name, "kept data") {
		t.Errorf("Verify after undo: %v", left)
	}
}

func (w *world) verify(t *testing.T) []engine.Remaining {
	t.Helper()
	left, err := engine.Verify(t.Context(), w.env(), w.journal, Undoer)
	must(t, err)
	return left
}

func (c conformant) applyTwice(t *testing.T) {
	w := c.world(t)
	if _, ok := c.step.(StartPrograms); ok {
		return // what it was started with is known through the journal alone
	}
	must(t, c.step.Apply(t.Context(), w.env()))
	once := w.snapshot()
	must(t, c.step.Apply(t.Context(), w.env()))
	sameTree(t, "after the second Apply", once, w.snapshot())
}

func (c conformant) cancelled(t *testing.T) {
	w := c.world(t)
	before := w.snapshot()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.apply(ctx, c.step); !errors.Is(err, context.Canceled) {
		t.Fatalf("Apply with a dead context: %v", err)
	}
	sameTree(t, "after a dead context", before, w.snapshot())
	c.undoes(t, w, before)
}
