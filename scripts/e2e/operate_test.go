//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"fate-installer/installer/diagnosis"
)

// TestOperate does on one host what operators do after the first day: an installation in two parts, the minimal test, a
// diagnosis, an upgrade with another version of everything, the way back, and an end of which nothing remains.
func TestOperate(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1")
	b.step("install in two parts", func(b bench) {
		b.install("host", "install", "--role", "host", "--party", "10000", "--mode", "install")
		b.run("host", "test", "-e", "/data/projects/fate/eggroll/lib")
		b.run("host", "test", "!", "-e", "/data/projects/data/fate/mysql/ibdata1")
		b.run("host", "test", "!", "-e", "/etc/systemd/system/fate-supervisor.service")
		b.install("host", "install", "--mode", "config")
		b.checkReady("host", modulesOfParty...)
	})
	b.step("only some modules change nothing else", func(b bench) {
		out := b.run("host", installerFile, "install", "--only", "mysql,eggroll")
		if !strings.Contains(out, "nothing to do") {
			b.t.Errorf("install --only of what is there:\n%s", out)
		}
		b.checkReady("host", modulesOfParty...)
	})
	b.step("minimal test", func(b bench) {
		if out := b.run("host", "fate-installer", "test", "min"); !strings.Contains(out,
			"hetero SecureBoost: auc 0.") || !strings.Contains(out, "passed in") {
			b.t.Errorf("test min:\n%s", out)
		}
	})
	b.step("a failing test names the program, and a diagnosis tells no password", func(b bench) {
		b.run("host", "fate-installer", "svc", "stop", "fate-rollsite")
		out, code, err := b.try("host", "fate-installer", "test", "toy", "--timeout", "30s")
		if err != nil || code != 1 || !strings.Contains(out, "fate-rollsite is STOPPED") {
			b.t.Errorf("test toy without a rollsite: exit status %d, %v\n%s", code, err, out)
		}
		b.checkDiagnosis("host")
		b.run("host", "fate-installer", "svc", "start", "fate-rollsite")
		b.checkReady("host", modulesOfParty...)
	})
	b.step("a repair touches nothing of the operator's", func(b bench) { b.repairKeepsOperatorFiles("host") })
	b.step("an edit of compiled code takes effect", func(b bench) { b.editCompiledCode("host") })
	b.step("a database that refuses its password", func(b bench) { b.refusedPassword("host") })
	var jobs int
	b.step("upgrade", func(b bench) {
		b.carryNext("host", "/root/next")
		jobs = b.jobs("host")
		out := b.run("host", "/root/next", "upgrade")
		for _, want := range []string{"2.5.3 -> 2.5.4", "keeping a copy of the database", "toy test passed"} {
			if !strings.Contains(out, want) {
				b.t.Errorf("upgrade does not say %q:\n%s", want, out)
			}
		}
		b.checkReady("host", modulesOfParty...)
		b.checkVersion("2.5.4")
		b.checkOperatorFiles("after an upgrade", "host")
		b.run("host", "test", "-e", "/data/projects/fate/common/mysql/mariadb-10.11.99/bin/mariadbd")
	})
	b.step("back", func(b bench) {
		if out, code, err := b.try("host", "fate-installer", "rollback"); err != nil || code != 2 ||
			!strings.Contains(out, "--yes") {
			b.t.Errorf("rollback of the database without consent: exit status %d, %v\n%s", code, err, out)
		}
		b.run("host", "fate-installer", "rollback", "--yes")
		b.checkReady("host", modulesOfParty...)
		b.checkVersion("2.5.3")
		b.checkOperatorFiles("after a rollback", "host")
		// one job is a row for each side, and a second one may be tried
		if now := b.jobs("host"); now != jobs+2 && now != jobs+4 {
			b.t.Errorf("%d rows of jobs, and %d before the upgrade: that of the upgrade's test is still there, or "+
				"that of the rollback's is not", now, jobs)
		}
	})
	b.step("nothing remains", func(b bench) {
		b.uninstallToTheEnd("host")
	})
}

// checkVersion wants an eggroll of that version to be what is installed.
func (b bench) checkVersion(version string) {
	b.t.Helper()
	if site := b.run("host", "cat", "/data/projects/common/fate-installer/site.json"); !strings.Contains(site,
		`"`+version+`"`) {
		b.t.Errorf("eggroll %s is not installed:\n%s", version, site)
	}
}

