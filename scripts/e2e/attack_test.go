//go:build e2e

package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// adversaryTime is how long root's commands run under attack at least, not counting the calm phases, unless
// FATE_ADVERSARY_TIME gives another duration.
const adversaryTime = 60 * time.Second

// Where the test keeps what root's commands must neither change nor give away, and what the attacker is stopped with.
const (
	canaries      = "/root/canaries"
	canaryText    = "c4nary-that-is-roots-alone"
	attackerFile  = "/home/app/attacker"
	attackerStop  = "/home/app/stop"
	attackerPause = "/home/app/pause"
	attackerPace  = "/home/app/pace"
)

// attacked is how often a command of root's ran under attack, and how it ended.
type attacked struct {
	runs  int
	codes map[int]int
}

// paces are how long each of the attacker's workers rests after an attack. A command that fails runs again at the next.
var paces = []string{"0s", "30ms", "300ms", "3s"}

// mustSucceed are the commands of which each has to succeed under attack at least once.
var mustSucceed = []string{
	"install or repair", "restart", "rotate", "logs", "status", "diagnose", "upgrade", "rollback", "uninstall",
}

// siege is a host on which root works under attack.
type siege struct {
	bench
	host   string
	done   map[string]*attacked
	under  time.Duration // how long root's commands ran under attack
	resets int           // how often a party was installed in calm, with the first time
}

