//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"fate-installer/scripts/demo/appliance"
	"fate-installer/scripts/fatesim"
)

// formerAppliance is the program with stand-ins for FATE 1.9.1, built once per run of the tests.
var formerAppliance = sync.OnceValues(func() (string, error) {
	program, err := bareProgram()
	if err != nil {
		return "", err
	}
	return appliance.BuildRelease(context.Background(), program, appliance.MariaDB, fatesim.Former, os.Stderr)
})

// newerFile is the appliance that a host is upgraded to.
const newerFile = "/root/newer"

// TestUpgradeFromFormerGeneration takes a party from FATE 1.9.1 to 1.11.4 through kills, back, and forward again, with
// the jobs and models of both. make e2e-long looks at more of what can be wrong on the way.
func TestUpgradeFromFormerGeneration(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, formerAppliance, installerFile, "host=192.168.0.1")
	file, err := demoAppliance()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.CopyTo(t.Context(), file, "host", newerFile); err != nil {
		t.Fatal(err)
	}
	b.step("install 1.9.1", func(b bench) {
		b.install("host", "--role", "host", "--party", "10000")
		b.checkReady("host", modulesOfParty...)
		b.run("host", "fate-installer", "test", "min")
	})
	if long() {
		b.step("nodes that do not register themselves", func(b bench) { b.nodesAreKept() })
		b.step("refused while a job runs", func(b bench) { b.jobsRefuse() })
	}
	before := b.made()
	t.Logf("before the upgrade: %v", before)
	var records int
	b.step("upgrade", func(b bench) { records = b.upgradeWhole(before) })
	if long() {
		b.step("without the new columns", func(b bench) { b.lacksColumns() })
	}
	b.step("rollback", func(b bench) { b.rollbackLoses(before) })
	if long() {
		b.step("a failed test stays, and says so", func(b bench) { b.failedTestStays(before) })
	}
	b.step("killed", func(b bench) { b.killUpgrades(before, records, upgradeKills()) })
	b.step("forward again", func(b bench) {
		b.run("host", newerFile, "upgrade")
		b.isNewer()
		b.kept(before)
		b.run("host", "fate-installer", "test", "min")
	})
}

// upgradeWhole upgrades without any trouble, and returns how many records of its steps it wrote.
func (b bench) upgradeWhole(before made) int {
	b.t.Helper()
	records := b.records()
	out := b.run("host", newerFile, "upgrade")
	b.t.Log(out)
	records = b.records() - records
	for _, want := range []string{"2.4.6 -> 2.5.3", "keeping a copy of the database", "toy test passed"} {
		if !strings.Contains(out, want) {
			b.t.Errorf("upgrade does not say %q:\n%s", want, out)
		}
	}
	b.isNewer()
	b.kept(before)
	b.t.Logf("after the upgrade: %v", b.made())
	b.run("host", "fate-installer", "test", "min")
	if out := b.run("host", newerFile, "install"); !strings.Contains(out, "nothing to do") {
		b.t.Errorf("install after the upgrade:\n%s", out)
	}
	return records
}

// failedTestStays upgrades with a toy test that has no time.
func (b bench) failedTestStays(before made) {
	out, code, err := b.try("host", newerFile, "upgrade", "--test-timeout", "1s")
	if err != nil || code != 8 || !strings.Contains(out, "are running and failed their test") ||
		!strings.Contains(out, "fate-installer rollback") {
		b.t.Errorf("upgrade with a test that fails: exit status %d, %v\n%s", code, err, out)
	}
	b.isNewer()
	b.rollback(before)
}

// killsVariable is how often upgrades are killed; two or, with make e2e-long, ten unless it says so. Two keep the
// scenario below four minutes.
const killsVariable = "FATE_E2E_KILLS"

func upgradeKills() int {
	if n, err := strconv.Atoi(os.Getenv(killsVariable)); err == nil && n > 0 {
		return n
	}
	return repeats(2, 10)
}

