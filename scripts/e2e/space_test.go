//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const (
	flowDir   = "/data/projects/fate/fateflow"
	flowLogs  = "/data/logs/fate/fateflow"
	modelsDir = flowDir + "/model_local_cache"
	orphan    = modelsDir + "/guest#10000#guest-10000#host-10000#model/" + jobEnded
	jobEnded  = "202601020304050000450" // made up, and old; among the latest hundred, which FATE-Flow lists
	jobWaits  = "202601020304050000011" // made up, and waits
)

// makeOldJobs makes the files of 500 jobs that ended 60 days ago, as the service user.
const makeOldJobs = `set -e
cd /
for n in $(seq 0 499); do
  id=20260102030405$(printf %07d $n)
  for d in ` + flowDir + `/jobs/$id/guest/10000 ` + flowLogs + `/$id/guest/10000 /data/logs/fate/eggroll/${id}_toy_0_0_guest_10000; do
    mkdir -p $d
    head -c 20000 /dev/zero > $d/file
  done
done
find ` + flowDir + `/jobs ` + flowLogs + ` /data/logs/fate/eggroll -path '*20260102030405*' -exec touch -h -d '60 days ago' {} +`

// cleaned is what the test reads of gc -o json.
type cleaned struct {
	Bytes int64 `json:"bytes"`
	Kinds []struct {
		Kind  string `json:"kind"`
		Count int    `json:"count"`
	} `json:"kinds"`
	Left []struct {
		Kind   string `json:"kind"`
		Reason string `json:"reason"`
		Count  int    `json:"count"`
	} `json:"left"`
}

func (c cleaned) count(kind string) int {
	for _, k := range c.Kinds {
		if k.Kind == kind {
			return k.Count
		}
	}
	return 0
}

