package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/job"
	"fate-installer/installer/language"
	"fate-installer/installer/output"
	"fate-installer/installer/problem"
	"fate-installer/installer/redact"

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
		fmt.Fprint(g.Stdout, g.language.Sprintf(format, args...))
	}
}

// progressf writes, to standard error, what is being done. It is silent with --quiet, and where standard output belongs
// to one document.
func (g *globals) progressf(format string, args ...any) {
	if text := g.language.Sprintf(format, args...); text != "" && g.showsProgress() {
		fmt.Fprint(g.Stderr, text)
	}
}

// showsProgress reports whether the command shows what it is doing.
func (g *globals) showsProgress() bool {
	return !g.quiet && g.Output != outputJSON && g.Output != outputJUnit
}

// advisef is as printf, for a text with commands of this program.
func (g *globals) advisef(format string, args ...any) {
	g.raw(g.runnable(g.language.Sprintf(format, args...)))
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
	w        io.Writer
	language *language.Language
}

// newTable starts a table on standard output with a header row.
func (g *globals) newTable(header ...string) *table {
	t := output.NewTable(header...)
	t.Keep(valueColumns...)
	return &table{t, g.Stdout, g.language}
}

// valueColumns are the columns of names, values and commands. They are copied and searched for: a true that became 是
// would be another value.
var valueColumns = []string{"ADDRESS", "COMPONENT", "FILE", "FOUND IN", "GO TO", "HOST", "ID", "JOB", "KEPT IN", "KEY",
	"KEY FILE", "KIND", "LICENSE", "MODULE", "NAME", "PARTY", "PASSWORD", "PID", "PLATFORM", "PORTS", "PROGRAM", "RENDERED",
	"SECRET", "TABLE", "THERE", "VALUE", "VERSION", "WHAT", "WHO"}

// row adds a row. Cells may hold what another party has chosen, such as the name of a component.
func (t *table) row(cells ...string) {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = redact.Printable(cell)
	}
	t.Row(safe...)
}

func (t *table) flush() error {
	d := deviceOf(t.w)
	d.Language = t.language
	return t.Write(t.w, d)
}

// device says what a stream of the command leads to.
func (g *globals) device(w io.Writer) output.Device {
	d := deviceOf(w)
	d.Language = g.language
	return d
}

// deviceOf says how wide the terminal behind a writer is, and whether it has colours.
func deviceOf(w io.Writer) output.Device {
	f, _ := unwrapped(w).(*os.File)
	return output.DeviceOf(f)
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

// logLine begins a line of a log in an error.
const logLine = "  | "

// withoutLogs translates an error but for the lines of logs in it, which are searched for in the log.
func (g *globals) withoutLogs(text string) string {
	var out []string
	rest := text
	for rest != "" {
		begin := strings.Index("\n"+rest, "\n"+logLine)
		if begin < 0 {
			out = append(out, g.text(rest))
			break
		}
		if begin > 0 {
			out = append(out, g.text(rest[:begin-1]))
		}
		line, after, _ := strings.Cut(rest[begin:], "\n")
		out, rest = append(out, line), after
	}
	return strings.Join(out, "\n")
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
		g.printed = true
		_ = json.NewEncoder(g.Stdout).Encode(out)
		return
	}
	d := g.device(g.Stderr)
	lines := strings.Split(strings.TrimRight(g.withoutLogs(errorText(err, d)), "\n"), "\n")
	width := output.Width(g.language.Label("error:"))
	margin := strings.Repeat(" ", width+1)
	label := func(word string) string { // ends where error: does
		return strings.Repeat(" ", max(0, width-output.Width(g.language.Label(word)))) + d.Status(word)
	}
	for i, line := range lines { // the others are lines of logs, for example
		if line = redact.Printable(line); i == 0 {
			fmt.Fprintf(g.Stderr, "%s\n", d.Labelled(0, "error:", line))
		} else {
			fmt.Fprintf(g.Stderr, "%s\n", output.Indented(margin, line, d.Columns))
		}
	}
	if hint := g.hint(err); hint != "" { // not wrapped: it has commands, which are copied
		fmt.Fprintf(g.Stderr, "%s %s\n", label("hint:"), strings.ReplaceAll(hint, "\n", "\n"+margin))
	}
	if path := exit.LogPathOf(err); path != "" {
		fmt.Fprintf(g.Stderr, "%s %s\n", label("log:"), path)
	}
}

// errorText is the text of an error, in English but for the report of a job in it, which has been laid out already.
func errorText(err error, d output.Device) string {
	var job *explainedError
	if d.Language == nil || !errors.As(err, &job) {
		return err.Error()
	}
	return d.Language.Text(job.err.Error()) + "\n" + strings.TrimRight(job.report.Text(d), "\n")
}

func printNotes(g *globals, notes problem.Problems) {
	for _, n := range notes {
		g.printf("note: %s\n", n)
	}
}
