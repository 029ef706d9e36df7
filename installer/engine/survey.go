package engine

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"fate-installer/payload/count"
)

// SurveyLine says what a plan does with one step on a host.
type SurveyLine struct {
	ID        string   `json:"id"`                  // the step: its kind, and its object after a colon
	Title     string   `json:"title"`               // the step, for people
	Component string   `json:"component,omitempty"` // the component that it belongs to
	After     []string `json:"after,omitempty"`     // IDs of the steps that come first
	Done      bool     `json:"done"`                // nothing is left to do for it
	Why       string   `json:"why,omitempty"`       // not done: what is missing
	Describe  string   `json:"describe,omitempty"`  // what Apply would do
	Note      string   `json:"note,omitempty"`      // what the step has to say
	Undoable  bool     `json:"undoable"`            // uninstall undoes it
	Drift     bool     `json:"drift,omitempty"`     // it had been done
	Error     string   `json:"error,omitempty"`     // it cannot be checked
}

// Survey is a dry run: the checks of all steps, and nothing else.
type Survey []SurveyLine

// Look checks every step of the plan without changing anything, and returns the result in an order in which the steps
// could be applied. journal is the result of [ReadJournal].
func Look(ctx context.Context, plan Plan, env *Env, journal *Journal) (Survey, error) {
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	work := *env
	work.Ledger = journal.ledger
	var out Survey
	repairs := map[string]bool{}
	for _, n := range plan.ordered() {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		line := SurveyLine{ID: n.ID(), Title: n.Title, Component: n.Component, After: n.After}
		if d, ok := n.Step.(Describer); ok {
			line.Describe = d.Describe()
		}
		_, line.Undoable = n.Step.(Undoer)
		f, err := n.Step.Check(ctx, &work)
		if err != nil {
			line.Error = err.Error()
		}
		line.Done, line.Why, line.Note = f.Done, f.Why, f.Note
		mark, done := journal.ledger.Current(n.ID())
		line.Drift = !f.Done && !f.Kept && err == nil && done && mark == f.Mark
		repairs[n.ID()] = (line.Drift || !f.Done && f.Edited && !f.Kept) && !f.SameContent
		if r, ok := n.Step.(Reader); ok && line.Done && err == nil {
			if i := slices.IndexFunc(r.Reads(), func(id string) bool { return repairs[id] }); i >= 0 {
				line.Done, line.Why = false, "what it reads is to be repaired: "+r.Reads()[i]
			}
		}
		out = append(out, line)
	}
	return out, nil
}

// ordered returns the nodes so that each comes after those it depends on, otherwise in the order of the plan.
func (p Plan) ordered() []Node {
	nodes, seen := p.byID(), map[string]bool{}
	var out []Node
	var visit func(id string)
	visit = func(id string) {
		if seen[id] {
			return
		}
		seen[id] = true
		for _, a := range nodes[id].After {
			visit(a)
		}
		out = append(out, nodes[id])
	}
	for _, n := range p.Nodes {
		visit(n.ID())
	}
	return out
}

// Todo returns how many steps are not done.
func (s Survey) Todo() int {
	n := 0
	for _, l := range s {
		if !l.Done {
			n++
		}
	}
	return n
}

// WriteText prints the survey for a person: one line a step, "+" for what would be done, "~" for what would be
// repaired, "!" for what is unknown, "=" for what is so already (without all only when there is a note).
func (s Survey) WriteText(w io.Writer, all bool) error {
	var b strings.Builder
	group := "\x00"
	for _, l := range s {
		if l.Done && l.Note == "" && !all {
			continue
		}
		if l.Component != group {
			group = l.Component
			fmt.Fprintf(&b, "%s\n", groupTitle(group))
		}
		l.write(&b)
	}
	fmt.Fprintf(&b, "%d of %s to do\n", s.Todo(), count.Of(len(s), "step"))
	_, err := io.WriteString(w, b.String())
	return err
}

func groupTitle(component string) string {
	if component == "" {
		return "(no component)"
	}
	return component
}

func (l SurveyLine) write(b *strings.Builder) {
	sign := "+"
	switch {
	case l.Error != "":
		sign = "!"
	case l.Done:
		sign = "="
	case l.Drift:
		sign = "~"
	}
	fmt.Fprintf(b, "  %s %s\n", sign, l.Title)
	for _, detail := range slices.DeleteFunc([]string{l.Describe, l.reason(), prefixed("note: ", l.Note)},
		func(s string) bool { return s == "" }) {
		fmt.Fprintf(b, "      %s\n", detail)
	}
}

func (l SurveyLine) reason() string {
	switch {
	case l.Error != "":
		return "cannot be checked: " + l.Error
	case l.Done:
		return ""
	case !l.Undoable:
		return prefixed("now: ", l.Why) + " (not undone by uninstall)"
	}
	return prefixed("now: ", l.Why)
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
