//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// How often each command is killed. With the installs of TestKilledInstall, the upgrades of
// TestUpgradeFromFormerGeneration and the rotations of TestSecretsRotateKilled it is about sixty times in make test,
// and a thousand with make e2e-long.
var (
	replacementKills = repeats(0, 140) // of upgrade, and as many of rollback
	secretKills      = repeats(0, 100)
	restartKills     = repeats(2, 100) // of svc restart, and as many of the supervisor during one
	uninstallKills   = repeats(1, 100)
	purgeKills       = repeats(0, 20)
)

// TestKilledCommands kills each command that changes an installed host at random moments, and the supervisor while it
// restarts programs. The same command again leads to what it leads to undisturbed: files with their contents, modes and
// owners, rows of the database, programs. The supervisor completes a restart without another command.
func TestKilledCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1")
	if replacementKills > 0 {
		b.carryNext("host", newerFile)
	}
	bare := b.contents("host", []string{"/"}, notOurs...)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	k := &killer{random: rand.New(rand.NewPCG(seed, 0)), whole: make(map[string]time.Duration)}
	defer func() { t.Logf("%d commands killed", k.kills) }()

	b.install("host", "--role", "host", "--party", "10000")
	b.toy("host") // for rows in the tables
	upgrade := []string{newerFile, "upgrade", "--no-test"}
	rollback := []string{"fate-installer", "rollback", "--yes", "--no-test"}
	b.step("upgrade and rollback", func(b bench) {
		if replacementKills == 0 {
			return
		}
		newer, older := k.undisturbed(b, upgrade...), k.undisturbed(b, rollback...)
		for n, m := 0, 0; n < replacementKills || m < replacementKills; {
			n += k.untilDone(b, replacementKills-n, upgrade...)
			b.sameLook("a killed upgrade, completed", newer)
			m += k.untilDone(b, replacementKills-m, rollback...)
			b.sameLook("a killed rollback, completed", older)
		}
	})
	b.step("secrets rotate", func(b bench) {
		if secretKills == 0 {
			return
		}
		rotate := []string{"fate-installer", "secrets", "rotate", "all"}
		want := k.undisturbed(b, rotate...)
		want.files, want.namesOnly = names(want.files), true
		for n := 0; n < secretKills; {
			n += k.untilDone(b, secretKills-n, rotate...)
			b.sameLook("a killed change of the passwords, completed", want)
		}
	})
	b.step("svc restart", func(b bench) {
		restart := []string{"fate-installer", "svc", "restart", "all"}
		want := k.undisturbed(b, restart...)
		for n := 0; n < restartKills; {
			n += k.untilDone(b, restartKills-n, restart...)
			b.sameLook("a killed restart, completed", want)
		}
		for range restartKills {
			k.supervisor(b, restart...)
			b.awaitReady("host", modulesOfParty...)
		}
		b.sameLook("restarts with a killed supervisor", want)
	})
	b.step("uninstall", func(b bench) {
		present := b.look()
		uninstall := []string{installerFile, "uninstall", "--yes"}
		absent := k.undisturbed(b, uninstall...)
		for n := 0; n < uninstallKills; {
			b.run("host", installerFile, "install", "--role", "host", "--party", "10000")
			b.sameLook("an installation with the data that an uninstall has kept", present)
			n += k.untilDone(b, uninstallKills-n, uninstall...)
			b.sameLook("a killed uninstall, completed", absent)
		}
	})
	b.step("uninstall with data", func(b bench) {
		purge := []string{installerFile, "uninstall", "--yes", "--purge-data"}
		for n := 0; n < purgeKills; {
			b.run("host", installerFile, "install", "--role", "host", "--party", "10000")
			n += k.untilDone(b, purgeKills-n, purge...)
			b.checkSame("root file system", bare, b.contents("host", []string{"/"}, notOurs...))
		}
	})
}

// killer kills commands.
type killer struct {
	random *rand.Rand
	whole  map[string]time.Duration // how long each takes undisturbed
	kills  int
}

// after is a random moment within a command: early ones are the more likely, since a run goes on where the one before
// was killed.
func (k *killer) after(args []string) time.Duration {
	whole, ok := k.whole[strings.Join(args, " ")]
	if !ok {
		whole = 5 * time.Second
	}
	part := k.random.Float64()
	return time.Duration(part * (0.3 + 0.7*part) * float64(whole))
}

// undisturbed runs a command and measures how long it takes.
func (k *killer) undisturbed(b bench, args ...string) look {
	b.t.Helper()
	start := time.Now()
	b.run("host", args...)
	k.whole[strings.Join(args, " ")] = time.Since(start)
	b.t.Logf("%s takes %.1f s", strings.Join(args, " "), time.Since(start).Seconds())
	return b.look()
}

