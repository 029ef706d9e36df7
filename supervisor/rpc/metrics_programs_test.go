package rpc

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"fate-installer/supervisor"
)

// family of metrics as the text format has it.
type textFamily struct {
	kind, help string
	samples    int
}

// parseMetrics reads Prometheus's text format strictly: each family has its help and type once, before its samples, and
// no series comes twice.
func parseMetrics(t *testing.T, text string) map[string]*textFamily {
	t.Helper()
	sample := regexp.MustCompile(`^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?[0-9.]+)$`)
	out, series, now := map[string]*textFamily{}, map[string]bool{}, ""
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, help, _ := strings.Cut(rest, " ")
			if out[name] != nil {
				t.Errorf("%s comes twice", name)
			}
			out[name], now = &textFamily{help: help}, name
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			if name != now {
				t.Fatalf("the type of %s comes after the help of %s", name, now)
			}
			out[name].kind = kind
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || m[1] != now || series[m[1]+m[2]] {
			t.Errorf("out of place, twice, or no sample: %s", line)
			continue
		}
		series[m[1]+m[2]] = true
		out[now].samples++
	}
	return out
}

// TestMetricsFollowTheGuidelines holds the rules of Prometheus's own promlint that apply to names: a help for each,
// base units, _total for counters and for nothing else, no type in a name, no abbreviated units.
func TestMetricsFollowTheGuidelines(t *testing.T) {
	text := metrics(manyStatuses(2), time.Now())
	families := parseMetrics(t, string(text))
	if len(families) < 20 {
		t.Errorf("there are %d families", len(families))
	}
	for name, f := range families {
		counter := f.kind == "counter"
		switch {
		case f.help == "" || f.samples == 0:
			t.Errorf("%s: help %q, %d samples", name, f.help, f.samples)
		case !counter && f.kind != "gauge":
			t.Errorf("%s is a %s", name, f.kind)
		case counter != strings.HasSuffix(name, "_total"):
			t.Errorf("%s is a %s", name, f.kind)
		}
		for _, word := range strings.Split(name, "_") {
			switch word {
			case "ms", "milliseconds", "minutes", "hours", "days", "kb", "kilobytes", "mb", "megabytes", "percent",
				"gauge", "counter", "count", "sec", "secs", "size":
				t.Errorf("%s has %q", name, word)
			}
		}
		if !strings.HasPrefix(name, "fate_program_") && !strings.HasPrefix(name, "fate_supervisor_") {
			t.Errorf("%s is of nothing", name)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		return
	}
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = bytes.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// manyStatuses are programs that this process stands for.
func manyStatuses(n int) []supervisor.Status {
	out := make([]supervisor.Status, n)
	for i := range out {
		out[i] = supervisor.Status{Name: "fate-program" + string(rune('a'+i)), Group: "fate", State: supervisor.Running,
			Ready: true, PID: os.Getpid(), Wanted: true, Started: time.Unix(1700000000, 5e8), UpSeconds: 12,
			Memory: 1 << 20, Restarts: i,
			Exit: &supervisor.ExitInfo{Known: true, Signal: "SIGKILL", OOM: i == 0, At: time.Unix(1690000000, 0)}}
	}
	return out
}

// TestProgramMetrics: what is known of a program is there, and what is not known has no value.
func TestProgramMetrics(t *testing.T) {
	statuses := append(manyStatuses(1), supervisor.Status{Name: "gone", Group: "fate", State: supervisor.Running,
		PID: 1 << 30}, supervisor.Status{Name: "stopped", Group: "stopped", State: supervisor.Stopped,
		Exit: &supervisor.ExitInfo{Known: true, Code: 3, Expected: true}})
	text := string(metrics(statuses, time.Unix(1600000000, 0)))
	for _, want := range []string{
		`fate_program_start_time_seconds{name="fate-programa",group="fate"} 1700000000.5` + "\n",
		`fate_program_last_exit_time_seconds{name="fate-programa",group="fate"} 1690000000` + "\n",
		`fate_program_last_exit_info{name="fate-programa",group="fate",reason="oom",` +
			`code="0",signal="SIGKILL",expected="false"} 1`,
		`fate_program_last_exit_info{name="stopped",group="stopped",reason="exit",` +
			`code="3",signal="",expected="true"} 1`,
		`fate_program_up{name="stopped",group="stopped"} 0` + "\n",
		`fate_program_wanted{name="fate-programa",group="fate"} 1` + "\n",
		"fate_supervisor_start_time_seconds 1600000000\n",
		`fate_program_cpu_seconds_total{name="fate-programa",group="fate"} `,
		`fate_program_threads{name="fate-programa",group="fate"} `,
		`fate_program_open_fds{name="fate-programa",group="fate"} `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, not := range []string{`fate_program_cpu_seconds_total{name="gone"`, `fate_program_threads{name="stopped"`,
		`last_exit_time_seconds{name="stopped"`, `start_time_seconds{name="gone"`} {
		if strings.Contains(text, not) {
			t.Errorf("%q is there", not)
		}
	}
	if none := parseMetrics(t, string(metrics(nil, time.Now()))); none["fate_program_up"] != nil ||
		none["fate_supervisor_goroutines"] == nil {
		t.Errorf("without programs there are %v", none)
	}
}

// BenchmarkMetrics is a scrape of 20 programs, without the connection.
func BenchmarkMetrics(b *testing.B) {
	statuses := manyStatuses(20)
	for b.Loop() {
		if len(metrics(statuses, time.Time{})) == 0 {
			b.Fatal("nothing")
		}
	}
}
