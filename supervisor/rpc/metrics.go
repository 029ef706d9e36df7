package rpc

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"fate-installer/supervisor"
	"fate-installer/supervisor/process"
)

// serveMetrics answers with Prometheus's text format, version 0.0.4. Everything is gathered when it is asked for. The
// format is a line per value; the client library would bring protobuf and its start-up time into every program start.
func (s *Server) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	text := metrics(s.sup.Statuses(), s.daemon.Began())
	if s.gauges != nil {
		text = append(text, gaugesText(s.gauges())...)
	}
	_, _ = pace(w, answerTimeout).Write(text)
}

// Gauge is a metric of the host that is not of a program.
type Gauge struct {
	Name, Help string
	Samples    []Sample
}

// Sample is a value of a gauge with what tells it from the others.
type Sample struct {
	Labels []Label
	Value  float64
}

// Label is a name of Prometheus and any text.
type Label struct{ Name, Value string }

func gaugesText(gauges []Gauge) []byte {
	var b bytes.Buffer
	for _, g := range gauges {
		if len(g.Samples) == 0 {
			continue
		}
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", g.Name, g.Help, g.Name)
		for _, s := range g.Samples {
			labels := make([]string, len(s.Labels))
			for i, l := range s.Labels {
				labels[i] = l.Name + "=" + quoteLabel(strings.ToValidUTF8(l.Value, "?"))
			}
			name := g.Name
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			fmt.Fprintf(&b, "%s %s\n", name, number(s.Value))
		}
	}
	return b.Bytes()
}

// family is one metric of all programs. A program for which value reports false has no such value now.
type family struct {
	name, kind, help string
	value            func(p *measured) (float64, bool)
}

// measured is a program with what its main process uses.
type measured struct {
	supervisor.Status
	usage process.Usage
	gone  bool // it has no process, or one that ended in this moment
}

// measure looks at the processes of programs.
func measure(statuses []supervisor.Status) []measured {
	out := make([]measured, len(statuses))
	for i, st := range statuses {
		out[i] = measured{Status: st, gone: true}
		if st.PID > 0 {
			u, err := process.ReadUsage(st.PID)
			out[i].usage, out[i].gone = u, err != nil
		}
	}
	return out
}

var families = []family{
	{"fate_program_up", "gauge", "1 if the program has a process.",
		func(p *measured) (float64, bool) { return truth(p.PID > 0), true }},
	{"fate_program_wanted", "gauge", "1 if the program is to run.",
		func(p *measured) (float64, bool) { return truth(p.Wanted), true }},
	{"fate_program_ready", "gauge", "1 if the program is ready.",
		func(p *measured) (float64, bool) { return truth(p.Ready), true }},
	{"fate_program_degraded", "gauge", "1 if the program lacks only what is not its own to do.",
		func(p *measured) (float64, bool) { return truth(p.Degraded), true }},
	{"fate_program_restarts_total", "counter", "Times the program was started again without being asked.",
		func(p *measured) (float64, bool) { return float64(p.Restarts), true }},
	{"fate_program_failed_starts", "gauge", "Starts of the program that failed, in a row.",
		func(p *measured) (float64, bool) { return float64(p.Failures), true }},
	{"fate_program_uptime_seconds", "gauge", "Age of the program's process.",
		func(p *measured) (float64, bool) { return p.UpSeconds, p.PID > 0 }},
	{"fate_program_start_time_seconds", "gauge", "When the program's process was started, in Unix time.",
		func(p *measured) (float64, bool) { return unixSeconds(p.Started), p.PID > 0 && !p.Started.IsZero() }},
	{"fate_program_last_exit_time_seconds", "gauge", "When a process of the program last ended, in Unix time.",
		func(p *measured) (float64, bool) {
			if p.Exit == nil || p.Exit.At.IsZero() {
				return 0, false
			}
			return unixSeconds(p.Exit.At), true
		}},
	{"fate_program_cpu_seconds_total", "counter", "Processor time that the program's main process has used.",
		func(p *measured) (float64, bool) { return p.usage.CPU.Seconds(), !p.gone }},
	{"fate_program_resident_memory_bytes", "gauge", "Resident memory of the program's main process.",
		func(p *measured) (float64, bool) { return float64(p.Memory), p.PID > 0 }},
	{"fate_program_threads", "gauge", "Threads of the program's main process.",
		func(p *measured) (float64, bool) { return float64(p.usage.Threads), !p.gone }},
	{"fate_program_open_fds", "gauge", "Open file descriptors of the program's main process.",
		func(p *measured) (float64, bool) { return float64(p.usage.Files), !p.gone && p.usage.Files >= 0 }},
}

