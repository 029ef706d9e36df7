package job

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/database/databasetest"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/flow"
	"fate-installer/installer/host"

	"github.com/go-sql-driver/mysql"
)

// flowTables are the columns of FATE-Flow's two tables that matter here, with their types (fate_flow/db/db_models.py).
var flowTables = []string{
	"CREATE DATABASE fate_flow CHARACTER SET utf8", "USE fate_flow",
	`CREATE TABLE t_job (f_job_id VARCHAR(25), f_role VARCHAR(50), f_party_id VARCHAR(10), f_initiator_role VARCHAR(50),
 f_initiator_party_id VARCHAR(50), f_status VARCHAR(50), f_tag VARCHAR(50), f_roles LONGTEXT, f_cores INT,
 f_resource_in_use TINYINT(1), f_create_time BIGINT, f_start_time BIGINT, f_end_time BIGINT,
 PRIMARY KEY (f_job_id, f_role, f_party_id))`,
	`CREATE TABLE t_task (f_job_id VARCHAR(25), f_component_name TEXT, f_component_module VARCHAR(200),
 f_task_id VARCHAR(100), f_task_version BIGINT, f_role VARCHAR(50), f_party_id VARCHAR(10), f_status VARCHAR(50),
 f_party_status VARCHAR(50), f_run_ip VARCHAR(100), f_run_port INT, f_error_report TEXT, f_create_time BIGINT,
 f_start_time BIGINT, f_end_time BIGINT, PRIMARY KEY (f_job_id, f_task_id, f_task_version, f_role, f_party_id))`,
}

