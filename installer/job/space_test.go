package job

import (
	"testing"
	"time"
)

// TestSpaceRecords reads from a real database, when FATE-Flow does not answer, which jobs and models are in use.
func TestSpaceRecords(t *testing.T) {
	x, db := inspectorOfDatabase(t)
	if any, err := x.Any(t.Context()); err != nil || any {
		t.Errorf("an empty table has a job: %v (%v)", any, err)
	}
	const ended, runs, waits, stale, other = "202611290938001234561", "202611290938001234562", "202611290938001234563",
		"202611290938001234564", "202611290938001234565"
	insertJob(t, db, ended, "success", time.Hour)
	insertJob(t, db, runs, "running", 0)
	insertJob(t, db, waits, "waiting", 0)
	insertJob(t, db, stale, "failed", time.Hour)
	if _, err := db.Exec("INSERT INTO fate_flow.t_task (f_job_id, f_task_id, f_task_version, f_role, f_party_id, f_status,"+
		" f_party_status) VALUES (?, 'x', 0, 'host', '10000', 'running', 'running')", stale); err != nil {
		t.Fatal(err)
	}
	if any, err := x.Any(t.Context()); err != nil || !any {
		t.Errorf("the table has no job: %v (%v)", any, err)
	}
	busy, err := x.Busy(t.Context())
	if err != nil || len(busy) != 3 || !busy[runs] || !busy[waits] || !busy[stale] {
		t.Errorf("busy are %v (%v)", busy, err)
	}
	for id, want := range map[string][2]bool{ended: {true, true}, runs: {false, true}, waits: {false, true},
		stale: {true, true}, other: {true, false}} {
		over, known, err := x.Over(t.Context(), id)
		if err != nil || over != want[0] || known != want[1] {
			t.Errorf("%s: over %v, known %v (%v), want %v", id, over, known, err, want)
		}
	}
	if models, err := x.ModelPaths(t.Context()); err == nil {
		t.Errorf("without the table of models there are %v", models)
	}
	for _, statement := range []string{
		`CREATE TABLE fate_flow.t_machine_learning_model_info (f_role VARCHAR(50), f_party_id VARCHAR(10),
 f_model_id VARCHAR(100), f_model_version VARCHAR(100))`,
		"INSERT INTO fate_flow.t_machine_learning_model_info VALUES ('guest', '9999', 'guest-9999#host-10000#model', 'v1')",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	models, err := x.ModelPaths(t.Context()) // FATE before 1.9 has no table of components
	if err != nil || len(models) != 1 || !models["guest#9999#guest-9999#host-10000#model/v1"] {
		t.Errorf("models: %v (%v)", models, err)
	}
}
