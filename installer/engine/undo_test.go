package engine

import (
	"context"
	"errors"
	"testing"

	"fate-installer/installer/host"
)

func TestUndoScopes(t *testing.T) {
	b := newBench(t)
	must := func(_ Report, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(b.apply(t.Context(), node(deed{name: "a", mark: "1"}), node(deed{name: "b", mark: "1"})))
	b.reopen()
	// An upgrade fails, in two attempts.
	boom := errors.New("boom")
	fail := deed{name: "z", mark: "2", during: func(context.Context) error { return boom }}
	for range 2 {
		_, err := b.apply(t.Context(), node(deed{name: "a", mark: "2"}), node(deed{name: "c", mark: "2"}, "a"),
			node(fail, "c"))
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		b.reopen()
	}
	if got := b.deeds(); got != "a2 b1 c2" {
		t.Fatalf("after the failed upgrade: %s", got)
	}
	if r := b.undo(LastAttempt); r.Count(Undone) != 3 || r.Steps[0].ID != "deed:z" || r.Steps[2].ID != "deed:a" {
		t.Errorf("rollback: %+v", r.Steps)
	}
	if got := b.deeds(); got != "a1 b1" {
		t.Fatalf("after the rollback: %s", got)
	}
	b.reopen()
	if r := b.undo(LastAttempt); len(r.Steps) != 0 {
		t.Errorf("second rollback: %+v", r.Steps)
	}
	if r := b.undo(Everything); r.Count(Undone) != 2 {
		t.Errorf("uninstall: %+v", r.Steps)
	}
	if got := b.deeds(); got != "" {
		t.Fatalf("after the uninstall: %s", got)
	}
	if r := b.undo(Everything); len(r.Steps) != 0 {
		t.Errorf("second uninstall: %+v", r.Steps)
	}
}

func TestUndoLeavesDataAndWhatOthersChanged(t *testing.T) {
	b := newBench(t)
	if _, err := b.apply(t.Context(), node(deed{name: "a", mark: "1"}), Node{Step: datum{deed{name: "d", mark: "1"}}},
		node(deed{name: "e", mark: "1"})); err != nil {
		t.Fatal(err)
	}
	if err := b.env.Host.WriteFile("/deeds/e", []byte("edited"), host.FileMode{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r := b.undo(Everything)
		if r.Count(Left) != 1 || r.Count(Kept) != 1 {
			t.Errorf("%+v", r.Steps)
		}
		b.reopen()
	}
	if got := b.deeds(); got != "d1 eedited" {
		t.Errorf("left: %s", got)
	}
	left, err := Verify(t.Context(), b.env, b.journal, resolveDeed)
	if err != nil || len(left) != 2 {
		t.Errorf("Verify: %+v, %v", left, err)
	}
}

func TestUndoGoesOnAfterAProblem(t *testing.T) {
	b := newBench(t)
	if _, err := b.apply(t.Context(), node(deed{name: "a", mark: "1"}), node(deed{name: "b", mark: "1"}, "a"),
		node(deed{name: "c", mark: "1"}, "b")); err != nil {
		t.Fatal(err)
	}
	b.env.Host.InjectFaults(t, func(op host.Op, abs string) error {
		if op == host.OpRemove && abs == "/deeds/b" {
			return errors.New("busy")
		}
		return nil
	})
	r, err := Undo(t.Context(), b.env, b.journal, Everything, resolveDeed, nil)
	if err == nil || r.Count(UndoFailed) != 1 || r.Count(Undone) != 2 {
		t.Fatalf("%+v, %v", r.Steps, err)
	}
	b.env.Host.InjectFaults(t, nil)
	if r := b.undo(Everything); len(r.Steps) != 1 || r.Count(Undone) != 1 {
		t.Errorf("again: %+v", r.Steps)
	}
}

// TestReinstall: what was uninstalled is history, and a new install begins a new one.
func TestReinstall(t *testing.T) {
	b := newBench(t)
	for range 2 {
		if err := b.env.Host.WriteFile("/deeds/a", []byte("theirs"), host.FileMode{}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.apply(t.Context(), node(deed{name: "a", mark: "1"})); err != nil {
			t.Fatal(err)
		}
		b.undo(Everything)
		if got := b.deeds(); got != "atheirs" {
			t.Errorf("after uninstall: %s", got)
		}
	}
}
