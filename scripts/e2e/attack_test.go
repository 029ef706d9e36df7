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

// adversaryTime is how long root works under attack when FATE_ADVERSARY_TIME, a duration, says nothing else.
const adversaryTime = 150 * time.Second

// Where the test keeps what root's commands must neither change nor give away, and what the attacker is stopped with.
const (
	canaries     = "/root/canaries"
	canaryText   = "c4nary-that-is-roots-alone"
	attackerFile = "/home/app/attacker"
	attackerStop = "/home/app/stop"
)

// attacked is how often a command of root's ran under attack, and how it ended.
type attacked struct {
	runs  int
	codes map[int]int
}

// TestAdversary has root install, repair, restart, rotate, read logs, diagnose, upgrade, roll back and uninstall while a
// process of the service user exchanges directories for links, plants links, pipes, sockets, hard links and huge files at
// every path below /data and /tmp. Root's commands may fail, with a sentence. They may not hang, and afterwards nothing
// outside /data has changed, and nothing of root's is in what the service user, or who gets a diagnosis, can read.
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
	outside := append([]string{"/data", canaries + "/../diagnosis*"}, slices.DeleteFunc(slices.Clone(notOurs), func(p string) bool { return p == "/root" })...)
	outside = append(outside, "/home/app", "/usr/local/bin/fate-installer")
	bare := b.contents("host", []string{"/"}, outside...)

	counts := make(chan string, 1)
	go func() {
		out, _, err := b.try("host", "runuser", "-u", "app", "--", attackerFile, "-stop", attackerStop, "-targets", canaries, "/data", "/data/logs", "/data/projects", "/tmp")
		if err != nil {
			out += err.Error()
		}
		counts <- out
	}()
	t.Cleanup(func() { _, _, _ = b.try("host", "touch", attackerStop) })
	done := b.rootAtWork("host", time.Now().Add(limit))
	b.run("host", "touch", attackerStop)
	b.reportAttack(<-counts, done)

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

// rootAtWork runs root's commands one after the other until it is late.
func (b bench) rootAtWork(host string, until time.Time) map[string]*attacked {
	b.t.Helper()
	done := map[string]*attacked{}
	root := func(what string, args ...string) int {
		if time.Now().After(until) {
			return -1
		}
		code := b.underAttack(host, what, args...)
		if done[what] == nil {
			done[what] = &attacked{codes: map[int]int{}}
		}
		done[what].runs++
		done[what].codes[code]++
		return code
	}
	for cycle := 0; time.Now().Before(until); cycle++ {
		root("install", installerFile, "install", "--role", "host", "--party", "10000")
		b.run(host, "sh", "-c", fmt.Sprintf(`for i in 1 2 3 4; do ln %s/canary /data/logs/fate/hard.attacker-$i 2>/dev/null; done; true`, canaries))
		for i := range 4 {
			root("repair", installerFile, "install", "--role", "host", "--party", "10000")
			root("restart", installerFile, "svc", "restart", "fate-rollsite")
			root("rotate", installerFile, "svc", "logs", "--rotate", "fate-rollsite")
			root("logs", installerFile, "svc", "logs", "fate-rollsite")
			root("status", installerFile, "svc", "status")
			root("diagnose", installerFile, "diagnose", "--out", fmt.Sprintf("/root/diagnosis-%d-%d.tar.gz", cycle, i))
			root("diagnose into /tmp", installerFile, "diagnose", "--out", fmt.Sprintf("/tmp/diagnosis-%d-%d.tar.gz", cycle, i))
		}
		root("upgrade", "/root/next", "upgrade")
		root("rollback", installerFile, "rollback", "--yes")
		root("uninstall", installerFile, "uninstall", "--yes", "--purge-data")
	}
	return done
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
	if worked == 0 {
		b.t.Error("no command of root's succeeded, so nothing was attacked")
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
