//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// supervisorDir is where TestSupervisor keeps the configuration.
const supervisorDir = "/data/projects/common/supervisord/"

// listener is a command that listens on a local port: what every Debian with systemd has.
func listener(port int) string {
	return fmt.Sprintf("/usr/bin/systemd-socket-activate --accept --inetd -l 127.0.0.1:%d /bin/true", port)
}

// middleDelay is how long the middle of the chain takes until it listens.
const middleDelay = 2 * time.Second

// chain is three programs of which each depends on the one before.
func chain() string {
	return fmt.Sprintf(`[program:first]
command=%s
ready_tcp=127.0.0.1:7001
autorestart=true

[program:middle]
command=/bin/sh -c "sleep %g; exec %s"
ready_tcp=127.0.0.1:7002
depends_on=first
autorestart=true

[program:last]
command=/bin/sleep 1000000
depends_on=middle
autorestart=true
`, listener(7001), middleDelay.Seconds(), listener(7002))
}

var chained = []string{"first", "middle", "last"}

// TestSupervisor has the supervisor run under a real systemd: it starts programs at boot, as each becomes ready, and
// they outlive every way in which it can end but the one that is meant to stop them.
func TestSupervisor(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, bareProgram, programFile, "host=192.168.0.1")
	b.write("host", supervisorDir+"supervisord.conf",
		"[supervisord]\nlogfile=/data/logs/supervisord/supervisord.log\n[include]\nfiles=supervisord.d/*.conf\n")
	b.write("host", supervisorDir+"supervisord.d/chain.conf", chain())
	mainPID := func(b bench) string {
		return strings.TrimSpace(b.run("host", "systemctl", "show", "--property=MainPID", "--value", "fate-supervisor"))
	}

	b.step("the boot unit starts a chain as each becomes ready", func(b bench) {
		b.run("host", "fate-installer", "svc", "install")
		programs := b.awaitReady("host", chained...)
		if gap := programs["last"].Started.Sub(programs["middle"].Started); gap < middleDelay {
			b.t.Errorf("last was started %v after middle, which becomes ready after %v", gap, middleDelay)
		}
		if kind := strings.TrimSpace(b.run("host", "systemctl", "show",
			"--property=Type,KillMode,LimitNOFILE,Restart,UnitFileState", "fate-supervisor")); kind !=
			"Type=notify\nRestart=always\nLimitNOFILE=1048576\nKillMode=process\nUnitFileState=enabled" {
			b.t.Errorf("systemd knows the unit as\n%s", kind)
		}
	})
	b.step("installing the unit again touches nothing", func(b bench) {
		before, pid := b.checkReady("host", chained...), mainPID(b)
		b.run("host", "fate-installer", "svc", "install")
		b.checkSamePIDs(before, b.checkReady("host", chained...))
		if now := mainPID(b); now != pid {
			b.t.Errorf("the supervisor was restarted: pid %s, before %s", now, pid)
		}
	})
	for _, end := range []struct {
		name   string
		args   []string
		newPID bool
	}{
		{"systemctl restart", []string{"systemctl", "restart", "fate-supervisor"}, true},
		{"systemctl reload", []string{"systemctl", "reload", "fate-supervisor"}, false},
		{"SIGKILL", []string{"systemctl", "kill", "--kill-whom=main", "--signal=KILL", "fate-supervisor"}, true},
		{"svc shutdown --keep", []string{"fate-installer", "svc", "shutdown", "--keep"}, true},
		{"svc upgrade-self", []string{"fate-installer", "svc", "upgrade-self"}, false},
	} {
		b.step("programs survive "+end.name, func(b bench) {
			before, pid := b.checkReady("host", chained...), mainPID(b)
			b.run("host", end.args...)
			b.await("the supervisor has the pid it should", func() bool {
				now := mainPID(b)
				return now != "0" && (now != pid) == end.newPID
			})
			b.checkSamePIDs(before, b.awaitReady("host", chained...))
		})
	}
	b.step("a restart that is interrupted by SIGKILL is finished", func(b bench) {
		before := b.checkReady("host", chained...)
		const end = "/run/slow-may-end" // until then slow is being stopped, and ends at once after that
		b.write("host", supervisorDir+"supervisord.d/slow.conf",
			"[program:slow]\ncommand=/bin/sh -c \"trap 'until [ -e "+end+" ]; do sleep 0.1; done; exit' TERM; "+
				"echo up; while :; do sleep 0.1; done\"\nready_log=up\nstopwaitsecs=600\n")
		b.run("host", "fate-installer", "svc", "update")
		pid := b.awaitReady("host", append([]string{"slow"}, chained...)...)["slow"].PID
		b.run("host", "systemd-run", "--unit=restart", "fate-installer", "svc", "restart", "slow")
		b.await("slow is being stopped", func() bool {
			programs, _ := b.status("host")
			return programs["slow"].State == "STOPPING"
		})
		b.run("host", "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "fate-supervisor")
		b.run("host", "touch", end)
		b.await("slow has a new process", func() bool {
			programs, _ := b.status("host")
			return programs["slow"].Ready && programs["slow"].PID != pid
		})
		b.run("host", "rm", supervisorDir+"supervisord.d/slow.conf")
		b.run("host", "fate-installer", "svc", "update")
		b.checkSamePIDs(before, b.checkReady("host", chained...))
	})
	b.step("what needs a stopped program is degraded", func(b bench) {
		before := b.checkReady("host", chained...)
		delete(before, "first")
		out := b.run("host", "fate-installer", "svc", "stop", "first")
		if !strings.Contains(out, "first: needed by last, middle, degraded until it is started again") {
			b.t.Errorf("svc stop first:\n%s", out)
		}
		programs, code := b.status("host")
		for _, name := range []string{"middle", "last"} {
			if p := programs[name]; code != 3 || p.State != "RUNNING" || p.Ready ||
				p.Why != "degraded: first is stopped" {
				b.t.Errorf("svc status: exit status %d, %s is %+v", code, name, p)
			}
		}
		out, code, _ = b.try("host", "fate-installer", "svc", "why", "last")
		for _, want := range []string{"cannot work: it needs middle", "cannot work: it needs first",
			"first is stopped since ", ", by root: /usr/local/bin/fate-installer svc stop first",
			"what to do: fate-installer svc start first"} {
			if code != 3 || !strings.Contains(out, want) {
				b.t.Errorf("svc why last: exit status %d, want %q in\n%s", code, want, out)
			}
		}
		b.run("host", "fate-installer", "svc", "start", "first")
		programs = b.checkReady("host", chained...)
		delete(programs, "first")
		b.checkSamePIDs(before, programs)
		b.run("host", "fate-installer", "svc", "stop", "--with-dependants", "first")
		if programs, _ := b.status("host"); programs["last"].State != "STOPPED" ||
			programs["middle"].State != "STOPPED" {
			b.t.Errorf("after svc stop --with-dependants: %+v", programs)
		}
		b.run("host", "fate-installer", "svc", "start", "all")
		b.awaitReady("host", chained...)
	})
	b.step("why names the owner of a taken port", func(b bench) {
		before := b.checkReady("host", chained...)
		b.run("host", "systemd-run", "--unit=stranger", "/bin/sh", "-c", "exec "+listener(7003))
		owner := strings.TrimSpace(b.run("host", "systemctl", "show", "--property=MainPID", "--value", "stranger"))
		b.await("the stranger listens", func() bool {
			_, code, _ := b.try("host", "sh", "-c", "grep -q ' 0100007F:1B5B 00000000:0000 0A' /proc/net/tcp")
			return code == 0
		})
		b.write("host", supervisorDir+"supervisord.d/web.conf",
			"[program:web]\ncommand="+listener(7003)+
				"\nready_tcp=127.0.0.1:7003\nautostart=false\nautorestart=true\nstartretries=2\n"+
				"[program:shop]\ncommand=/bin/sleep 1000000\nautostart=false\ndepends_on=web\n")
		b.run("host", "fate-installer", "svc", "update")
		if out, code, _ := b.try("host", "fate-installer", "svc", "start", "shop"); code != 6 ||
			!strings.Contains(out, "shop: depends on web, which is not ready") {
			b.t.Errorf("svc start shop: exit status %d\n%s", code, out)
		}
		out, code, _ := b.try("host", "fate-installer", "svc", "why", "shop")
		for _, want := range []string{"port 7003: held by pid " + owner, "systemd-socket-activate",
			"what to do: port 7003 is held by pid " + owner, "Address already in use"} {
			if code != 3 || !strings.Contains(out, want) {
				b.t.Errorf("svc why shop: exit status %d, want %q in\n%s", code, want, out)
			}
		}
		b.run("host", "systemctl", "stop", "stranger")
		b.run("host", "fate-installer", "svc", "start", "shop")
		b.checkSamePIDs(before, b.checkReady("host", append([]string{"web", "shop"}, chained...)...))
	})
	b.step("an executable that is missing is reported at once", func(b bench) {
		b.write("host", supervisorDir+"supervisord.d/lost.conf",
			"[program:lost]\ncommand=/opt/lost/bin/lost\nautostart=false\nstartretries=20\n")
		b.run("host", "fate-installer", "svc", "update")
		if out, code, _ := b.try("host", "fate-installer", "svc", "start", "lost"); code != 6 ||
			!strings.Contains(out, "cannot find the program /opt/lost/bin/lost") {
			b.t.Errorf("svc start lost: exit status %d\n%s", code, out)
		}
		b.run("host", "rm", supervisorDir+"supervisord.d/lost.conf", supervisorDir+"supervisord.d/web.conf")
		b.run("host", "systemctl", "reload", "fate-supervisor")
		b.awaitReady("host", chained...)
	})
	b.step("a boot starts it", func(b bench) {
		if err := b.Reboot(b.t.Context(), "host"); err != nil {
			b.t.Fatal(err)
		}
		programs := b.awaitReady("host", chained...)
		if gap := programs["last"].Started.Sub(programs["middle"].Started); gap < middleDelay {
			b.t.Errorf("last was started %v after middle, which becomes ready after %v", gap, middleDelay)
		}
	})
	b.step("systemctl stop stops all, systemctl start starts all", func(b bench) {
		before := b.checkReady("host", chained...)
		b.run("host", "systemctl", "stop", "fate-supervisor")
		for name, p := range before {
			if _, code, _ := b.try("host", "test", "-e", "/proc/"+strconv.Itoa(p.PID)); code == 0 {
				b.t.Errorf("%s lives on as %d", name, p.PID)
			}
		}
		if _, code := b.status("host"); code != 4 {
			b.t.Errorf("svc status without a supervisor: exit status %d, want 4", code)
		}
		b.run("host", "systemctl", "start", "fate-supervisor")
		b.awaitReady("host", chained...)
	})
	b.step("svc uninstall takes it out of the boot", func(b bench) {
		before := b.checkReady("host", chained...)
		b.run("host", "fate-installer", "svc", "uninstall")
		b.run("host", "test", "!", "-e", "/etc/systemd/system/fate-supervisor.service")
		for name, p := range before {
			if _, code, _ := b.try("host", "test", "-e", "/proc/"+strconv.Itoa(p.PID)); code == 0 {
				b.t.Errorf("%s lives on as %d", name, p.PID)
			}
		}
		b.run("host", "fate-installer", "svc", "uninstall")
	})
}
