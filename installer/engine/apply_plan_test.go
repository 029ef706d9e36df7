package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"fate-installer/installer/host"
)

func TestJournalFailureStopsBeforeTheChange(t *testing.T) {
	b := newBench(t)
	b.env.Host.InjectFaults(t, func(op host.Op, abs string) error {
		if abs == "/state/journal" {
			return errors.New("disk full")
		}
		return nil
	})
	if _, err := b.apply(t.Context(), node(deed{name: "a", mark: "1"})); err == nil {
		t.Fatal("a run without a journal succeeded")
	}
	if got := b.deeds(); got != "" {
		t.Errorf("changed without a journal: %s", got)
	}
}

func TestPlanMistakes(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes []Node
		want  string
	}{
		{"twice", []Node{node(deed{name: "a"}), node(deed{name: "a"})}, "step deed:a is in the plan twice"},
		{"nowhere", []Node{node(deed{name: "a"}, "x")}, "step deed:a comes after deed:x, which is not in the plan"},
		{"cycle", []Node{node(deed{name: "a"}, "c"), node(deed{name: "b"}, "a"), node(deed{name: "c"}, "b")},
			"deed:a after deed:c after deed:b after deed:a"},
		{"itself", []Node{node(deed{name: "a"}, "a")}, "deed:a after deed:a"},
		{"empty", []Node{{Title: "t"}}, "node 0 (t) has no step"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			_, err := b.apply(t.Context(), c.nodes...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestRanksOfADeepPlan(t *testing.T) {
	b := newBench(t)
	var nodes []Node
	for i := range 300 {
		n := node(deed{name: fmt.Sprint(i), check: errors.New("never")})
		if i > 0 {
			n.After = []string{fmt.Sprintf("deed:%d", i-1)}
		}
		nodes = append(nodes, n)
	}
	r, err := b.apply(t.Context(), nodes...)
	if err == nil || r.Count(Skipped) != 299 {
		t.Errorf("%d skipped, %v", r.Count(Skipped), err)
	}
}
