//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// jobAnswer is the document of job why -o json.
type jobAnswer struct {
	Job    string `json:"job"`
	Status string `json:"status"`
	Failed *struct {
		Component string `json:"component"`
		Role      string `json:"role"`
		Here      bool   `json:"here"`
	} `json:"failed"`
	Causes []struct {
		ID       string `json:"id"`
		Evidence []struct {
			Text string `json:"text"`
		} `json:"evidence"`
	} `json:"causes"`
}

// jobListing is the document of job list -o json.
type jobListing struct {
	Jobs []struct {
		Job    string `json:"job"`
		Status string `json:"status"`
	} `json:"jobs"`
	Stale []struct {
		Job   string `json:"job"`
		Tasks int    `json:"tasks"`
	} `json:"stale"`
}

func (b bench) jobList(host string) jobListing {
	b.t.Helper()
	var list jobListing
	out := b.run(host, "fate-installer", "job", "list", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		b.t.Fatalf("job list -o json: %v\n%s", err, out)
	}
	return list
}

// why wants job why of the latest job to name a cause first, and returns the job.
func (b bench) why(host, id string) jobAnswer {
	b.t.Helper()
	job := b.jobList(host).Jobs[0].Job
	out, code, err := b.try(host, "fate-installer", "job", "why", job, "-o", "json")
	var answer jobAnswer
	if err != nil || json.Unmarshal([]byte(out), &answer) != nil {
		b.t.Fatalf("job why -o json: %v\n%s", err, out)
	}
	if code != 3 || len(answer.Causes) == 0 || answer.Causes[0].ID != id {
		b.t.Errorf("job why %s: exit status %d, want 3 and %s first:\n%s", job, code, id, out)
	}
	if text, _, _ := b.try(host, "fate-installer", "job", "why", job); true {
		b.t.Logf("job why %s\n%s", job, text)
	}
	return answer
}

// failing runs a test that has to fail and to say some things.
func (b bench) failing(host string, wants []string, args ...string) string {
	b.t.Helper()
	out, code, err := b.try(host, append([]string{"fate-installer", "test"}, args...)...)
	if err != nil || code != 1 {
		b.t.Errorf("test %s: exit status %d (%v), want 1", strings.Join(args, " "), code, err)
	}
	for _, want := range wants {
		if !strings.Contains(out, want) {
			b.t.Errorf("test %s does not say %q", strings.Join(args, " "), want)
		}
	}
	b.t.Logf("test %s:\n%s", strings.Join(args, " "), out)
	return out
}

// TestJobWhy makes jobs fail in one way after the other, and has each explained.
func TestJobWhy(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1")
	b.install("host", "--role", "host", "--party", "10000")
	b.checkReady("host", modulesOfParty...)
	b.step("components are shown as they start and end", func(b bench) {
		out := b.run("host", "fate-installer", "test", "toy")
		for _, want := range []string{"secure_add_example_0 running", "secure_add_example_0 success"} {
			if !strings.Contains(out, want) {
				b.t.Errorf("test toy does not say %q:\n%s", want, out)
			}
		}
		if out, code, err := b.try("host", "fate-installer", "job", "why", b.jobList("host").Jobs[0].Job); code != 0 {
			b.t.Errorf("job why of a job that succeeded: exit status %d, %v\n%s", code, err, out)
		}
	})
	b.step("a table that was not uploaded", func(b bench) {
		b.failing("host", []string{"table-not-uploaded", "reader_0 failed at "}, "min", "--no-upload")
		if answer := b.why("host", "table-not-uploaded"); answer.Failed == nil ||
			answer.Failed.Component != "reader_0" || !answer.Failed.Here {
			b.t.Errorf("%+v", answer.Failed)
		}
	})
	b.step("a party without a route", func(b bench) {
		out := b.failing("host", []string{"route-missing", "routing table not have current party=9999"}, "toy",
			"--host", "9999")
		if strings.Contains(out, "Traceback") || strings.Contains(out, `\n`) {
			b.t.Error("test toy prints a traceback")
		}
	})
	b.step("ids that do not match", func(b bench) {
		const file = "/data/projects/fate/fate/examples/data/breast_hetero_host.csv"
		b.run("host", "sed", "-i", "2,$s/^/x/", file)
		b.failing("host", []string{"ids-do-not-match", "hetero_lr_0 failed at "}, "min")
		b.run("host", "sed", "-i", "2,$s/^x//", file)
		b.why("host", "ids-do-not-match")
	})
	b.step("a python module that workers need", func(b bench) {
		module := strings.TrimSpace(b.run("host", "find", "/data/projects/fate/common/python/venv", "-type", "d",
			"-name", "grpc", "-print", "-quit"))
		b.run("host", "mv", module, module+".away")
		b.failing("host", []string{"python-module", "No module named 'grpc'"}, "toy")
		b.run("host", "mv", module+".away", module)
		b.why("host", "python-module")
	})
	b.step("no nodemanager", func(b bench) {
		b.run("host", "fate-installer", "svc", "stop", "fate-nodemanager")
		b.failing("host", []string{"eggroll-away", "fate-nodemanager is STOPPED"}, "toy")
		b.why("host", "eggroll-away")
		b.run("host", "fate-installer", "svc", "start", "fate-nodemanager")
		b.awaitReady("host", modulesOfParty...) // clustermanager, when the nodemanager is registered again
	})
	b.step("no cores are left", func(b bench) {
		jobs := b.jobList("host").Jobs
		holder := jobs[len(jobs)-1].Job
		held := func(cores, used int) {
			b.query("host", fmt.Sprintf("UPDATE fate_flow.t_job SET f_cores = %d, f_resource_in_use = %d WHERE "+
				"f_job_id = '%s'", cores, used, holder))
		}
		held(64, 1)
		out := b.failing("host", []string{"no-cores-left", "job " + holder, "it was stopped, and is canceled"}, "toy",
			"--timeout", "6s")
		if strings.Contains(out, "cannot be stopped") {
			b.t.Error("a job that was canceled cannot be stopped")
		}
		held(2, 0)
		b.why("host", "no-cores-left") // the scheduler's log has it, after the records have changed
	})
	b.step("FATE-Flow is killed while it runs a job", bench.killedFlow)
	b.step("the database answers when FATE-Flow does not", func(b bench) {
		b.run("host", "fate-installer", "svc", "stop", "fate-fateflow")
		out := b.run("host", "fate-installer", "job", "list")
		if !strings.Contains(out, "from its database") {
			b.t.Errorf("job list without FATE-Flow:\n%s", out)
		}
		b.run("host", "fate-installer", "svc", "start", "fate-fateflow")
		b.checkReady("host", modulesOfParty...)
	})
}

