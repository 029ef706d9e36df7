//go:build e2e

package e2e

import "testing"

// What an installation consists of, but for data, logs and the installer's own state.
var installed = []string{"/data/projects", "/etc", "/usr/local"}

var notInstalled = []string{"/data/projects/data", "/data/projects/common/fate-installer", "*/run", "*/__pycache__",
	"/etc/machine-id"}

// What a running system changes by itself; the files in /etc that end in "-" are the
// backups that tools for accounts make.
var notOurs = []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/root", "/var/tmp", "/var/lib/systemd",
	"/var/log/journal", "/var/log/wtmp", "/etc/*-"}

// TestJourney takes one host from bare to a running party, breaks it in several ways,
// and removes everything again.
func TestJourney(t *testing.T) {
	t.Parallel()
	journey(t, demoAppliance)
}

// TestJourneyWithMySQL is TestJourney with MySQL 8.0.15, Oracle's own build, in place of MariaDB.
func TestJourneyWithMySQL(t *testing.T) {
	t.Parallel()
	journey(t, mysqlAppliance)
}

func journey(t *testing.T, build func() (string, error)) {
	b := newBenchWith(t, build, installerFile, "host=192.168.0.1")
	bare := b.contents("host", []string{"/"}, notOurs...)

	b.step("install", func(b bench) {
		b.install("host", "--role", "host", "--party", "10000")
		b.checkReady("host", modulesOfParty...)
		b.toy("host")
	})
	b.step("install again changes nothing", func(b bench) {
		files, programs := b.tree("host", installed, notInstalled...), b.checkReady("host", modulesOfParty...)
		b.install("host", "--role", "host", "--party", "10000")
		b.checkSame("files", files, b.tree("host", installed, notInstalled...))
		for name, p := range b.checkReady("host", modulesOfParty...) {
			if p.PID != programs[name].PID {
				b.t.Errorf("%s was restarted", name)
			}
		}
	})
	b.step("install repairs what was removed", func(b bench) {
		const file = "/data/projects/fate/fateboard/conf/application.properties"
		before := b.run("host", "cat", file)
		b.run("host", "rm", file)
		b.install("host", "--role", "host", "--party", "10000")
		if after := b.run("host", "cat", file); after != before {
			b.t.Errorf("%s came back changed:\n%s", file, after)
		}
		b.awaitReady("host", modulesOfParty...)
	})
	b.step("a killed program comes back", func(b bench) {
		before := b.checkReady("host", modulesOfParty...)
		for name, p := range before {
			if name != "fate-mysql" { // see the power cut
				b.kill("host", p.PID)
			}
		}
		b.await("all have been started again", func() bool {
			now, _ := b.status("host")
			for name, p := range before {
				if name != "fate-mysql" && (now[name].PID == p.PID || !now[name].Ready) {
					return false
				}
			}
			return true
		})
		b.checkReady("host", modulesOfParty...)
		b.toy("host")
	})
	b.step("programs survive the supervisor", func(b bench) {
		before := b.checkReady("host", modulesOfParty...)
		b.run("host", "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "fate-supervisor")
		for name, p := range b.awaitReady("host", modulesOfParty...) {
			if p.PID != before[name].PID {
				b.t.Errorf("%s was restarted", name)
			}
		}
	})
	b.step("a reboot brings all back", func(b bench) {
		if err := b.Reboot(b.t.Context(), "host"); err != nil {
			b.t.Fatal(err)
		}
		b.awaitReady("host", modulesOfParty...)
		b.toy("host")
	})
	b.step("a power cut does no harm", func(b bench) {
		if err := b.PowerCut("host"); err != nil {
			b.t.Fatal(err)
		}
		b.awaitReady("host", modulesOfParty...)
		b.toy("host")
	})
	var jobs int
	b.step("uninstall keeps data", func(b bench) {
		jobs = b.jobs("host")
		b.run("host", "fate-installer", "uninstall", "--yes")
		if left := b.run("host", "find", "/proc", "-maxdepth", "1", "-name", "[0-9]*", "-user", "app"); left != "" {
			b.t.Errorf("processes of user app after uninstall:\n%s", left)
		}
		b.run("host", "test", "-e", "/data/projects/data/fate/mysql/ibdata1")
		b.run("host", "test", "!", "-e", "/data/projects/fate/eggroll")
	})
	b.step("uninstall again finds nothing to do", func(b bench) {
		b.run("host", installerFile, "uninstall", "--yes")
	})
	b.step("install takes the kept data up again", func(b bench) {
		b.install("host", "--role", "host", "--party", "10000")
		b.checkReady("host", modulesOfParty...)
		if now := b.jobs("host"); now != jobs || jobs == 0 {
			b.t.Errorf("%d jobs in the database, %d before uninstall", now, jobs)
		}
		b.toy("host")
	})
	b.step("uninstall with data leaves the host as it was", func(b bench) {
		b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
		b.checkSame("root file system", bare, b.contents("host", []string{"/"}, notOurs...))
	})
}
