package step

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// diskErrors are the errors that a write can have; the suite uses each in turn.
var diskErrors = []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EACCES}

// failNth makes the n-th change of the host, counted from 1, fail, and reports whether it came to that.
func failNth(w *world, n int) (failed func() bool) {
	count := 0
	w.host.InjectFaults(w.t, func(op host.Op, abs string) error {
		if w.machine != nil && w.machine.busy.Load() {
			return nil
		}
		count++
		if count != n {
			return nil
		}
		return fmt.Errorf("%s %s: %w", op, abs, diskErrors[n%len(diskErrors)])
	})
	return func() bool { return count >= n }
}

func noFaults(w *world) { w.host.InjectFaults(w.t, nil) }

// faultsInApply makes each single change fail, and expects that a re-run, and as well an undo, put everything right.
func (c conformant) faultsInApply(t *testing.T) {
	good := c.world(t)
	before := good.snapshot()
	_, err := good.apply(t.Context(), c.step)
	must(t, err)
	want := good.snapshot()
	for n := 1; ; n++ {
		failed := false
		for _, recovery := range []string{"run again", "undo"} {
			w := c.world(t)
			reached := failNth(w, n)
			_, err := w.apply(t.Context(), c.step)
			if failed = reached(); failed && err == nil {
				w.reopenJournal() // the fault was in the journal's last record, or harmless
			}
			noFaults(w)
			w.reopenJournal()
			if recovery == "undo" {
				c.undoes(t, w, before)
				continue
			}
			_, err = w.apply(t.Context(), c.step)
			if err != nil {
				t.Fatalf("run again after fault %d: %v", n, err)
			}
			sameTree(t, fmt.Sprintf("run again after fault %d", n), want, w.snapshot())
		}
		if !failed {
			return
		}
	}
}

// faultsInUndo is faultsInApply for the undo.
func (c conformant) faultsInUndo(t *testing.T) {
	for n := 1; ; n++ {
		w := c.world(t)
		before := w.snapshot()
		_, err := w.apply(t.Context(), c.step)
		must(t, err)
		reached := failNth(w, n)
		_, err = w.undo(t.Context(), engine.Everything)
		failed := reached()
		if failed && err == nil {
			t.Fatalf("the undo reports no error for fault %d", n)
		}
		noFaults(w)
		c.undoes(t, w, before)
		if !failed {
			return
		}
	}
}

// TestEveryKind makes sure that a new kind is in the suite and can be undone by its ID.
func TestEveryKind(t *testing.T) {
	seen := map[reflect.Type]bool{}
	ids := map[string]string{}
	for _, c := range slices.Concat(cases, osCases, bootCases) {
		seen[reflect.TypeOf(c.step)] = true
		u, ok := Undoer(c.step.ID())
		if !ok || reflect.TypeOf(u) != reflect.TypeOf(c.step) {
			t.Errorf("Undoer(%q) is %T, want %T", c.step.ID(), u, c.step)
		}
		kind, _, _ := strings.Cut(c.step.ID(), ":")
		ids[kind] = c.name
	}
	for kind, u := range undoers {
		if ids[kind] == "" || !seen[reflect.TypeOf(u)] {
			t.Errorf("kind %s (%T) has no case in the conformance suite", kind, u)
		}
		if _, ok := u.(engine.Remainer); !ok {
			t.Errorf("%T cannot tell what remains", u)
		}
	}
	if _, ok := Undoer("database:/data"); ok {
		t.Error("a database can be undone")
	}
}
