package deploy

import (
	"context"
	"errors"
	"testing"

	"fate-installer/installer/database"
	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"
	"fate-installer/installer/step"
	"fate-installer/supervisor/rpc"
)

// TestPurgeSaysWhatBecomesOfTheDatabase: what is in a database of this host goes with its directory, and what is in one
// elsewhere is kept.
func TestPurgeSaysWhatBecomesOfTheDatabase(t *testing.T) {
	here, there := database.Address{Socket: "/data/run/mysql.sock"}, database.Address{Host: "192.168.0.2", Port: 3306}
	resolve := purgeData(openTree(t, t.TempDir()).Layout())
	for id, removed := range map[string]bool{
		database.Contents{Address: here}.ID():                               true,
		database.Contents{Address: there}.ID():                              false,
		database.SchemaUpgrade{Schema: "fate_flow", Address: here}.ID():     true,
		database.SchemaUpgrade{Schema: "eggroll_meta", Address: there}.ID(): false,
		database.Init{Server: database.Server{}}.ID():                       true,
		step.File{Path: openTree(t, t.TempDir()).Layout().Secrets()}.ID():   true,
	} {
		if _, ok := resolve(id); ok != removed {
			t.Errorf("%s: removed %v, want %v", id, ok, removed)
		}
	}
}

// brokenStep is a step that fails after it has begun, such as one that fills a database.
type brokenStep string

func (b brokenStep) ID() string { return string(b) }
func (brokenStep) Check(context.Context, *engine.Env) (engine.Finding, error) {
	return engine.Finding{Why: "not done", Before: []byte(`{"path":"/data/other","kind":"absent"}`)}, nil
}
func (brokenStep) Apply(context.Context, *engine.Env) error { return errors.New("cut off") }

// TestFailedRunKeepsPasswordsOfAnOutsideDatabase: accounts on a server elsewhere have the passwords, too.
func TestFailedRunKeepsPasswordsOfAnOutsideDatabase(t *testing.T) {
	for id, kept := range map[string]bool{
		database.Contents{Address: database.Address{Host: "db", Port: 3306}}.ID(): true,
		"database-init:/data/projects/data/fate/mysql":                            true,
		"link:/data/other": false,
	} {
		d := openTree(t, t.TempDir())
		journal, err := engine.OpenJournal(d.host, d.JournalPath())
		if err != nil {
			t.Fatal(err)
		}
		defer journal.Close()
		secrets := step.File{Path: d.Layout().Secrets(), Content: []byte("{}"), Secret: true}
		plan := engine.Plan{Nodes: []engine.Node{{Step: secrets},
			{Step: brokenStep(id), After: []string{secrets.ID()}}}}
		env := d.undoEnv()
		if _, err := engine.Apply(t.Context(), plan, env, journal, nil); err == nil {
			t.Fatal("the run did not fail")
		}
		if _, err := engine.Undo(t.Context(), env, journal, engine.LastAttempt,
			undoAttempt(d.host, d.Layout(), journal.Ledger()), nil); err != nil {
			t.Fatal(err)
		}
		if got := d.host.Exists(d.Layout().Secrets()); got != kept {
			t.Errorf("after %s: passwords kept: %v, want %v", id, got, kept)
		}
	}
}

// openTree opens an installation in a tree, with the default base.
func openTree(t *testing.T, root string) *Installation {
	t.Helper()
	h, err := host.New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	client := func(h *host.Host, socket string, _ ...cluster.Secret) (*rpc.Client, error) {
		return rpc.ClientOf(h, socket)
	}
	return NewInstallation(h, Command{Base: StandardBase, User: "app", Client: client}, silent{})
}

// silent shows nothing.
type silent struct{}

func (silent) Printf(string, ...any)                {}
func (silent) Progressf(string, ...any)             {}
func (silent) Advisef(string, ...any)               {}
func (silent) Warning(string)                       {}
func (silent) Notes(problem.Problems)               {}
func (silent) CheckResults([]preflight.CheckResult) {}
func (silent) UndoOutcome(engine.UndoOutcome, bool) {}
func (silent) StepsBegin(int64) StepsView           { return silent{} }
func (silent) UndoBegins(string, string, int)       {}
func (silent) UndoEnds(string)                      {}
func (silent) WorkBegins(string, int64) Bar         { return silent{} }
func (silent) PlanKnown(engine.Plan, bool)          {}
func (silent) StepEvent(engine.Event)               {}
func (silent) ProgramEvent(programs.Event)          {}
func (silent) StepProgress(string, int64, int64)    {}
func (silent) StepsEnd()                            {}
func (silent) Set(int64)                            {}
func (silent) Finish()                              {}
