package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/job"
	"fate-installer/installer/output"
	"fate-installer/installer/problem"
	"fate-installer/installer/redact"
	"fate-installer/payload/count"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Rules of this file: results go to stdout, everything else to stderr; with -o json stdout is exactly one document;
// a terminal gets bars and colours, anything else plain lines that survive in a log.

// isTerminal reports whether w is a terminal a person may be looking at.
func isTerminal(w io.Writer) bool {
	f, ok := unwrapped(w).(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printf writes human output; it is silent where stdout belongs to one document.
func (g *globals) printf(format string, args ...any) {
	if g.Output != outputJSON && g.Output != outputJUnit {
		fmt.Fprintf(g.Stdout, format, args...)
	}
}

// advisef is as printf, for a text with commands of this program.
func (g *globals) advisef(format string, args ...any) {
	g.printf("%s", g.runnable(fmt.Sprintf(format, args...)))
}

// printJSON writes v as the one JSON document of this command. Its type is in the list of jsonoutputs_test.go, from
// which release/docs/json.md is written.
func (g *globals) printJSON(v any) error {
	g.printed = true
	enc := json.NewEncoder(g.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table is an output.Table for one writer.
type table struct {
	*output.Table
	w io.Writer
}

// newTable starts a table on w with a header row.
func newTable(w io.Writer, header ...string) *table { return &table{output.NewTable(header...), w} }

// row adds a row. Cells may hold what another party has chosen, such as the name of a component.
func (t *table) row(cells ...string) {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = redact.Printable(cell)
	}
	t.Row(safe...)
}

func (t *table) flush() error { return t.Write(t.w, deviceOf(t.w)) }

// deviceOf says how wide the terminal behind a writer is, and whether it has colours.
func deviceOf(w io.Writer) output.Device {
	f, _ := unwrapped(w).(*os.File)
	return output.DeviceOf(f)
}

// progress shows how far a long piece of work is: a bar when stderr is a terminal, otherwise one line at every tenth.
// Its methods may be called from several goroutines.
type progress struct {
	mu      sync.Mutex
	title   string
	total   int64
	bar     *progressbar.ProgressBar
	out     io.Writer
	tenth   int64
	started time.Time
}

// newProgress starts a progress display of total bytes. It shows nothing with -o json.
func newProgress(g *globals, title string, total int64) *progress {
	p := &progress{title: title, total: total, out: g.Stderr, started: time.Now()}
	if g.Output == outputJSON {
		p.out = io.Discard
		return p
	}
	if isTerminal(g.Stderr) && total > 0 {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(g.Stderr),
			progressbar.OptionSetDescription(title),
			progressbar.OptionShowBytes(true),
			progressbar.OptionSetWidth(28),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	return p
}

// Set moves the display to done bytes.
func (p *progress) Set(done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Set64(min(done, p.total)) // a display that cannot be drawn is no reason to fail the work
		return
	}
	if p.total <= 0 {
		return
	}
	if tenth := done * 10 / p.total; tenth > p.tenth {
		p.tenth = tenth
		fmt.Fprintf(p.out, "%s %d%% of %s\n", p.title, tenth*10, count.Bytes(p.total))
	}
}

// clear takes the bar off the terminal's last line, so that a line can be printed; the next Set draws it again.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// Finish removes the bar, or leaves the plain lines as they are.
func (p *progress) Finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// errorOutput is the JSON document of every command that fails, on one line.
type errorOutput struct {
	Error    string           `json:"error"`              // what happened, where, and why
	Hint     string           `json:"hint"`               // what to do next; blank for none
	Log      string           `json:"log"`                // the file with the details; blank for none
	ExitCode int              `json:"exit_code"`          // the exit status of the command
	Problems problem.Problems `json:"problems,omitempty"` // the mistakes of the cluster files, each with its place
	Job      *job.Report      `json:"job,omitempty"`      // test toy, test min: the job that failed, as in job why
}

// printError shows a failed command's error in at most four parts: what, why, what to do next, where to read more. As
// JSON, the mistakes of a configuration are a list as well, each with its file, line and column. A command that has
// printed its document, as install does when programs wait for other hosts, prints no second one: the error goes to
// stderr.
func printError(g *globals, err error, code int) {
	if g.Output == outputJSON && !g.printed {
		out := errorOutput{Error: err.Error(), Hint: g.hint(err), Log: exit.LogPathOf(err),
			ExitCode: code}
		_ = errors.As(err, &out.Problems)
		var job *explainedError
		if errors.As(err, &job) {
			out.Job = job.report
		}
		_ = json.NewEncoder(g.Stdout).Encode(out)
		return
	}
	lines := strings.Split(strings.TrimRight(err.Error(), "\n"), "\n")
	d := deviceOf(g.Stderr)
	for i, line := range lines { // the others are lines of logs, for example
		if line = redact.Printable(line); i == 0 {
			fmt.Fprintf(g.Stderr, "%s\n", d.Labelled(0, "error:", line))
		} else {
			fmt.Fprintf(g.Stderr, "%s\n", output.Indented("       ", line, d.Columns))
		}
	}
	if hint := g.hint(err); hint != "" { // not wrapped: it has commands, which are copied
		fmt.Fprintf(g.Stderr, " %s %s\n", d.Status("hint:"), strings.ReplaceAll(hint, "\n", "\n       "))
	}
	if path := exit.LogPathOf(err); path != "" {
		fmt.Fprintf(g.Stderr, "  log: %s\n", path)
	}
}