// TestAdversary has root repair, restart, rotate, read logs, diagnose, upgrade, roll back, uninstall and install a party
// that runs, while a process of the service user exchanges directories for links, plants links, pipes, sockets, hard links
// and huge files at every path below /data and /tmp, and puts things back some milliseconds later. Root's commands may
// fail, with a sentence, but each succeeds at least once, at the latest when attacks are rare. They may not hang, and
// afterwards nothing outside /data has changed, and nothing of root's is in what the service user, or who gets a
// diagnosis, can read. A lost installation is made again while the attacker pauses.
func TestAdversary(t *testing.T) {
	onlyLong(t)
	b := newBench(t, "host=192.168.0.1")
	limit := adversaryTime
	if text := os.Getenv("FATE_ADVERSARY_TIME"); text != "" {
		var err error
		if limit, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	b.plantCanaries("host")
	if err := b.CopyTo(t.Context(), nextAppliance(t), "host", "/root/next"); err != nil {
		t.Fatal(err)
	}
	b.attackerOn("host")
	b.run("host", "touch", attackerPause)
	outside := append([]string{"/data", canaries + "/../diagnosis*"}, slices.DeleteFunc(slices.Clone(notOurs), func(p string) bool { return p == "/root" })...)
	outside = append(outside, "/home/app", "/usr/local/bin/fate-installer")
	bare := b.contents("host", []string{"/"}, outside...)

	counts := make(chan string, 1)
	go func() {
		out, _, err := b.try("host", "runuser", "-u", "app", "--", attackerFile, "-stop", attackerStop,
			"-pause", attackerPause, "-pace", attackerPace, "-targets", canaries, "/data", "/data/logs", "/data/projects", "/tmp")
		if err != nil {
			out += err.Error()
		}
		counts <- out
	}()
	t.Cleanup(func() { _, _, _ = b.try("host", "touch", attackerStop) })
	s := &siege{bench: b, host: "host", done: map[string]*attacked{}}
	s.rootAtWork(limit)
	b.run("host", "touch", attackerStop)
	b.t.Logf("root's commands ran %.0f s under attack, after %d installations in calm", s.under.Seconds(), s.resets)
	b.reportAttack(<-counts, s.done)

	b.checkNothingLeaked("host")
	b.step("an administrator cleans up, and nothing outside has changed", func(b bench) {
		b.run("host", "sh", "-c", `find /data /tmp -depth \( -name '*.attacker-*' -o -name '.*.fate-tmp' \) -exec rm -rf {} +`)
		out, code, err := b.try("host", "timeout", "180", installerFile, "uninstall", "--yes", "--purge-data")
		b.t.Logf("the last uninstall: exit status %d, %v\n%s", code, err, out)
		b.run("host", "sh", "-c", "systemctl stop fate-supervisor 2>/dev/null; true")
		b.checkSame("everything but /data", bare, b.contents("host", []string{"/"}, outside...))
	})
}

// plantCanaries makes files of root's, some with the names of what an installation has, and hard links of one of them that
// belong to the directory the service user will have.
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

// rootAtWork runs root's commands in cycles until they ran for that long under attack. The first cycle is complete.
func (s *siege) rootAtWork(limit time.Duration) {
	s.t.Helper()
	late := func() bool { return s.under >= limit }
	s.reset()
	for cycle := 0; cycle == 0 || !late(); cycle++ {
		diagnosis := func(dir string) string { return fmt.Sprintf("%s/diagnosis-%d.tar.gz", dir, cycle) }
		s.run(s.host, "sh", "-c", fmt.Sprintf(`for i in 1 2 3 4; do ln -f %s/canary /data/logs/fate/hard.attacker-$i; done`, canaries))
		s.until("install or repair", s.restore, installerFile, "install", "--role", "host", "--party", "10000")
		s.until("restart", s.restore, installerFile, "svc", "restart", "fate-rollsite")
		s.until("rotate", s.restore, installerFile, "svc", "logs", "--rotate", "fate-rollsite")
		s.until("logs", s.restore, installerFile, "svc", "logs", "fate-rollsite")
		s.until("status", s.restore, installerFile, "svc", "status")
		s.until("diagnose", s.restore, installerFile, "diagnose", "--out", diagnosis("/root"))
		s.until("diagnose into /tmp", s.restore, installerFile, "diagnose", "--out", diagnosis("/tmp"))
		s.until("upgrade", s.restore, "/root/next", "upgrade")
		s.until("rollback", s.upgraded, installerFile, "rollback", "--yes")
		s.until("uninstall", func() {}, installerFile, "uninstall", "--yes", "--purge-data")
		s.until("first install", s.bare, installerFile, "install", "--role", "host", "--party", "10000")
		s.calm()
		s.restore()
	}
}

// until runs a command under attack, at one pace after the other, until it succeeds. Before each run the host is prepared
// while the attacker pauses.
func (s *siege) until(what string, prepare func(), args ...string) {
	s.t.Helper()
	if s.done[what] == nil {
		s.done[what] = &attacked{codes: map[int]int{}}
	}
	for _, pace := range paces {
		s.calm()
		prepare()
		s.attack(pace)
		start := time.Now()
		code := s.underAttack(s.host, what+" at pace "+pace, args...)
		s.t.Logf("%s at pace %s: exit status %d after %.1f s", what, pace, code, time.Since(start).Seconds())
		s.under += time.Since(start)
		s.done[what].runs++
		s.done[what].codes[code]++
		if code == 0 {
			return
		}
	}
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

// bare removes what there is of an installation.
func (s *siege) bare() {
	s.t.Helper()
	if out, code := s.inCalm(installerFile, "uninstall", "--yes", "--purge-data"); code != 0 {
		s.t.Logf("the uninstall in calm: exit status %d: %s", code, lastLines(out, 4))
	}
}

// reset installs from nothing.
func (s *siege) reset() {
	s.t.Helper()
	s.resets++
	s.bare()
	s.run(s.host, "sh", "-c", "systemctl stop fate-supervisor 2>/dev/null; rm -rf /data/* /data/.[!.]*")
	if out, code := s.inCalm(installerFile, "install", "--role", "host", "--party", "10000"); code != 0 {
		s.t.Fatalf("the install in calm: exit status %d\n%s", code, out)
	}
}

// inCalm runs a command of root's while the attacker pauses.
func (s *siege) inCalm(args ...string) (string, int) {
	s.t.Helper()
	out, code, err := s.try(s.host, append([]string{"timeout", "180"}, args...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out, code
}

// underAttack runs a command of root's, which may fail but neither hang nor crash.
func (b bench) underAttack(host, what string, args ...string) int {
	b.t.Helper()
	const patience = "150"
	out, code, err := b.try(host, append([]string{"timeout", "--signal=QUIT", "--kill-after=5", patience}, args...)...)
	switch {
	case err != nil:
		b.t.Fatalf("%s: %v", what, err)
	case code == 124 || code == 137:
		b.t.Errorf("%s hangs:\n%.4000s", what, out)
	case strings.Contains(out, "\ngoroutine ") || strings.Contains(out, "panic: "):
		b.t.Errorf("%s crashed:\n%.4000s", what, out)
	case strings.Contains(out, canaryText):
		b.t.Errorf("%s shows root's file:\n%.4000s", what, out)
	case code != 0:
		b.t.Logf("%s: exit status %d: %.600s", what, code, lastLines(out, 4))
	}
	return code
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// reportAttack logs what was done by both sides, and wants enough of it.
func (b bench) reportAttack(attacks string, done map[string]*attacked) {
	b.t.Helper()
	var counts map[string]int
	if err := json.Unmarshal([]byte(attacks), &counts); err != nil {
		b.t.Fatalf("the attacker says %q", attacks)
	}
	total, worked := 0, 0
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		b.t.Logf("attacks  %8d  %s", counts[what], what)
		total += counts[what]
	}
	names := slices.SortedFunc(maps.Keys(done), func(a, c string) int { return cmp.Compare(done[c].runs, done[a].runs) })
	all := 0
	for _, what := range names {
		b.t.Logf("root     %8d  %s, by exit status: %v", done[what].runs, what, done[what].codes)
		all += done[what].runs
		worked += done[what].codes[0]
	}
	b.t.Logf("%d commands of root's, of which %d succeeded, and %d attacks", all, worked, total)
	for _, kind := range []string{"exchange", "link", "pipe", "socket", "huge", "temporary", "rotated"} {
		if counts[kind] == 0 {
			b.t.Errorf("no attack of the kind %q was made: %v", kind, counts)
		}
	}
	for _, what := range mustSucceed {
		if done[what] == nil || done[what].codes[0] == 0 {
			b.t.Errorf("%s never succeeded under attack", what)
		}
	}
}

// checkNothingLeaked looks for root's text in all that the service user can read, and in what a diagnosis has.
func (b bench) checkNothingLeaked(host string) {
	b.t.Helper()
	const readable = `find /data /tmp /var /etc /run /home /usr/local /dev/shm -type f -size -200M -readable -exec grep -lF -e "$1" {} + 2>/dev/null; true`
	if out := b.run(host, "runuser", "-u", "app", "--", "sh", "-c", readable, "sh", canaryText); out != "" {
		b.t.Errorf("the service user can read root's text in\n%s", out)
	}
	const diagnoses = `for f in /root/diagnosis-*.tar.gz /tmp/diagnosis-*.tar.gz; do [ -f "$f" ] && zcat "$f" | grep -qaF -e "$1" && echo "$f"; done; true`
	if out := b.run(host, "sh", "-c", diagnoses, "sh", canaryText); out != "" {
		b.t.Errorf("root's text is in the diagnoses\n%s", out)
	}
	const members = `for f in /root/diagnosis-*.tar.gz; do [ -f "$f" ] && zcat "$f" | grep -qa -e '^root:[$*!]' && echo "$f"; done; true`
	if out := b.run(host, "sh", "-c", members); out != "" {
		b.t.Errorf("lines of /etc/shadow are in the diagnoses\n%s", out)
	}
	b.run(host, "sh", "-c", "rm -f /root/diagnosis-*.tar.gz /tmp/diagnosis-*.tar.gz")
}
