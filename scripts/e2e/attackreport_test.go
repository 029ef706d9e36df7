//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// underAttack runs a command of root's, which may fail but neither hang nor crash.
func (b bench) underAttack(host, what string, args ...string) int {
	b.t.Helper()
	out, code, err := b.try(host, append([]string{"timeout", "--signal=QUIT", "--kill-after=5", commandTimeout},
		args...)...)
	switch {
	case err != nil:
		b.t.Fatalf("%s: %v", what, err)
	case code == 124 || code == 137:
		b.t.Errorf("%s hangs:\n%.4000s", what, out)
	case strings.Contains(out, "\ngoroutine ") || strings.Contains(out, "panic: "):
		b.t.Errorf("%s crashed:\n%.4000s", what, out)
	case strings.Contains(out, canaryText):
		b.t.Errorf("%s shows root's file:\n%.4000s", what, out)
	case code != 0 && (code > 8 || !strings.Contains(out, "error: ")):
		b.t.Errorf("%s ends with exit status %d without a sentence:\n%.4000s", what, code, out)
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
	total := 0
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		b.t.Logf("attacks  %8d  %s", counts[what], what)
		total += counts[what]
	}
	runs, succeeded := b.reportCommands(done)
	for what, d := range done {
		if d.succeeded == 0 && what != "uninstall below volumes" {
			b.t.Errorf("%s never succeeded under attack", what)
		}
	}
	b.t.Logf("%d commands of root's, of which %d succeeded, and %d attacks", runs, succeeded, total)
	for _, kind := range []string{"exchange", "link", "pipe", "socket", "huge", "temporary", "rotated"} {
		if counts[kind] == 0 {
			b.t.Errorf("no attack of the kind %q was made: %v", kind, counts)
		}
	}
	for _, kind := range []string{"hardlink", "device", "mount"} { // which the kernel may refuse
		if counts[kind]+counts[kind+": refused"] == 0 {
			b.t.Errorf("no attack of the kind %q was tried: %v", kind, counts)
		}
	}
}

// reportCommands logs how root's commands ended.
func (b bench) reportCommands(done map[string]*attacked) (runs, succeeded int) {
	b.t.Helper()
	b.t.Logf("root's commands:  runs  succeeded  refused  seconds  by exit status")
	for _, what := range slices.Sorted(maps.Keys(done)) {
		d := done[what]
		b.t.Logf("%-24s %5d %8d %8d %8.1f    %v", what, d.runs, d.succeeded, d.runs-d.succeeded,
			d.took.Seconds(), d.codes)
		runs += d.runs
		succeeded += d.succeeded
	}
	return runs, succeeded
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