// checkDiagnosis makes a diagnosis and looks for every password of the installation in it.
func (b bench) checkDiagnosis(host string) {
	b.t.Helper()
	b.run(host, "fate-installer", "diagnose", "--out", "/root/diagnosis.tar.gz")
	b.run(host, "sh", "-c", "mkdir /root/diagnosis && tar -C /root/diagnosis --strip-components 1 -xzf "+
		"/root/diagnosis.tar.gz")
	var secrets map[string]string
	if err := json.Unmarshal([]byte(b.run(host, "cat", "/data/projects/common/fate-installer/secrets.json")),
		&secrets); err != nil {
		b.t.Fatal(err)
	}
	for name, secret := range secrets {
		if out, code, err := b.try(host, "grep", "-rlF", "-e", secret, "/root/diagnosis"); err != nil || code != 1 ||
			secret == "" {
			b.t.Errorf("the password %s is in the diagnosis: %s %v", name, out, err)
		}
	}
	// Eggroll prints its settings, and the log is in the diagnosis all the same.
	const printed = "logs/fate/eggroll/bootstrap.clustermanager.out"
	b.run(host, "grep", "-qF", "-e", "jdbc.password="+secrets["mysql_user"], "/data/"+printed)
	b.run(host, "grep", "-qF", "-e", "jdbc.password=[redacted]", "/root/diagnosis/"+printed)
	b.run(host, "test", "-s", "/root/diagnosis/why/fate-rollsite.json")
	b.checkAnalysis(host)
	b.run(host, "test", "-s", "/root/diagnosis/config/data/projects/fate/conf/service_conf.yaml")
}

// checkAnalysis wants the file of the diagnosis to show the program that was stopped, also to a user without rights, in
// parts, and without a file.
func (b bench) checkAnalysis(host string) {
	b.t.Helper()
	b.run(host, "sh", "-c", "cp /root/diagnosis.tar.gz /tmp/d.tar.gz && chmod 644 /tmp/d.tar.gz")
	b.run(host, "fate-installer", "diagnose", "--out", "/root/parts.tar.gz", "--since", "1h", "--split", "64K")
	for _, command := range [][]string{
		{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "fate-installer", "diagnose", "--analyze",
			"/tmp/d.tar.gz", "-o", "json"},
		{"fate-installer", "diagnose", "--analyze", "/root/parts.tar.gz.001", "-o", "json"},
		{"fate-installer", "diagnose", "--analyze", "-o", "json"},
	} {
		out, code, err := b.try(host, command...)
		var report diagnosis.Report
		if err == nil {
			err = json.Unmarshal([]byte(out), &report)
		}
		if err != nil || code != diagnosis.ExitFound || !slices.ContainsFunc(report.Findings,
			func(f diagnosis.Finding) bool {
				return f.ID == "program-stopped" && strings.Contains(f.Evidence[0].Text, "fate-rollsite")
			}) {
			b.t.Errorf("%v: exit status %d, %v\n%s", command, code, err, out)
		}
	}
}

// nextAppliance is the demo's appliance with later versions of eggroll and the database, built once per run of the
// tests.
var nextAppliance = sync.OnceValues(func() (string, error) {
	file, err := demoAppliance()
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(file)
	lock, err := os.ReadFile(filepath.Join(dir, "demo-mariadb.lock.yaml"))
	if err != nil {
		return "", err
	}
	later := regexp.MustCompile(`(name: mariadb\n    version: \d+\.\d+\.)\d+`).ReplaceAll(lock, []byte("${1}99"))
	later = regexp.MustCompile(`(name: eggroll\n    version: )\S+`).ReplaceAll(later, []byte("${1}2.5.4"))
	nextLock := filepath.Join(dir, "next.lock.yaml") // next to the first: its sources are relative to it
	if err := os.WriteFile(nextLock, later, 0o644); err != nil {
		return "", err
	}
	defer os.Remove(nextLock)
	program, err := bareProgram()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "next")
	text, err := exec.Command(program, "bundle", "build", "--level", "1", "--lock",
		nextLock, "--out", out).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("bundle build: %w\n%s", err, text)
	}
	return out, nil
})

// carryNext copies it to a host.
func (b bench) carryNext(host, target string) {
	b.t.Helper()
	file, err := nextAppliance()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.CopyTo(b.t.Context(), file, host, target); err != nil {
		b.t.Fatal(err)
	}
}
