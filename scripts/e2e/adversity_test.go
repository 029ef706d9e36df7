//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// notCompared lists what differs between two installations of the same kind.
var notCompared = append([]string{"/etc/hosts", "/etc/hostname", "/etc/systemd/network"}, notInstalled...)

// TestAdversity installs on a host that makes it hard. What cannot be is refused before anything is touched, or undone;
// what goes wrong on the way is made good by one more run, which ends where an undisturbed one ends.
func TestAdversity(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1")
	bare := b.contents("host", []string{"/"}, notOurs...)
	untouched := func(b bench) {
		b.t.Helper()
		b.checkSame("root file system", bare, b.contents("host", []string{"/"}, notOurs...))
	}

	b.step("a wrong address is refused", func(b bench) {
		b.refusedInstall("host", 3, []string{"refused  address: 192.168.0.1; wanted: 10.9.9.9"}, "--ip", "10.9.9.9")
		untouched(b)
	})
	b.step("a taken port is refused, with its owner", func(b bench) {
		b.run("host", "systemd-run", "--unit=stranger", "/bin/sh", "-c", "exec "+listener(3306))
		owner := strings.TrimSpace(b.run("host", "systemctl", "show", "--property=MainPID", "--value", "stranger"))
		b.await("the stranger listens",
			func() bool { return b.succeeds("host", "grep -q ':0CEA 00000000:0000 0A' /proc/net/tcp") })
		b.refusedInstall("host", 3, []string{"refused  port:3306: taken by ", "(pid " + owner + ")"})
		b.run("host", "systemctl", "stop", "stranger")
		untouched(b)
	})
	b.step("a read-only directory is refused", func(b bench) {
		b.run("host", "sh", "-c", "mkdir /data && mount --bind /data /data && mount -o remount,bind,ro /data")
		b.refusedInstall("host", 3, []string{"refused  mount:/data: "})
		b.run("host", "sh", "-c", "umount /data && rmdir /data")
		untouched(b)
	})
	b.step("a run that meets a read-only directory is undone", func(b bench) {
		const dir = "/data/projects/common/supervisord"
		b.run("host", "sh", "-c", "mkdir -p "+dir+" && mount --bind "+dir+" "+dir+" && mount -o remount,bind,ro "+dir)
		b.refusedInstall("host", 5, []string{"cannot complete ", "read-only file system",
			"undoing what this run changed"})
		b.run("host", "umount", dir)
		const state = "/data/projects/common/fate-installer/"
		left := b.run("host", "sh", "-c", "find /data -type f -not -path '"+state+"history/*' | sort")
		if left != state+"journal\n"+state+"state.json\n" {
			b.t.Errorf("files after the undo:\n%s", left)
		}
		b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
		b.run("host", "rm", "-r", "/data")
		untouched(b)
	})

	b.run("host", "sh", "-c", "mkdir /data && mount -t tmpfs -o size=4g,mode=755 tmpfs /data")
	var calm, database map[string]string
	var used int // KiB
	b.step("a second run has to wait for the first", func(b bench) {
		b.write("host", "/root/two.sh", installerFile+` --role host --party 10000 >/root/first.log 2>&1 &
until [ -e /data/projects/common/fate-installer/journal ] || ! kill -0 $!; do sleep 0.01; done
for command in "--role host --party 10000" "uninstall --yes"; do
	`+installerFile+` $command; echo "second: exit status $?"
done
wait $!
echo "first: exit status $?"
`)
		out, _, _ := b.try("host", "sh", "/root/two.sh")
		if !strings.HasPrefix(out, "second: exit status 7\nsecond: exit status 7\nfirst: exit status 0\n") {
			b.t.Fatalf("two runs at once:\n%s\nthe first says:\n%s", out, b.run("host", "cat", "/root/first.log"))
		}
		b.checkReady("host", modulesOfParty...)
		calm, database = names(b.tree("host", installed, notCompared...)), b.database("host", "192.168.0.1")
		var err error
		if used, err = strconv.Atoi(strings.Fields(b.run("host", "df", "--output=used", "/data"))[1]); err != nil {
			b.t.Fatal(err)
		}
		b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
	})
	asCalm := func(b bench) {
		b.t.Helper()
		b.awaitReady("host", modulesOfParty...)
		b.checkSame("tree against one that was never disturbed", calm, names(b.tree("host", installed, notCompared...)))
		b.checkSame("database against one that was never disturbed", database, b.database("host", "192.168.0.1"))
		b.toy("host")
	}
	b.step("a hostile umask and a user with another uid", func(b bench) {
		b.run("host", "useradd", "--uid", "4321", "--user-group", "app")
		out := b.run("host", "sh", "-c", "umask 077; exec "+installerFile+" --role host --party 10000")
		b.t.Log(out)
		if id := b.run("host", "id", "app"); !strings.HasPrefix(id, "uid=4321(app)") {
			b.t.Errorf("user app is now %s", id)
		}
		b.awaitReady("host", modulesOfParty...)
		b.checkSame("tree against one that was never disturbed", calm, names(b.tree("host", installed, notCompared...)))
		b.toy("host")
		b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
		if id := b.run("host", "id", "app"); !strings.HasPrefix(id, "uid=4321(app) gid=4321(app) groups=4321(app)\n") {
			b.t.Errorf("after uninstall user app is %s", id)
		}
		b.run("host", "userdel", "app")
	})
	for _, stage := range []struct {
		name string
		size int // KiB
		code int
		says string
	}{
		{"unpacking", used * 2 / 10, 5, "cannot unpack "},
		// Which of those that work at the same time meets the end of the disk is open.
		{"unpacking and making the database", used * 3 / 4, 5, "cannot complete "},
		{"starting", used - 6<<10, 6, "did not get ready"},
	} {
		b.step("the disk is full while "+stage.name, func(b bench) {
			b.run("host", "umount", "/data")
			b.run("host", "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dk,mode=755", stage.size), "tmpfs", "/data")
			b.refusedInstall("host", 3, []string{"refused  disk:/data: "})
			b.refusedInstall("host", stage.code, []string{"waived   disk:/data: ", stage.says}, "--waive",
				"disk:/data=to see what happens")
			b.run("host", "mount", "-o", "remount,size=4g", "/data")
			if stage.code == 5 { // that was undone
				b.run("host", "test", "!", "-e", "/data/projects/fate")
				// the account stays with data that was made
				b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
				return
			}
			b.install("host", "--role", "host", "--party", "10000")
			asCalm(b)
			b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
		})
	}
	b.run("host", "sh", "-c", "umount /data && rmdir /data")

	b.step("the power fails while the database is made", func(b bench) {
		b.write("host", "/root/start.sh", installerFile+` --role host --party 10000 >/root/first.log 2>&1 &
until [ -e /data/projects/data/fate/mysql.initialising/data/ibdata1 ] || ! kill -0 $!; do sleep 0.01; done
kill -STOP $! # it makes the database no further, however long the power takes to fail
`)
		b.run("host", "sh", "/root/start.sh")
		if err := b.PowerCut("host"); err != nil {
			b.t.Fatal(err)
		}
		if b.succeeds("host", "test -e /data/projects/data/fate/mysql") {
			b.t.Error("the database was ready before the power failed")
		}
		b.install("host", "--role", "host", "--party", "10000")
		asCalm(b)
	})
	b.step("without the database nothing is ready that needs it", bench.stopsDatabase)
	b.step("a restart of the database that is interrupted by SIGKILL is finished", bench.killsRestart)
	b.step("nothing is left", func(b bench) {
		b.t.Log(b.run("host", installerFile, "uninstall", "--yes", "--purge-data"))
		untouched(b)
	})
}

