package engine

import (
	"errors"
	"strings"
	"testing"

	"fate-installer/installer/host"
)

func TestLookTouchesNothingAndOrders(t *testing.T) {
	b := newBench(t)
	if _, err := b.apply(t.Context(), node(deed{name: "a", mark: "1"}), node(deed{name: "d", mark: "1"})); err != nil {
		t.Fatal(err)
	}
	if err := b.env.Host.WriteFile("/deeds/d", []byte("spoiled"), host.FileMode{}); err != nil {
		t.Fatal(err)
	}
	before := b.deeds()
	journal, err := ReadJournal(b.env.Host, "/state/journal")
	if err != nil {
		t.Fatal(err)
	}
	plan := Plan{Nodes: []Node{
		node(deed{name: "c", mark: "1"}, "b"), node(deed{name: "b", mark: "1"}, "a"), node(deed{name: "a", mark: "1"}),
		node(deed{name: "d", mark: "1"}),
		{Step: datum{deed{name: "e", mark: "1"}}, Title: "e"}, node(deed{name: "f", check: errors.New("no idea")}),
	}}
	survey, err := Look(t.Context(), plan, b.env, journal)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := survey.WriteText(&got, true); err != nil {
		t.Fatal(err)
	}
	const want = `(no component)
  = a
  + b
      now: it is missing
  + c
      now: it is missing
  ~ d
      now: it is missing
  + e
      now: it is missing (not undone by uninstall)
  ! f
      cannot be checked: no idea
5 of 6 steps to do
`
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &got, want)
	}
	if after := b.deeds(); after != before {
		t.Errorf("%s became %s", before, after)
	}
}

// reader is a deed that reads what another leaves.
type reader struct {
	deed
	from string
}

func (r reader) Reads() []string { return []string{"deed:" + r.from} }

// TestLookTellsWhatARepairEntails: what reads a deed that is to be repaired is to be done, too, and what reads one that
// is to be replaced tells by itself.
func TestLookTellsWhatARepairEntails(t *testing.T) {
	b := newBench(t)
	nodes := func(mark string) []Node {
		return []Node{node(deed{name: "a", mark: mark}), node(deed{name: "b", mark: "1"}),
			{Step: reader{deed{name: "c", mark: "1"}, "a"}, After: []string{"deed:a"}},
			{Step: reader{deed{name: "d", mark: "1"}, "b"}, After: []string{"deed:b"}}}
	}
	if _, err := b.apply(t.Context(), nodes("1")...); err != nil {
		t.Fatal(err)
	}
	if err := b.env.Host.WriteFile("/deeds/a", []byte("spoiled"), host.FileMode{}); err != nil {
		t.Fatal(err)
	}
	for mark, want := range map[string]string{"1": "deed:a: it is missing, deed:c: what it reads is to be repaired: " +
		"deed:a", "2": "deed:a: it is missing"} {
		survey, err := Look(t.Context(), Plan{Nodes: nodes(mark)}, b.env, b.journal)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, line := range survey {
			if !line.Done {
				got = append(got, line.ID+": "+line.Why)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("with mark %s to do: %s, want %s", mark, strings.Join(got, ", "), want)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	cause := errors.New("disk full")
	for _, c := range []struct {
		err  error
		want string
	}{
		{&StepError{ID: "file:/a", Title: "config", Phase: PhaseApply, Err: cause},
			`cannot complete "config": disk full`},
		{&StepError{ID: "file:/a", Phase: PhaseCheck, Err: cause}, `cannot check "file:/a": disk full`},
		{&StepError{ID: "file:/a", Phase: PhaseVerify, Err: cause},
			`cannot complete "file:/a": it was applied, and yet disk full`},
		{&LeftError{What: "/a", Why: "it was edited"}, "left /a: it was edited"},
		{&LockedError{Path: "/run/x", PID: 7}, "cannot start: process 7 is at work (it holds /run/x)"},
		{&LockedError{Path: "/run/x"}, "cannot start: another run holds /run/x"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
