//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// backedUp is what the test reads of a backup's description.
type backedUp struct {
	File     string
	Bytes    int64
	Contents struct {
		Database struct{ Jobs, Models int64 }
		Trees    []struct {
			Name  string
			Files int64
		}
		Unread []string
	}
}

// TestBackup backs a party up while a job runs, restores it on an empty host with another address, where its jobs and
// models are listed and a job runs, and then on the host itself, where what came later is gone.
func TestBackup(t *testing.T) {
	t.Parallel()
	b := newBench(t, "main=192.168.0.1", "fresh=192.168.0.7")
	b.install("main", "--role", "host", "--party", "10000")
	b.toy("main")
	const models = "/data/projects/fate/fateflow/model_local_cache/guest#10000/v1"
	b.run("main", "mkdir", "-p", models)
	b.write("main", models+"/pipeline.pb", "trained")
	b.run("main", "chown", "-R", "app:apps", "/data/projects/fate/fateflow/model_local_cache")
	b.write("main", "/root/passphrase", "correct horse battery\n")
	b.write("fresh", "/root/passphrase", "correct horse battery\n")
	for _, host := range []string{"main", "fresh"} {
		b.run(host, "chmod", "600", "/root/passphrase")
	}
	b.run("main", "mkdir", "-m", "700", "/var/backups/fate")
	create := []string{"fate-installer", "backup", "create", "--out", "/var/backups/fate", "--passphrase-file",
		"/root/passphrase", "-o", "json"}

	done := make(chan error, 1)
	go func() {
		_, _, err := b.try("main", "fate-installer", "test", "toy")
		done <- err
	}()
	b.await("a job runs", func() bool { return b.listedJobs("main", "running") > 0 })
	var made backedUp
	if err := json.Unmarshal([]byte(b.run("main", create...)), &made); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	t.Logf("%+v", made)
	if made.Contents.Database.Jobs != 2 || len(made.Contents.Trees) == 0 || len(made.Contents.Unread) > 0 {
		t.Errorf("the backup is %+v, want two jobs and the models", made)
	}
	t.Logf("%s", b.run("main", "fate-installer", "backup", "verify", made.File, "--passphrase-file", "/root/passphrase"))
	t.Logf("%s", b.run("main", "fate-installer", "backup", "list", "/var/backups/fate"))
	if mode := b.run("main", "stat", "-c", "%a %U", made.File); strings.TrimSpace(mode) != "600 root" {
		t.Errorf("the backup has mode %s", mode)
	}
	if out, code, err := b.try("main", "fate-installer", "backup", "create", "--out", "/data/projects/fate",
		"--passphrase-file", "/root/passphrase"); err != nil || code != 2 || !strings.Contains(out, "others than root") {
		t.Errorf("a backup below the service user's directory: exit status %d (%v)\n%s", code, err, out)
	}

	b.step("on an empty host with another address", func(b bench) {
		b.carry(made.File, "main", "fresh")
		file := "/root/" + made.File[strings.LastIndex(made.File, "/")+1:]
		b.run("main", "fate-installer", "svc", "shutdown")
		b.t.Logf("%s", b.run("fresh", installerFile, "restore", file, "--ip", "192.168.0.7", "--passphrase-file",
			"/root/passphrase", "--yes"))
		if n := b.listedJobs("fresh", ""); n != 2 {
			b.t.Errorf("%d jobs are listed, want 2", n)
		}
		if n := b.listedJobs("fresh", "canceled"); n != 1 {
			b.t.Errorf("%d jobs are canceled, want the one that ran", n)
		}
		if text := b.run("fresh", "cat", models+"/pipeline.pb"); text != "trained" {
			b.t.Errorf("the model has %q", text)
		}
		if owner := b.run("fresh", "stat", "-c", "%U:%G", models+"/pipeline.pb"); strings.TrimSpace(owner) != "app:apps" {
			b.t.Errorf("the model belongs to %s", owner)
		}
		if b.secrets("fresh")["mysql_user"] != b.secrets("main")["mysql_user"] {
			b.t.Error("the passwords were not restored")
		}
		b.toy("fresh")
	})
	b.step("on the same host, killed at a moment and completed", func(b bench) {
		b.run("fresh", "rm", "-rf", models)
		file := "/root/" + made.File[strings.LastIndex(made.File, "/")+1:]
		restore := []string{"fate-installer", "restore", file, "--passphrase-file", "/root/passphrase", "--yes"}
		for _, seconds := range []string{"0.6", "1.2", "1.8", "2.5"} {
			_, _, err := b.try("fresh", append([]string{"timeout", "-s", "KILL", seconds}, restore...)...)
			if err != nil {
				b.t.Fatal(err)
			}
		}
		b.t.Logf("%s", b.run("fresh", restore...))
		if n := b.listedJobs("fresh", ""); n != 2 {
			b.t.Errorf("%d jobs are listed, want 2", n)
		}
		if text := b.run("fresh", "cat", models+"/pipeline.pb"); text != "trained" {
			b.t.Errorf("the model has %q", text)
		}
		left := b.run("fresh", "find", "/data/projects/fate/fateflow", "-maxdepth", "1", "-name", ".*fate-restore")
		if strings.TrimSpace(left) != "" {
			b.t.Errorf("%s is left", left)
		}
		b.toy("fresh")
	})
}

// listedJobs counts the jobs of a host with a status; blank counts all.
func (b bench) listedJobs(host, status string) int {
	b.t.Helper()
	var list struct {
		Jobs []struct{ Job, Status string }
	}
	text, code, err := b.try(host, "fate-installer", "job", "list", "-o", "json")
	if err != nil || code != 0 {
		return -1
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		b.t.Fatal(fmt.Errorf("%w in %s", err, text))
	}
	n := 0
	for _, j := range list.Jobs {
		if status == "" || j.Status == status {
			n++
		}
	}
	return n
}
