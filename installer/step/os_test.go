package step

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

func TestSwapAllocation(t *testing.T) {
	const el7, el8, deb12 = "3.10.0-1160.el7.x86_64", "4.18.0-553.el8_10.x86_64", "6.1.0-18-amd64"
	for _, c := range []struct {
		fstype, kernel string
		want           host.Allocation
		err            string
	}{
		{"ext4", el7, host.Allocation{}, ""},
		{"ext3", el7, host.Allocation{Write: true}, ""},
		{"xfs", el7, host.Allocation{Write: true}, ""},
		{"xfs", el8, host.Allocation{}, ""},
		{"xfs", deb12, host.Allocation{}, ""},
		{"btrfs", deb12, host.Allocation{NoCOW: true}, ""},
		{"btrfs", el8, host.Allocation{}, "since Linux 5.0"},
		{"tmpfs", deb12, host.Allocation{}, "a tmpfs file system cannot hold swap files"},
		{"nfs4", deb12, host.Allocation{}, "cannot hold swap files"},
		{"overlay", deb12, host.Allocation{}, "cannot hold swap files"},
	} {
		got, err := swapAllocation(c.fstype, c.kernel, 1<<30)
		c.want.Size = 1 << 30
		if c.err == "" && (err != nil || got != c.want) || c.err != "" &&
			(err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s on %s: %+v, %v", c.fstype, c.kernel, got, err)
		}
	}
}

func TestSwapHeader(t *testing.T) {
	h, err := swapHeader(1<<20, 4096)
	must(t, err)
	if len(h) != 4096 || string(h[4086:]) != "SWAPSPACE2" || h[1024] != 1 || h[1028] != 255 {
		t.Errorf("%d bytes, version %d, last page %d", len(h), h[1024], h[1028])
	}
	for _, size := range []int64{0, 4096, 1<<20 + 1} {
		if _, err := swapHeader(size, 4096); err == nil {
			t.Errorf("size %d is accepted", size)
		}
	}
}

func TestSwapRefusesAForeignFile(t *testing.T) {
	w := newWorld(t, tempDir(t), false, map[string]string{swap(0).Path: "precious"})
	_, err := w.apply(t.Context(), swap(1<<20))
	if err == nil || w.read(swap(0).Path) != "precious" {
		t.Errorf("error %v", err)
	}
}

// TestSwapCancelled: an interrupted write of a large file leaves nothing.
func TestSwapCancelled(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with("/etc/fstab", "", "/proc/self/mountinfo",
		strings.ReplaceAll(ext4Mounts, "ext4", "ext3")))
	before := w.snapshot()
	ctx, cancel := context.WithCancel(t.Context())
	env := w.env()
	env.Progress = func(string, int64, int64) { cancel() }
	_, err := engine.Apply(ctx, planOf(swap(64<<20)), env, w.journal, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	delete(before, "/data")
	after := w.snapshot()
	delete(after, "/data")
	sameTree(t, "after the interruption", before, after)
}

func TestFirewallTables(t *testing.T) {
	for entry, want := range map[string]bool{"9370/tcp": true, "9000-9400/tcp": true, "9370/udp": false,
		"937/tcp": false, "9371-9400/tcp": false, "OpenSSH": false, "": false} {
		if got := covers(entry, 9370); got != want {
			t.Errorf("covers(%q, 9370) = %v", entry, got)
		}
	}
	zone, open := firewalldZone(
		"public (default, active)\n  target: default\n  services: ssh\n  ports: 22/tcp 9000-9100/tcp\n  " +
			"forward-ports: \n")
	if zone != "public" || !slices.Equal(open, []string{"22/tcp", "9000-9100/tcp"}) {
		t.Errorf("zone %s, open %v", zone, open)
	}
	open = ufwOpen("Status: active\n\nTo   Action   From\n--   ------   ----\n9370/tcp   ALLOW   " +
		"Anywhere\n9000:9100/tcp ALLOW Anywhere\n22/tcp   DENY   Anywhere\n80/tcp   ALLOW   10.0.0.0/8\n9370/tcp " +
		"(v6)   ALLOW   Anywhere (v6)\n")
	if !slices.Equal(open, []string{"9370/tcp", "9000-9100/tcp"}) {
		t.Errorf("ufw: %v", open)
	}
}