// made has the results of a party's jobs: rows of FATE-Flow's tables, and the files in which it keeps models.
type made struct{ Jobs, Models, Metrics, Files int }

func (b bench) made() made {
	b.t.Helper()
	count := func(table string) int { return b.number(b.query("host", "SELECT COUNT(*) FROM fate_flow."+table)) }
	const files = "find /data/projects/fate/fateflow/model_local_cache -type f | wc -l"
	return made{
		Jobs: count("t_job"), Models: count("t_machine_learning_model_info"), Metrics: count("standin_metric"),
		Files: b.number(b.run("host", "sh", "-c", files)),
	}
}

// number reads a number that a command has printed.
func (b bench) number(text string) int {
	b.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// kept wants nothing of what was made before to be gone.
func (b bench) kept(before made) {
	b.t.Helper()
	now := b.made()
	if now.Jobs < before.Jobs || now.Models < before.Models || now.Metrics < before.Metrics ||
		now.Files < before.Files {
		b.t.Errorf("%+v are left of %+v", now, before)
	}
}

const columnCount = "SELECT COUNT(*) FROM information_schema.columns WHERE (table_schema, table_name, column_name)" +
	" IN (('fate_flow', 't_task', 'f_is_deepspeed'), ('fate_flow', 't_task', 'f_deepspeed_id')," +
	" ('eggroll_meta', 'session_processor', 'processor_option'))"

// columns counts the columns that came with the newer release, of three.
func (b bench) columns() string {
	b.t.Helper()
	return strings.TrimSpace(b.query("host", columnCount))
}

func (b bench) isNewer() {
	b.t.Helper()
	b.checkReady("host", modulesOfParty...)
	b.checkVersion("2.5.3")
	if got := b.columns(); got != "3" {
		b.t.Errorf("%s of 3 new columns are there", got)
	}
	for _, name := range []string{"fate_flow", "eggroll_meta"} {
		got := b.query("host", "SELECT GROUP_CONCAT(DISTINCT state) FROM "+name+
			".fate_installer_upgrade WHERE state <> 'cut off'")
		if strings.TrimSpace(got) != "done" {
			b.t.Errorf("the record of %s has states %q", name, got)
		}
	}
}

// nodesAreKept sets the status of a node, which is set back, and adds one that is not of the party, which is taken
// away.
func (b bench) nodesAreKept() {
	const nodes = "SELECT GROUP_CONCAT(host, status) FROM eggroll_meta.server_node WHERE node_type = 'NODE_MANAGER'"
	b.query("host", "UPDATE eggroll_meta.server_node SET status = 'LOSS' WHERE node_type = 'NODE_MANAGER'")
	b.await("the node is HEALTHY again", func() bool {
		return strings.TrimSpace(b.query("host", nodes)) == "192.168.0.1HEALTHY"
	})
	b.awaitReady("host", modulesOfParty...)
	b.query("host", "INSERT INTO eggroll_meta.server_node (host, port, node_type, status)"+
		" VALUES ('192.168.0.77', 4671, 'NODE_MANAGER', 'HEALTHY')")
	b.run("host", installerFile, "install")
	if got := strings.TrimSpace(b.query("host", nodes)); got != "192.168.0.1HEALTHY" {
		b.t.Errorf("nodes: %s", got)
	}
	b.toy("host")
}

// jobsRefuse makes a job look as if it ran.
func (b bench) jobsRefuse() {
	job := strings.TrimSpace(b.query("host", "SELECT MAX(f_job_id) FROM fate_flow.t_job"))
	b.query("host", "UPDATE fate_flow.t_job SET f_status = 'running' WHERE f_job_id = '"+job+"'")
	out, code, err := b.try("host", newerFile, "upgrade")
	if err != nil || code != 3 || !strings.Contains(out, "while jobs run: "+job) {
		b.t.Errorf("upgrade while a job runs: exit status %d, %v\n%s", code, err, out)
	}
	b.checkReady("host", modulesOfParty...)
	b.query("host", "UPDATE fate_flow.t_job SET f_status = 'success' WHERE f_job_id = '"+job+"'")
}

// lacksColumns takes the new columns away, one after the other: the stand-ins fail as the real programs do, and the
// installer finds and repairs it.
func (b bench) lacksColumns() {
	b.query("host", "ALTER TABLE fate_flow.t_task DROP COLUMN f_is_deepspeed")
	out, code, err := b.try("host", "fate-installer", "test", "toy", "--timeout", "10s")
	if err != nil || code == 0 || !strings.Contains(out, "retcode 103") || !strings.Contains(out, "f_is_deepspeed") {
		b.t.Errorf("test toy without f_is_deepspeed: exit status %d, %v\n%s", code, err, out)
	}
	if out := b.run("host", newerFile, "plan"); !strings.Contains(out, "t_task.f_is_deepspeed is missing") {
		b.t.Errorf("plan does not say what install repairs:\n%s", out)
	}
	b.run("host", newerFile, "install")
	b.toy("host")
	b.query("host", "ALTER TABLE eggroll_meta.session_processor DROP COLUMN processor_option")
	out, code, err = b.try("host", "fate-installer", "test", "toy", "--timeout", "10s")
	if err != nil || code == 0 || !strings.Contains(out, "cannot be stopped") {
		b.t.Errorf("test toy without processor_option: exit status %d, %v\n%s", code, err, out)
	}
	b.run("host", "sh", "-c", "grep -rq \"Column 'processor_option' not found\" /data/logs")
	b.run("host", newerFile, "install")
	b.run("host", "fate-installer", "svc", "restart", "fate-fateflow")
	b.query("host", "UPDATE fate_flow.t_job SET f_status = 'failed' WHERE f_status = 'running'")
	b.toy("host")
}

// rollbackLoses rolls back: without consent it is refused, and says what is lost.
func (b bench) rollbackLoses(before made) {
	job := strings.TrimSpace(b.query("host", "SELECT MIN(f_job_id) FROM (SELECT f_job_id FROM fate_flow.t_job"+
		" GROUP BY f_job_id ORDER BY MIN(f_create_time) DESC LIMIT 3) AS last"))
	out, code, err := b.try("host", "fate-installer", "rollback")
	if err != nil || code != 2 || !strings.Contains(out, "--yes") || !strings.Contains(out, "jobs and ") {
		b.t.Errorf("rollback without consent: exit status %d, %v\n%s", code, err, out)
	}
	b.t.Logf("%s(one of the last jobs is %s)", out, job)
	b.checkReady("host", modulesOfParty...)
	b.rollback(before)
}

// rollback goes back to the former release, whose toy test passes, and to its database.
func (b bench) rollback(before made) {
	b.t.Helper()
	out := b.run("host", "fate-installer", "rollback", "--yes")
	if !strings.Contains(out, "toy test passed") {
		b.t.Errorf("rollback:\n%s", out)
	}
	b.checkReady("host", modulesOfParty...)
	b.checkVersion("2.4.6")
	if got := b.columns(); got != "0" {
		b.t.Errorf("%s of 3 new columns are there after the rollback", got)
	}
	now := b.made()
	more := now.Jobs - before.Jobs // of the toy test, perhaps twice
	if more < 2 || more > 4 || now.Models-before.Models != more || now.Metrics != before.Metrics ||
		now.Files < before.Files {
		b.t.Errorf("%+v after the rollback, were %+v", now, before)
	}
	if out := b.run("host", "fate-installer", "plan"); strings.Contains(out, "server_node") ||
		strings.Contains(out, "tables of") && strings.Contains(out, "  ~ ") {
		b.t.Errorf("plan after the rollback:\n%s", out)
	}
	for _, table := range []string{"t_job", "t_machine_learning_model_info"} {
		b.query("host", fmt.Sprintf("DELETE FROM fate_flow.%s ORDER BY f_create_time DESC LIMIT %d", table, more))
	}
	b.query("host", "DELETE FROM fate_flow.t_task WHERE f_job_id NOT IN (SELECT f_job_id FROM fate_flow.t_job)")
}
