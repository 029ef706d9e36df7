//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// adversaryRuns is how often each of root's commands runs under attack: those that take seconds, and those that take
// minutes with what has to be made good after them. In make test these are few. FATE_ADVERSARY_RUNS and
// FATE_ADVERSARY_LONG_RUNS give others; 200 of the long ones take about seven hours. With FATE_ADVERSARY_TIME, such as
// 30m, no further ones begin after that time.
func adversaryRuns(t *testing.T) (short, long int, until time.Time) {
	t.Helper()
	short, long = repeats(4, 200), repeats(1, 20)
	until = time.Now().Add(24 * time.Hour)
	if text := os.Getenv("FATE_ADVERSARY_TIME"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("FATE_ADVERSARY_TIME: %v", err)
		}
		until = time.Now().Add(d)
	}
	for name, n := range map[string]*int{"FATE_ADVERSARY_RUNS": &short, "FATE_ADVERSARY_LONG_RUNS": &long} {
		if text := os.Getenv(name); text != "" {
			var err error
			if *n, err = strconv.Atoi(text); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	return short, long, until
}

// Where the test keeps what root's commands must neither change nor give away, and what the attacker is stopped with.
const (
	canaries      = "/root/canaries"
	canaryText    = "c4nary-that-is-roots-alone"
	attackerFile  = "/home/app/attacker"
	attackerStop  = "/home/app/stop"
	attackerPause = "/home/app/pause"
	attackerPace  = "/home/app/pace"
)

// volumes are where root mounts file systems below the directories of the service user.
var volumes = []string{"/data/logs/fate/volume", "/data/projects/data/fate/volume"}

// attacked is how often a command of root's ran under attack, and how it ended.
type attacked struct {
	runs, succeeded int
	codes           map[int]int
	took            time.Duration // all runs together
}

// paces are how long each of the attacker's workers rests after an attack.
var paces = []string{"0s", "30ms", "300ms", "3s"}

// pacesFrom is the pace of the i-th run. In make test it is no fast one: what those break takes minutes to repair, such
// as a program that lost a file while it started and that has two minutes to become ready.
func pacesFrom(i int) int {
	if long() {
		return i % len(paces)
	}
	return 2 + i%2
}

// commandTimeout is longer than any program has to become ready.
const commandTimeout = "420"

// siege is a host on which root works under attack.
type siege struct {
	bench
	host   string
	done   map[string]*attacked
	under  time.Duration // how long root's commands ran under attack
	resets int           // how often a party was installed in calm, with the first time
}

// TestAdversary has root repair, restart, rotate, read logs, diagnose, upgrade, roll back, uninstall and install a
// party that runs, while a process of the service user exchanges directories for links, plants links, pipes, sockets,
// devices, hard links and files of 1 TiB at every path below /data and /tmp, mounts file systems there in a namespace
// of its own, and puts things back some milliseconds later. A command of root's may be refused, with a sentence and a
// documented exit code, but each succeeds at least once, at the latest when attacks are rare. None may hang or crash,
// no volume that root has mounted below may lose a file, and afterwards nothing outside /data has changed, and nothing
// of root's is in what the service user, or who gets a diagnosis, can read. A lost installation is made again while the
// attacker pauses.
func TestAdversary(t *testing.T) {
	t.Parallel()
	short, long, until := adversaryRuns(t)
	b := newBench(t, "host=192.168.0.1")
	b.plantCanaries("host")
	b.carryNext("host", "/root/next")
	b.attackerOn("host")
	b.run("host", "touch", attackerPause)
	outside := append([]string{"/data", canaries + "/../diagnosis*"},
		slices.DeleteFunc(slices.Clone(notOurs), func(p string) bool { return p == "/root" })...)
	outside = append(outside, "/home/app", "/usr/local/bin/fate-installer")
	bare := b.contents("host", []string{"/"}, outside...)

	counts := make(chan string, 1)
	go func() {
		out, _, err := b.try("host", "runuser", "-u", "app", "--", attackerFile, "-stop", attackerStop,
			"-pause", attackerPause, "-pace", attackerPace, "-targets", canaries, "/data", "/data/logs",
			"/data/projects", "/tmp")
		if err != nil {
			out += err.Error()
		}
		counts <- out
	}()
	t.Cleanup(func() { _, _, _ = b.try("host", "touch", attackerStop) })
	s := &siege{bench: b, host: "host", done: map[string]*attacked{}}
	s.reset()
	for i := range max(short, long) {
		if time.Now().After(until) {
			b.t.Logf("the time is over after %d of %d rounds", i, max(short, long))
			break
		}
		if i < short {
			s.round(i)
		}
		if n := max(short, long); i*long/n < (i+1)*long/n { // so that the long ones are spread over the short ones
			s.replaceAndRemove(i * long / n)
		}
		if i%10 == 9 { // a run of hours may be ended
			s.reportCommands(s.done)
		}
	}
	s.calm()
	b.run("host", "touch", attackerStop)
	b.t.Logf("root's commands ran %.0f s under attack, after %d installations in calm", s.under.Seconds(), s.resets)
	b.reportAttack(<-counts, s.done)

	b.checkNothingLeaked("host")
	b.step("an administrator cleans up, and nothing outside has changed", func(b bench) {
		s := &siege{bench: b, host: "host"}
		s.bare()
		b.run("host", "sh", "-c",
			`find /tmp -depth \( -name '*.attacker-*' -o -name '.*.fate-tmp' \) -exec rm -rf {} +`)
		b.checkSame("everything but /data", bare, b.contents("host", []string{"/"}, outside...))
	})
}

// plantCanaries makes files of root's, some with the names of what an installation has, and hard links of one of them
// that belong to the directory the service user will have.
func (b bench) plantCanaries(host string) {
	b.t.Helper()
	b.run(host, "sh", "-c", `set -e
useradd --create-home app
mkdir -m 0711 `+canaries+`
cd `+canaries+`
for name in canary fate conf bin eggroll mysql fate_flow fateboard logs common data my.cnf service_conf.yaml route_table.json \
	eggroll.properties application.properties rollsite.log fate-installer supervisord init_env.sh; do
	echo `+canaryText+` >$name
done
mkdir dir dir/bin dir/conf
echo `+canaryText+` >dir/bin/mysqld
echo `+canaryText+` >/etc/canary
chmod -R go= . /etc/canary
chmod 0711 .`)
}

// attackerOn builds the attacker and puts it on a host, where the service user can run it.
func (b bench) attackerOn(host string) {
	b.t.Helper()
	program := filepath.Join(b.t.TempDir(), "attacker")
	build := exec.CommandContext(b.t.Context(), "go", "build", "-o", program, "./attacker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	if err := b.CopyTo(b.t.Context(), program, host, attackerFile); err != nil {
		b.t.Fatal(err)
	}
	b.run(host, "chmod", "0755", attackerFile)
}

// round runs the commands that take seconds once, on a party that runs.
func (s *siege) round(i int) {
	s.t.Helper()
	s.calm()
	s.restore()
	s.run(s.host, "sh", "-c", fmt.Sprintf(`for i in 1 2 3 4; do ln -f %s/canary /data/logs/fate/hard.attacker-$i; done`,
		canaries))
	s.attack(paces[pacesFrom(i)])
	install := []string{installerFile, "install", "--role", "host", "--party", "10000"}
	s.command("install or repair", append(install, "--force-config")...)
	s.command("restart", installerFile, "svc", "restart", "fate-rollsite")
	s.command("rotate", installerFile, "svc", "logs", "--rotate", "fate-rollsite")
	s.command("logs", installerFile, "svc", "logs", "fate-rollsite")
	s.command("status", installerFile, "svc", "status")
	s.command("diagnose", installerFile, "diagnose", "--out", fmt.Sprintf("/root/diagnosis-%d.tar.gz", i))
	s.command("diagnose into /tmp", installerFile, "diagnose", "--out", fmt.Sprintf("/tmp/diagnosis-%d.tar.gz", i))
	if i%10 == 0 {
		s.removeWithVolumes(paces[i/10%len(paces)])
	}
}

// removeWithVolumes has root uninstall while file systems are mounted below what would be removed: it must be refused,
// and nothing in them may be touched.
func (s *siege) removeWithVolumes(pace string) {
	s.t.Helper()
	const what = "uninstall below volumes"
	s.calm()
	s.restore()
	for _, v := range volumes {
		s.run(s.host, "sh", "-c",
			`mkdir -p "$1" && mount -t tmpfs none "$1" && echo kept >"$1/file" && mkdir "$1/dir" && chown -R app "$1"`,
			"sh", v)
	}
	s.attack(pace)
	s.command(what, installerFile, "uninstall", "--yes", "--purge-data")
	s.calm()
	if n := s.done[what]; n.succeeded > 0 {
		s.t.Errorf("%s succeeded", what)
	}
	for _, v := range volumes {
		if out := s.run(s.host, "sh", "-c", `cat "$1/file" && ls "$1"`, "sh", v); !strings.HasPrefix(out, "kept\n") ||
			!strings.Contains(out, "dir") {
			s.t.Errorf("the volume %s has lost something: %q", v, out)
		}
		s.run(s.host, "sh", "-c", `umount "$1" && rmdir "$1"`, "sh", v)
	}
}

// replaceAndRemove runs the commands that take minutes once: upgrade, rollback, uninstall, and an install from nothing.
// Each begins at another pace, and the first of them go on at slower ones until they succeed.
func (s *siege) replaceAndRemove(i int) {
	s.t.Helper()
	first := pacesFrom(i)
	install := []string{installerFile, "install", "--role", "host", "--party", "10000"}
	s.until("upgrade", first, s.restore, "/root/next", "upgrade")
	s.until("rollback", first, s.upgraded, installerFile, "rollback", "--yes")
	s.until("uninstall", first, s.restore, installerFile, "uninstall", "--yes", "--purge-data")
	s.until("first install", first, s.bare, install...)
}

// until runs a command under attack, once, and when it has never succeeded at slower paces until it does. Before each
// run the host is prepared while the attacker pauses.
func (s *siege) until(what string, first int, prepare func(), args ...string) {
	s.t.Helper()
	for pace := first; pace < len(paces); pace++ {
		s.calm()
		prepare()
		s.attack(paces[pace])
		if s.command(what, args...) == 0 || s.done[what].succeeded > 0 {
			return
		}
	}
}

// command runs a command of root's under attack, counts how it ended, and returns its exit status.
func (s *siege) command(what string, args ...string) int {
	s.t.Helper()
	if s.done[what] == nil {
		s.done[what] = &attacked{codes: map[int]int{}}
	}
	start := time.Now()
	code := s.underAttack(s.host, what, args...)
	took := time.Since(start)
	if s.under += took; took > 20*time.Second {
		s.t.Logf("%s: exit status %d after %.0f s", what, code, took.Seconds())
	}
	s.done[what].took += took
	s.done[what].runs++
	s.done[what].codes[code]++
	if code == 0 {
		s.done[what].succeeded++
	}
	return code
}

// calm has the attacker pause, and waits until it has put everything back.
func (s *siege) calm() {
	s.t.Helper()
	s.run(s.host, "touch", attackerPause)
	s.await("the attacker pauses", func() bool { return s.succeeds(s.host, "test -e "+attackerPause+".done") })
}

// attack ends the pause.
func (s *siege) attack(pace string) {
	s.t.Helper()
	s.write(s.host, attackerPace, pace)
	s.run(s.host, "rm", attackerPause)
	s.await("the attacker attacks", func() bool { return s.succeeds(s.host, "test ! -e "+attackerPause+".done") })
}

// restore makes an installation of the first version that runs: by a repair, or else from nothing.
func (s *siege) restore() {
	s.t.Helper()
	if s.has("2.5.3") {
		if _, code := s.status(s.host); code == 0 {
			return
		}
		out, code := s.inCalm(installerFile, "install", "--role", "host", "--party", "10000")
		if code == 0 {
			return
		}
		s.t.Logf("the repair in calm: exit status %d: %s", code, lastLines(out, 4))
		for _, m := range modulesOfParty {
			if p := s.only(s.host, m); !p.Ready {
				why, _, _ := s.try(s.host, "fate-installer", "svc", "why", m)
				s.t.Logf("%s is %s: %s\n%s", m, p.State, p.Why, why)
			}
		}
	}
	s.reset()
}

// upgraded makes an installation of the next version that runs.
func (s *siege) upgraded() {
	s.t.Helper()
	if _, code := s.status(s.host); code == 0 && s.has("2.5.4") {
		return
	}
	s.restore()
	if out, code := s.inCalm("/root/next", "upgrade"); code != 0 {
		s.t.Fatalf("the upgrade in calm: exit status %d\n%s", code, out)
	}
}

// has reports whether this version of eggroll is installed.
func (s *siege) has(version string) bool {
	s.t.Helper()
	return s.succeeds(s.host, `grep -qF '"`+version+`"' /data/projects/common/fate-installer/site.json`)
}

// bare removes what there is of an installation. In calm that succeeds, whatever an attack has left; what the installer
// does not know is then removed by hand.
func (s *siege) bare() {
	s.t.Helper()
	out, code := s.inCalm(installerFile, "uninstall", "--yes", "--purge-data")
	if code != 0 {
		s.t.Logf("the uninstall in calm: exit status %d: %s", code, lastLines(out, 4))
		out, code = s.inCalm(installerFile, "uninstall", "--yes", "--purge-data")
	}
	if code != 0 && !strings.Contains(out, "nothing") {
		s.t.Errorf("the uninstall in calm: exit status %d again: %s", code, out)
	}
	s.run(s.host, "sh", "-c", "rm -rf /data/* /data/.[!.]*")
}

// reset installs from nothing.
func (s *siege) reset() {
	s.t.Helper()
	s.resets++
	s.bare()
	if out, code := s.inCalm(installerFile, "install", "--role", "host", "--party", "10000"); code != 0 {
		s.t.Fatalf("the install in calm: exit status %d\n%s", code, out)
	}
}

// inCalm runs a command of root's while the attacker pauses.
func (s *siege) inCalm(args ...string) (string, int) {
	s.t.Helper()
	out, code, err := s.try(s.host, append([]string{"timeout", commandTimeout}, args...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out, code
}
