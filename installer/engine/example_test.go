package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Line is a step: a file has one line. Package step has the real ones.
type Line struct{ Path, Text string }

func (l Line) ID() string { return "line:" + l.Path }

// Check says what is missing, and what Undo needs.
func (l Line) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	have, err := env.Host.ReadFile(l.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return engine.Finding{Why: "there is no " + l.Path, Before: json.RawMessage(`"` + l.Path + `"`)}, nil
	case err != nil:
		return engine.Finding{}, err
	}
	return engine.Finding{Done: string(have) == l.Text, Why: "it has other text"}, nil
}

func (l Line) Apply(_ context.Context, env *engine.Env) error {
	return env.Host.WriteFile(l.Path, []byte(l.Text), host.FileMode{})
}

// Undo works on a zero Line: the plan that made the change may no longer exist.
func (Line) Undo(_ context.Context, env *engine.Env, before json.RawMessage) error {
	var path string
	if err := json.Unmarshal(before, &path); err != nil {
		return err
	}
	return env.Host.RemoveAll(path)
}

// A plan is applied, is found to be done the second time, and is undone from the journal alone.
func Example() {
	root, err := os.MkdirTemp("", "engine")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	h, err := host.New(root, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	journal, err := engine.OpenJournal(h, "/state/journal")
	if err != nil {
		log.Fatal(err)
	}
	defer journal.Close()

	var plan engine.Plan
	plan.Add(engine.Node{Step: Line{"/first", "1\n"}, Title: "the first file"})
	plan.Add(engine.Node{Step: Line{"/second", "2\n"}, Title: "the second file", After: []string{"line:/first"}})
	env := &engine.Env{Host: h, StateDir: "/state"}
	ctx := context.Background()
	for range 2 {
		report, err := engine.Apply(ctx, plan, env, journal, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(report.Count(engine.Changed), "changed,", report.Count(engine.Unchanged), "unchanged")
	}

	resolve := func(string) (engine.Undoer, bool) { return Line{}, true }
	undone, err := engine.Undo(ctx, env, journal, engine.Everything, resolve, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range undone.Steps {
		fmt.Println(step.Status, step.ID)
	}
	// Output:
	// 2 changed, 0 unchanged
	// 0 changed, 2 unchanged
	// undone line:/second
	// undone line:/first
}
