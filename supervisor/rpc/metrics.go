package rpc

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"

	"fate-installer/supervisor"
	"fate-installer/supervisor/process"
)

// serveMetrics answers with Prometheus's text format, version 0.0.4. Everything is gathered when it is asked for. The
// format is a line per value; the client library would bring protobuf and its start-up time into every program start.
func (s *Server) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	text := metrics(s.sup.Statuses())
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
			fmt.Fprintf(&b, "%s %s\n", name, strconv.FormatFloat(s.Value, 'f', -1, 64))
		}
	}
	return b.Bytes()
}

// family is one metric of all programs. A program for which value reports false has no such value now.
type family struct {
	name, kind, help string
	value            func(st *supervisor.Status) (float64, bool)
}

var families = []family{
	{"fate_program_up", "gauge", "1 if the program has a process.",
		func(st *supervisor.Status) (float64, bool) { return truth(st.PID > 0), true }},
	{"fate_program_ready", "gauge", "1 if the program is ready.",
		func(st *supervisor.Status) (float64, bool) { return truth(st.Ready), true }},
	{"fate_program_restarts_total", "counter", "Times the program was started again without being asked.",
		func(st *supervisor.Status) (float64, bool) { return float64(st.Restarts), true }},
	{"fate_program_uptime_seconds", "gauge", "Age of the program's process.",
		func(st *supervisor.Status) (float64, bool) { return st.UpSeconds, st.PID > 0 }},
	{"fate_program_resident_memory_bytes", "gauge", "Resident memory of the program's main process.",
		func(st *supervisor.Status) (float64, bool) { return float64(st.Memory), st.PID > 0 }},
}

func metrics(statuses []supervisor.Status) []byte {
	var b bytes.Buffer
	for _, f := range families {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
		for _, st := range statuses {
			if v, ok := f.value(&st); ok {
				fmt.Fprintf(&b, "%s{%s} %s\n", f.name, labels(&st), strconv.FormatFloat(v, 'g', -1, 64))
			}
		}
	}
	b.WriteString("# HELP fate_program_state 1 for the state the program is in.\n# TYPE fate_program_state gauge\n")
	for _, st := range statuses {
		fmt.Fprintf(&b, "fate_program_state{%s,state=%q} 1\n", labels(&st), st.State)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	for _, own := range []struct {
		name, help string
		value      int64
	}{
		{"fate_supervisor_resident_memory_bytes", "Resident memory of the supervisor.",
			process.ResidentBytes(os.Getpid())},
		{"fate_supervisor_heap_bytes", "Live heap of the supervisor.", int64(mem.HeapAlloc)},
		{"fate_supervisor_goroutines", "Goroutines of the supervisor.", int64(runtime.NumGoroutine())},
	} {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n%s %d\n", own.name, own.help, own.name, own.name, own.value)
	}
	return b.Bytes()
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