// killedFlow holds a job up, kills the FATE-Flow that runs it, and has the tasks ended that stay.
func (b bench) killedFlow() {
	programs := b.checkReady("host", modulesOfParty...)
	node := fmt.Sprint(programs["fate-nodemanager"].PID)
	b.run("host", "sh", "-c", "kill -STOP "+node)
	b.run("host", "sh", "-c", "fate-installer test toy > /root/toy.log 2>&1 &")
	b.await("a job runs", func() bool {
		jobs := b.jobList("host").Jobs
		return len(jobs) > 0 && jobs[0].Status == "running"
	})
	job := b.jobList("host").Jobs[0].Job
	b.await("its tasks run", func() bool {
		return strings.TrimSpace(b.query("host", "SELECT COUNT(*) FROM fate_flow.t_task WHERE f_party_status = "+
			"'running' AND f_job_id = '"+job+"'")) == "2"
	})
	b.kill("host", programs["fate-fateflow"].PID)
	b.run("host", "sh", "-c", "kill -CONT "+node)
	b.awaitReady("host", modulesOfParty...)
	b.await("the job has failed", func() bool {
		return strings.TrimSpace(b.query("host", "SELECT COUNT(*) FROM fate_flow.t_job WHERE f_status = 'failed' "+
			"AND f_job_id = '"+job+"'")) == "2"
	})
	// as if it were long ago
	b.query("host", "UPDATE fate_flow.t_job SET f_end_time = f_end_time - 120000 WHERE f_job_id = '"+job+"'")
	b.t.Logf("job list:\n%s", b.run("host", "fate-installer", "job", "list"))
	list := b.jobList("host")
	if len(list.Stale) != 1 || list.Stale[0].Job != job || list.Stale[0].Tasks != 2 {
		b.t.Errorf("job list finds %+v", list.Stale)
	}
	answer := b.why("host", "task-executor-ended")
	if answer.Job != job {
		b.t.Errorf("job why of %s", answer.Job)
	}
	b.t.Logf("job clean:\n%s", b.run("host", "fate-installer", "job", "clean"))
	if list := b.jobList("host"); len(list.Stale) != 0 || !slices.ContainsFunc(list.Jobs, func(j struct {
		Job    string `json:"job"`
		Status string `json:"status"`
	}) bool {
		return j.Job == job && j.Status == "failed"
	}) {
		b.t.Errorf("after job clean: %+v", list)
	}
	if out := b.run("host", "fate-installer", "job", "clean"); !strings.Contains(out, "nothing to do") {
		b.t.Errorf("job clean again:\n%s", out)
	}
}