// gc runs gc on the host, which has to end with 0.
func (b bench) gc(args ...string) (c cleaned) {
	b.t.Helper()
	out := b.run("host", append([]string{"fate-installer", "gc", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		b.t.Fatalf("gc: %v\n%s", err, out)
	}
	return c
}

// used is what the file system of the base directory has in use, in KiB.
func (b bench) used() int64 {
	b.t.Helper()
	b.run("host", "sync")
	out := b.run("host", "du", "-sk", "--one-file-system", "/data/projects", "/data/logs")
	sum := int64(0)
	for line := range strings.Lines(out) {
		n, err := strconv.ParseInt(strings.Fields(line)[0], 10, 64)
		if err != nil {
			b.t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// oldRows gives the made-up jobs rows in FATE-Flow's table, as copies of a job's.
func (b bench) oldRows(job string) {
	b.t.Helper()
	columns := strings.Fields(b.query("host", "SELECT COLUMN_NAME FROM information_schema.COLUMNS"+
		" WHERE TABLE_SCHEMA = 'fate_flow' AND TABLE_NAME = 't_job' ORDER BY ORDINAL_POSITION"))
	values := make([]string, len(columns))
	for i, c := range columns {
		switch values[i] = "j." + c; c {
		case "f_job_id":
			values[i] = "CONCAT('20260102030405', LPAD(n, 7, '0'))"
		case "f_create_time":
			values[i] = "1767323045000 + n"
		case "f_status":
			values[i] = "IF(n = 11, 'waiting', j.f_status)"
		}
	}
	digit := "(SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5" +
		" UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)"
	b.query("host", fmt.Sprintf("INSERT INTO fate_flow.t_job (%s) SELECT %s FROM"+
		" (SELECT x.d + 10 * y.d + 100 * z.d AS n FROM %s x, %s y, %s z) numbers, fate_flow.t_job j WHERE n < 500 AND j.f_job_id = '%s' AND j.f_role = 'guest'",
		strings.Join(columns, ", "), strings.Join(values, ", "), digit, digit, digit, job))
}

// TestSpace removes the files of 500 old jobs while a job runs: what is foreseen is freed, all jobs are listed as
// before, and what is in use, or what tables refer to, stays.
func TestSpace(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1")
	b.install("host", "--role", "host", "--party", "10000")
	b.toy("host")
	// it deploys a model, and predicts
	b.run("host", "fate-installer", "test", "min", "--guest", "10000", "--host", "10000")
	toy := b.jobList("host").Jobs
	first := toy[len(toy)-1].Job
	b.run("host", "runuser", "-u", "app", "--", "sh", "-c", makeOldJobs)
	b.oldRows(first)
	b.run("host", "runuser", "-u", "app", "--", "sh", "-c", "cd / && mkdir -p '"+orphan+"' && echo x > '"+orphan+"/file'")
	b.run("host", "find", modelsDir, "-exec", "touch", "-h", "-d", "90 days ago", "{}", "+")
	models := b.contents("host", []string{modelsDir}, orphan)

	running := make(chan string, 1)
	go func() {
		out, _, _ := b.try("host", labPython, "-c", longJob, "192.168.0.1:9380", "10000", "50", "240")
		running <- strings.TrimSpace(out)
	}()
	b.await("a job runs", func() bool { return b.listedJobs("host", "running") > 0 })
	jobs := b.jobs("host")

	b.step("what is foreseen is freed", func(b bench) {
		b.t.Logf("%s", b.run("host", "fate-installer", "gc", "--dry-run"))
		foreseen := b.gc("--dry-run")
		before := b.used()
		out, code, err := b.try("host", "fate-installer", "gc")
		if err != nil || code != 2 || !strings.Contains(out, "--yes") || b.used() < before-100 {
			b.t.Errorf("without consent: exit status %d (%v)\n%s", code, err, out)
		}
		done := b.gc("--yes")
		freed := (before - b.used()) << 10
		if done.count("jobs") != 499 || done.count("job-logs") != 998 || done.count("models") != 1 ||
			done.Bytes != foreseen.Bytes {
			b.t.Errorf("done: %+v, foreseen: %+v", done, foreseen)
		}
		if off := freed - done.Bytes; off < -4<<20 || off > 4<<20 { // programs write, too
			b.t.Errorf("%d bytes are free, gc says %d", freed, done.Bytes)
		}
		b.t.Logf("%d bytes are free, gc says %d", freed, done.Bytes)
	})
	b.step("what is in use stays", func(b bench) {
		b.run("host", "test", "-f", flowDir+"/jobs/"+jobWaits+"/guest/10000/file")
		b.run("host", "test", "!", "-e", flowDir+"/jobs/"+jobEnded)
		b.checkSame("the models that tables refer to", models, b.contents("host", []string{modelsDir}, orphan))
		b.run("host", "test", "!", "-e", orphan)
		if status := <-running; status != "success" {
			b.t.Errorf("the job that ran ended as %q", status)
		}
	})
	b.step("jobs are listed as before, and opened", func(b bench) {
		if now := b.jobs("host"); now != jobs {
			b.t.Errorf("%d rows of jobs, there were %d", now, jobs)
		}
		if out := b.run("host", "fate-installer", "job", "list", "--limit", "1000"); !strings.Contains(out, jobEnded) {
			b.t.Errorf("%s is not listed", jobEnded)
		}
		for _, id := range []string{first, jobEnded} {
			out, code, err := b.try("host", "fate-installer", "job", "why", id)
			if err != nil || code != 0 || !strings.Contains(out, "succeeded") {
				b.t.Errorf("job why %s: exit status %d (%v)\n%s", id, code, err, out)
			}
		}
		b.toy("host")
	})
	b.step("without FATE-Flow and its database nothing of jobs is touched", func(b bench) {
		b.run("host", "sh", "-c", "mkdir -p "+flowDir+"/jobs/"+jobEnded+" && chown app:apps "+flowDir+"/jobs/"+jobEnded+
			" && touch -d '60 days ago' "+flowDir+"/jobs/"+jobEnded)
		b.run("host", "fate-installer", "svc", "stop", "fate-mysql", "fate-fateflow", "--with-dependants")
		out, code, err := b.try("host", "fate-installer", "gc", "--yes")
		if err != nil || code != 5 || !strings.Contains(out, "it is not known which jobs run") {
			b.t.Errorf("exit status %d (%v)\n%s", code, err, out)
		}
		b.run("host", "test", "-d", flowDir+"/jobs/"+jobEnded)
		b.run("host", "fate-installer", "svc", "start", "all")
		b.await("all programs are ready", func() bool {
			_, code := b.status("host")
			return code == 0
		})
		if done := b.gc("--yes"); done.count("jobs") != 1 {
			b.t.Errorf("with FATE-Flow: %+v", done)
		}
		if out := b.run("host", "fate-installer", "history"); !strings.Contains(out, "gc --yes") {
			b.t.Errorf("the history does not have gc:\n%s", out)
		}
	})
}