// mariaDB starts a real server with FATE-Flow's tables and account at a socket, and returns its administrator's login.
func mariaDB(t *testing.T, socket string, account cluster.Secret) *sql.DB {
	t.Helper()
	db := databasetest.Start(t, socket, "--skip-networking")
	for _, statement := range append(slices.Clone(flowTables),
		"CREATE USER fate@localhost IDENTIFIED BY '"+account.Reveal()+"'",
		"GRANT ALL ON fate_flow.* TO fate@localhost") {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return db
}

// inspectorOfDatabase inspects jobs at a FATE-Flow that does not answer, with a real database.
func inspectorOfDatabase(t *testing.T) (*Inspector, *sql.DB) {
	t.Helper()
	x := newInspector(t, &recordedFlow{away: true}, nil)
	root, err := os.MkdirTemp("/tmp", "fj") // the address of a socket has room for 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	h, err := host.New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = x.host.Close()
	x.host = h
	x.spec.Secrets.Set("mysql_user", cluster.NewSecret("password-of-fate"))
	db, ok := render.DatabaseOf(x.spec)
	if !ok || db.Socket == "" {
		t.Fatalf("no database here: %+v", db)
	}
	socket := h.Path(db.Socket)
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	return x, mariaDB(t, socket, x.spec.Secrets.MySQLUser)
}

func insertJob(t *testing.T, db *sql.DB, id, status string, ended time.Duration) {
	t.Helper()
	var end any
	if ended > 0 {
		end = ago(ended)
	}
	for _, role := range []string{"guest", "host"} {
		if _, err := db.Exec("INSERT INTO t_job VALUES (?, ?, '10000', 'guest', '10000', ?, '', ?, 2, ?, ?, ?, ?)", id,
			role,
			status, `{"guest": [10000], "host": [10000]}`, end == nil, ago(2*time.Hour),
			ago(2*time.Hour), end); err != nil {
			t.Fatal(err)
		}
	}
}

func insertTask(t *testing.T, db *sql.DB, job, component string, version int, status string, report any) {
	t.Helper()
	if _, err := db.Exec("INSERT INTO t_task VALUES (?, ?, 'M', ?, ?, 'guest', '10000', ?, ?, '192.168.0.1', 9380, "+
		"?, ?, ?, NULL)",
		job, component, job+"_"+component, version, status, status, report,
		ago(time.Hour), ago(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// TestJobsInARealDatabase lists, explains and cleans jobs by FATE-Flow's tables, as when FATE-Flow does not answer.
func TestJobsInARealDatabase(t *testing.T) {
	x, db := inspectorOfDatabase(t)
	const ended, running, fresh = "202611290000000000011", "202611290000000000012", "202611290000000000013"
	insertJob(t, db, ended, "failed", time.Hour)
	insertJob(t, db, running, "running", 0)
	insertJob(t, db, fresh, "canceled", time.Second)
	insertTask(t, db, ended, "reader_0", 0, "success", nil)
	insertTask(t, db, ended, "lr_0", 0, "failed", traceback+"OSError: [Errno 28] No space left on device")
	insertTask(t, db, ended, "lr_0", 1, "running", "")
	insertTask(t, db, running, "lr_0", 0, "running", "")
	insertTask(t, db, fresh, "lr_0", 0, "running", "")

	listing, err := x.List(t.Context(), 20)
	if err != nil || listing.Source != fromDatabase || len(listing.Problems) != 1 || len(listing.Jobs) != 3 {
		t.Fatalf("%+v, %v", listing, err)
	}
	at := slices.IndexFunc(listing.Jobs, func(j Listed) bool { return j.Job == running })
	if j := listing.Jobs[at]; j.Cores != 4 || len(j.Roles) != 2 || j.Status != "running" || j.Submitted.IsZero() {
		t.Errorf("%+v", j)
	}
	if !slices.Equal(listing.Stale, []Stale{{ended, 1}}) {
		t.Errorf("tasks that only seem to run: %+v", listing.Stale)
	}
	report, err := x.Inspect(t.Context(), ended)
	if err != nil || report.ExitCode() != ExitFailed || len(report.Tasks) != 2 {
		t.Errorf("%+v, %v", report, err)
	}

	records := flow.Database{DB: db}
	for _, job := range []string{running, "202611290000000000099", "' OR '1'='1"} {
		if n, err := records.EndTasks(t.Context(), job); n != 0 || err != nil {
			t.Errorf("tasks of job %s were changed: %d, %v", job, n, err)
		}
	}
	if by, err := x.Clean(t.Context(), ended); by != fromDatabase || err != nil {
		t.Errorf("cleaned by %q, %v", by, err)
	}
	if n, err := records.EndTasks(t.Context(), ended); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	tasks, err := records.Tasks(t.Context(), map[string]any{"job_id": ended})
	slices.SortFunc(tasks, func(a, b flow.Task) int { return strings.Compare(a.Component, b.Component) })
	if err != nil || len(tasks) != 2 || tasks[0].Version != 1 || tasks[0].PartyStatus != "failed" ||
		tasks[0].Status != "failed" || tasks[1].PartyStatus != "success" {
		t.Errorf("%+v, %v", tasks, err)
	}
	left, err := records.Tasks(t.Context(), map[string]any{"party_status": flow.StatusRunning})
	if err != nil || len(left) != 2 {
		t.Errorf("tasks of other jobs: %+v, %v", left, err)
	}
}

// TestJobsNeedADatabase: a wrong password and a database that is off are said with what to do.
func TestJobsNeedADatabase(t *testing.T) {
	x, db := inspectorOfDatabase(t)
	if _, err := db.Exec("SET PASSWORD FOR fate@localhost = PASSWORD('another')"); err != nil {
		t.Fatal(err)
	}
	_, err := x.List(t.Context(), 20)
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) || refused.Number != 1045 || exit.HintOf(err) == "" {
		t.Errorf("a wrong password: %v", err)
	}
	off := newInspector(t, &recordedFlow{away: true}, nil)
	off.spec.Secrets.Set("mysql_user", cluster.NewSecret("x"))
	_, err = off.List(t.Context(), 20)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "mysql.sock") || exit.HintOf(err) == "" {
		t.Errorf("no server: %v", err)
	}
}