// killLater runs a command and kills it with SIGKILL after a while. It exits with 137 when the command had not ended.
const killLater = `after=$1
shift
"$@" >/root/killed.out 2>&1 </dev/null &
pid=$!
exec 2>/dev/null # where the shell says that it was killed
sleep $after
kill -KILL $pid
wait $pid
code=$?
cat /root/killed.out
exit $code
`

// untilDone kills a command at random moments, at most so many times, and completes it by the same command again.
func (k *killer) untilDone(b bench, most int, args ...string) (kills int) {
	b.t.Helper()
	for kills < most {
		after := k.after(args)
		out, code, err := b.try("host",
			append([]string{"sh", "-c", killLater, "sh", fmt.Sprintf("%.3f", after.Seconds())}, args...)...)
		if err != nil || code != 137 && code != 0 {
			b.t.Fatalf("%s to be killed after %v ended with %d (%v):\n%s", args, after, code, err, out)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		b.t.Logf("%s, killed after %.1f s: exit status %d; last words: %s", strings.Join(args, " "), after.Seconds(),
			code, lines[len(lines)-1])
		if code == 0 {
			return kills
		}
		kills++
		k.kills++
		if k.random.IntN(3) == 0 {
			break
		}
	}
	out, code, err := b.try("host", args...)
	if err != nil || code != 0 {
		b.t.Fatalf("%s again: exit status %d (%v)\n%s", strings.Join(args, " "), code, err, out)
	}
	return kills
}

// supervisor kills the supervisor a while after a command was begun, which asks it for something.
func (k *killer) supervisor(b bench, args ...string) {
	b.t.Helper()
	after := k.after(args)
	b.run("host", append([]string{"sh", "-c", "after=$1; shift; \"$@\" >/dev/null 2>&1 </dev/null &\n" +
		"sleep $after; systemctl kill --kill-whom=main --signal=KILL fate-supervisor; wait", "sh",
		fmt.Sprintf("%.3f", after.Seconds())}, args...)...)
	b.t.Logf("the supervisor is killed %.1f s after the begin of %s", after.Seconds(), strings.Join(args, " "))
	k.kills++
}

// look is the state after a command.
type look struct {
	files, rows map[string]string
	namesOnly   bool // the contents of files are others each time
	programs    []string
	jobs        int // rows of FATE-Flow's jobs
}

// notLook is in no look: what programs write, and times.
var notLook = slices.Concat(notInstalled, []string{"/etc/*-", "*/model_local_cache", "*/fateflow/jobs", "*/logs",
	"*/mysql/*/conf/*.pid"})

// slotTime is in the names of what an upgrade keeps.
var slotTime = regexp.MustCompile(`\d{8}T\d{6}\.\d{3}Z`)

// look looks at a host. Of the data, and of the installer's own state, it only has what is there at the top.
func (b bench) look() look {
	b.t.Helper()
	l := look{files: b.contents("host", installed, notLook...)}
	for line := range strings.Lines(b.run("host", "find", "/data/projects/data", "/data/projects/common/fate-installer",
		"-maxdepth", "2",
		"-not", "-path", "*/mysql/*", "-not", "-path", "*/backup/*", "-not", "-path", "*/history/*", "-printf",
		`%p\t%y %m %u:%g\n`)) {
		path, what, _ := strings.Cut(strings.TrimSpace(line), "\t")
		path = slotTime.ReplaceAllString(path, "TIME")
		for l.files[path] != "" {
			path += " and another"
		}
		l.files[path] = what
	}
	if _, code, _ := b.try("host", "test", "-e", programFile); code != 0 {
		return l
	}
	programs, _ := b.status("host")
	for name, p := range programs {
		l.programs = append(l.programs, fmt.Sprintf("%s %s ready %v", name, p.State, p.Ready))
	}
	slices.Sort(l.programs)
	l.rows, l.jobs = b.database("host", "192.168.0.1"), b.jobs("host")
	return l
}

// sameLook wants a host to be as it was.
func (b bench) sameLook(what string, want look) {
	b.t.Helper()
	got := b.look()
	if want.namesOnly {
		got.files = names(got.files)
	}
	b.checkSame(what+": files", want.files, got.files)
	b.checkSame(what+": database", want.rows, got.rows)
	if !slices.Equal(want.programs, got.programs) || want.jobs != got.jobs {
		b.t.Errorf("%s: programs %q, %d rows of jobs; undisturbed %q, %d", what, got.programs, got.jobs,
			want.programs, want.jobs)
	}
	if out, code, err := b.try("host", installerFile, "svc", "status", "-o", "json"); err != nil ||
		strings.Contains(out, `"interrupted"`) {
		b.t.Errorf("%s: svc status, exit status %d (%v), says that a change was interrupted:\n%s", what, code, err, out)
	}
	if b.t.Failed() {
		b.t.FailNow()
	}
}
