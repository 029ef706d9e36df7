package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/host"
)

// after is a host on which commands were run to their end.
func (m *model) after(names ...string) (*modelHost, installation) {
	m.t.Helper()
	w, at := m.host(), installation{}
	for _, name := range names {
		a, err := actNamed(name)
		if err != nil {
			m.t.Fatal(err)
		}
		at = m.step(w, event{act: a, what: none}, at)
	}
	if len(w.wrong) > 0 {
		m.t.Fatal(strings.Join(w.wrong, "\n"))
	}
	return w, at
}

// TestSlotThatCannotBeRemoved: a change whose former slot cannot be removed is complete, and names what is left; the
// next change of whatever kind removes it.
func TestSlotThatCannotBeRemoved(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and has one goroutine")
	}
	m := newModel(t)
	upgraded, from := m.after("install old", "upgrade")
	defer upgraded.remove()
	for _, c := range []struct {
		refused host.Op // on the name of a slot that is to be removed: its rename, or the removal of its files
		next    string
	}{
		{host.OpRename, "rotate"}, {host.OpRename, "uninstall"}, {host.OpRemove, "install old"}, {host.OpRemove, "rollback"},
	} {
		t.Run(string(c.refused)+", then "+c.next, func(t *testing.T) {
			w, at := m.copyOf(upgraded), from
			defer w.remove()
			former := "/slots/." + m.slots(w)[0]
			w.refuse = func(op host.Op, path string) error {
				if op == c.refused && strings.HasSuffix(path, former) {
					return syscall.EIO
				}
				return nil
			}
			rollback, _ := actNamed("rollback")
			code, out := w.run(rollback, none, -1)
			w.refuse = nil
			if slots := m.slots(w); code != exit.OK || len(slots) != 2 ||
				!strings.Contains(out, "warning: cannot remove /data/projects/common/fate-installer/slots/") ||
				!strings.Contains(out, "input/output error") {
				t.Fatalf("exit code %d, slots %q\n%s", code, slots, out)
			}
			at, _ = rollback.next(at)
			a, err := actNamed(c.next)
			if err != nil {
				t.Fatal(err)
			}
			after, may := a.next(at)
			if m.undisturbed(w, a, at, after, may); len(w.wrong) > 0 {
				t.Error(strings.Join(w.wrong, "\n"))
			}
		})
	}
}

// slots lists the slots of a host, also those that were cut off.
func (m *model) slots(w *modelHost) (names []string) {
	m.t.Helper()
	entries, err := os.ReadDir(filepath.Join(w.root, stateDir, "slots"))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestSweepKeepsWhatIsNotOurs: the sweep removes slots that nothing names and those that were cut off, and neither the
// one that rollback brings back nor what others put there.
func TestSweepKeepsWhatIsNotOurs(t *testing.T) {
	if testing.Short() {
		t.Skip("it is long, and has one goroutine")
	}
	m := newModel(t)
	w, at := m.after("install old", "upgrade")
	defer w.remove()
	dir := filepath.Join(w.root, stateDir, "slots")
	needed := m.slots(w)
	if len(needed) != 1 {
		t.Fatalf("slots %q", needed)
	}
	description, err := os.ReadFile(filepath.Join(dir, needed[0], "slot.json"))
	if err != nil {
		t.Fatal(err)
	}
	const former, cutOff, staging = "20200101T000000.000Z", "20200102T000000.000Z", ".20200103T000000.000Z"
	for path, content := range map[string]string{
		former + "/slot.json":   strings.ReplaceAll(string(description), needed[0], former),
		cutOff + "/eggroll/x":   "its description was removed first",
		staging + "/eggroll/x":  "it was killed while it was made",
		"notes of the operator": "not ours",
	} {
		file := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rotate, _ := actNamed("rotate")
	if code, out := w.run(rotate, none, -1); code != exit.OK {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if got := strings.Join(m.slots(w), " "); got != needed[0]+" notes of the operator" {
		t.Errorf("left: %s", got)
	}
	if err := os.Remove(filepath.Join(dir, "notes of the operator")); err != nil {
		t.Fatal(err)
	}
	rollback, _ := actNamed("rollback")
	next, _ := rollback.next(at)
	if m.undisturbed(w, rollback, at, next, true); len(w.wrong) > 0 {
		t.Error(strings.Join(w.wrong, "\n"))
	}
}