// TestFirewallGrows: a later release opens more ports, and the uninstall closes them all.
func TestFirewallGrows(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with(runDir+"/active/firewalld", "", portsNow, "22/tcp\n",
		portsBoot, "22/tcp\n"))
	before := w.snapshot()
	for _, ports := range [][]int{{9370}, {9370, 9360}} {
		w.run(t, Firewall{Ports: ports})
		w.reopenJournal()
	}
	_, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	sameTree(t, "after the uninstall", before, w.snapshot())
}

func TestBadSudoersIsNotInstalled(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with("/etc/sudoers.d/", ""))
	before := w.snapshot()
	w.machine.fail = map[string]int{"visudo": 1}
	if _, err := w.apply(t.Context(), Sudoers{User: "app"}); err == nil {
		t.Error("no error")
	}
	sameTree(t, "after the refusal", before, w.snapshot())
}

func TestAccountsThatClash(t *testing.T) {
	w := newWorld(t, tempDir(t), true, with("/etc/passwd", "app:x:77:100::/home/app:/bin/sh\n"))
	for want, s := range map[string]engine.Step{"it exists with uid 77": User{Name: "app", UID: 6000},
		"it exists with gid 6000": Group{Name: "apps", GID: 7000}} {
		if _, err := w.apply(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	w.write("/etc/passwd", "toor:x:0:0::/home/toor:/bin/sh\n")
	for _, name := range []string{"toor", "0"} {
		if _, err := w.apply(t.Context(), User{Name: name, Group: "users"}); !errors.Is(err, errIsRoot) {
			t.Errorf("user %s: error %v, want %v", name, err, errIsRoot)
		}
	}
	w.write("/etc/passwd", "app:x:77:100::/home/app:/bin/sh\n")
	// An existing user is used with the uid it has.
	f, err := User{Name: "app", Group: "users"}.Check(t.Context(), w.env())
	if err != nil || !f.Done {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestUserWithProcessesOrFilesIsLeft(t *testing.T) {
	w := newWorld(t, tempDir(t), true, baseTree)
	w.run(t, User{Name: "app", Group: "apps"})
	w.machine.fail = map[string]int{"userdel": userdelBusy}
	r, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	if r.Count(engine.Left) != 1 || !strings.Contains(r.Steps[0].Why, "it has processes") {
		t.Errorf("%+v", r.Steps)
	}
	w.machine.fail = nil
	w.write("/home/app/thesis.tex", "x")
	r, err = w.undo(t.Context(), engine.Everything)
	must(t, err)
	if r.Count(engine.Left) != 1 || !strings.Contains(r.Steps[0].Why, "thesis.tex is in it") ||
		!w.exists("/home/app/thesis.tex") {
		t.Errorf("%+v", r.Steps)
	}
}

func TestBlockRespectsOthers(t *testing.T) {
	w := newWorld(t, tempDir(t), false, with())
	block := Hosts(HostsEntry{"10.0.0.1", []string{"party1"}})
	w.run(t, block)
	w.write("/etc/hosts", w.read("/etc/hosts")+"10.9.9.9 theirs\n")
	_, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	if got := w.read("/etc/hosts"); got != "127.0.0.1 localhost\n10.9.9.9 theirs\n" {
		t.Errorf("content %q", got)
	}
	w.run(t, block)
	w.write("/etc/hosts", strings.Replace(w.read("/etc/hosts"), "10.0.0.1", "10.0.0.7", 1))
	r, err := w.undo(t.Context(), engine.Everything)
	must(t, err)
	if r.Count(engine.Left) != 1 || !strings.Contains(w.read("/etc/hosts"), "10.0.0.7 party1") {
		t.Errorf("%+v", r.Steps)
	}
}