// stopsDatabase stops the database of a party: what needs it goes on, and says so.
func (b bench) stopsDatabase() {
	b.t.Helper()
	const host = "host"
	before := b.checkReady(host, modulesOfParty...)
	delete(before, "fate-mysql")
	out := b.run(host, "fate-installer", "svc", "stop", "mysql")
	if !strings.Contains(out, "fate-mysql: needed by ") || !strings.Contains(out, "fate-fateflow") {
		b.t.Errorf("svc stop mysql:\n%s", out)
	}
	programs, code := b.status(host)
	for _, name := range []string{"fate-fateflow", "fate-fateboard", "fate-nodemanager"} {
		if p := programs[name]; code != 3 || p.Ready || p.State != "RUNNING" {
			b.t.Errorf("without the database: exit status %d, %+v", code, p)
		}
	}
	out, code, _ = b.try(host, "fate-installer", "svc", "why", "fateboard")
	for _, want := range []string{"it needs fate-fateflow", "it needs fate-mysql",
		"fate-mysql is stopped since ", "svc stop mysql"} {
		if code != 3 || !strings.Contains(out, want) {
			b.t.Errorf("svc why fateboard: exit status %d, want %q in\n%s", code, want, out)
		}
	}
	b.run(host, "fate-installer", "svc", "start", "mysql")
	programs = b.awaitReady(host, modulesOfParty...)
	delete(programs, "fate-mysql")
	b.checkSamePIDs(before, programs)
	if out := b.run(host, "fate-installer", "history"); !strings.Contains(out, "supervisor: stop fate-mysql <- ") ||
		!strings.Contains(out, installerFile) {
		b.t.Errorf("history:\n%s", out)
	}
}