func metrics(statuses []supervisor.Status, began time.Time) []byte {
	var b bytes.Buffer
	programs := measure(statuses)
	for _, f := range families {
		head := false
		for i := range programs {
			v, ok := f.value(&programs[i])
			if !ok {
				continue
			}
			if !head {
				fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
				head = true
			}
			fmt.Fprintf(&b, "%s{%s} %s\n", f.name, labels(&programs[i].Status), number(v))
		}
	}
	if len(statuses) > 0 {
		b.WriteString("# HELP fate_program_state 1 for the state the program is in.\n# TYPE fate_program_state gauge\n")
	}
	for _, st := range statuses {
		fmt.Fprintf(&b, "fate_program_state{%s,state=%q} 1\n", labels(&st), st.State)
	}
	writeExits(&b, statuses)
	writeOwn(&b, began)
	return b.Bytes()
}

// number writes a value without an exponent, which all readers of the format take.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// writeExits writes how the last process of each program ended. The reason is one of few words, so that the number of
// series stays small: a program that ends in many ways has one of them at a time.
func writeExits(b *bytes.Buffer, statuses []supervisor.Status) {
	head := false
	for _, st := range statuses {
		if st.Exit == nil {
			continue
		}
		if !head {
			b.WriteString("# HELP fate_program_last_exit_info How the last process of the program ended.\n" +
				"# TYPE fate_program_last_exit_info gauge\n")
			head = true
		}
		fmt.Fprintf(b, "fate_program_last_exit_info{%s,reason=%q,code=\"%d\",signal=%s,expected=\"%t\"} 1\n",
			labels(&st), exitReason(st.Exit), st.Exit.Code, quoteLabel(st.Exit.Signal), st.Exit.Expected)
	}
}

func exitReason(e *supervisor.ExitInfo) string {
	switch {
	case e.OOM:
		return "oom"
	case !e.Known:
		return "unknown"
	case e.Signal != "":
		return "signal"
	}
	return "exit"
}

// writeOwn writes what the supervisor itself uses.
func writeOwn(b *bytes.Buffer, began time.Time) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	own, err := process.ReadUsage(os.Getpid())
	write := func(name, kind, help string, value float64) {
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name, kind, name, number(value))
	}
	write("fate_supervisor_start_time_seconds", "gauge",
		"When this version of the supervisor was executed, in Unix time.", unixSeconds(began))
	write("fate_supervisor_resident_memory_bytes", "gauge", "Resident memory of the supervisor.",
		float64(process.ResidentBytes(os.Getpid())))
	write("fate_supervisor_heap_bytes", "gauge", "Live heap of the supervisor.", float64(mem.HeapAlloc))
	write("fate_supervisor_goroutines", "gauge", "Goroutines of the supervisor.", float64(runtime.NumGoroutine()))
	if err != nil {
		return
	}
	write("fate_supervisor_cpu_seconds_total", "counter", "Processor time that the supervisor has used.",
		own.CPU.Seconds())
	write("fate_supervisor_threads", "gauge", "Threads of the supervisor.", float64(own.Threads))
	if own.Files >= 0 {
		write("fate_supervisor_open_fds", "gauge", "Open file descriptors of the supervisor.", float64(own.Files))
	}
}

func labels(st *supervisor.Status) string {
	return "name=" + quoteLabel(st.Name) + ",group=" + quoteLabel(st.Group)
}

// quoteLabel escapes a label value: backslash, quote and newline, and nothing else.
func quoteLabel(v string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(v) + `"`
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