// killsRestart kills the supervisor while it restarts the database.
func (b bench) killsRestart() {
	b.t.Helper()
	const host = "host"
	pid := b.checkReady(host, modulesOfParty...)["fate-mysql"].PID
	b.write(host, "/root/restart.sh", "fate-installer svc restart mysql &\n"+
		"until fate-installer svc status mysql | grep -q STOPPING || ! kill -0 $!; do :; done\n"+
		"systemctl kill --kill-whom=main --signal=KILL fate-supervisor\nwait\n")
	b.run(host, "sh", "/root/restart.sh")
	b.await("the database has a new process", func() bool {
		p := b.only(host, "fate-mysql")
		return p.Ready && p.PID != pid
	})
	b.awaitReady(host, modulesOfParty...)
}

// refusedInstall runs an installation that has to end with an exit status and say something.
func (b bench) refusedInstall(host string, code int, says []string, args ...string) {
	b.t.Helper()
	out, got, err := b.try(host, append([]string{installerFile, "--role", "host", "--party", "10000"}, args...)...)
	if err != nil || got != code {
		b.t.Fatalf("install %s on %s: exit status %d (%v), want %d\n%s", strings.Join(args, " "), host,
			got, err, code, out)
	}
	for _, text := range says {
		if !strings.Contains(out, text) {
			b.t.Errorf("install %s on %s does not say %q:\n%s", strings.Join(args, " "), host, text, out)
		}
	}
}

// succeeds reports whether a line of shell succeeds.
func (b bench) succeeds(host, line string) bool {
	b.t.Helper()
	_, code, err := b.try(host, "sh", "-c", line)
	if err != nil {
		b.t.Fatal(err)
	}
	return code == 0
}

// database describes what the party's database has: columns of all tables, rights, and who is registered where, with
// ADDRESS for the host's own.
func (b bench) database(host, address string) map[string]string {
	b.t.Helper()
	// A nodemanager is ready when it listens, and registers itself after that.
	b.await("the nodemanager is registered", func() bool {
		return strings.Contains(b.query(host, "SELECT status FROM eggroll_meta.server_node"), "HEALTHY")
	})
	const ours = `table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys', 'test')`
	rows := make(map[string]string)
	for what, query := range map[string]string{
		"column": "SELECT table_schema, table_name, column_name, column_type, column_key FROM " +
			"information_schema.columns WHERE " + ours,
		"right": "SELECT grantee, table_schema, privilege_type FROM information_schema.schema_privileges",
		"node":  "SELECT host, port, node_type, status FROM eggroll_meta.server_node",
	} {
		for line := range strings.Lines(b.query(host, query)) {
			rows[what+" "+strings.ReplaceAll(strings.TrimSpace(line), address, "ADDRESS")] = ""
		}
	}
	if len(rows) < 10 {
		b.t.Fatalf("host %s: there is hardly anything in the database: %v", host, rows)
	}
	return rows
}
