package diagnosis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fate-installer/supervisor"
)

// TestWorkIsBounded: however much a bundle has of something, what is looked at of it, kept and searched is bounded.
func TestWorkIsBounded(t *testing.T) {
	var programs []supervisor.Status
	files := map[string]string{}
	for i := range 8000 {
		name := fmt.Sprintf("fate-x%d", i)
		programs = append(programs, supervisor.Status{Name: name, State: supervisor.Fatal, Wanted: true,
			Why: "exited with status 1", LastLog: []string{"x"}})
		if i < 2000 {
			files["why/"+name+".json"] = doc([]supervisor.Finding{{Name: name, Text: "is FATAL",
				LastLog: []string{strings.Repeat("y", 5000) + " No space left on device", "z"}}})
		}
	}
	var records []KernelMessage
	for i := range 40_000 {
		records = append(records, KernelMessage{made.Add(time.Duration(i) * time.Millisecond),
			fmt.Sprintf("Out of memory: Killed process %d (python)", i)})
	}
	files[statusName], files[KernelName] = doc(programs), doc(records)
	for i := range 3 * mostEdits {
		files[fmt.Sprintf("%s/data/%d.diff", EditsDir, i)] = "+x\n"
	}
	x := newAnalysis(t.Context(), bundleWith(files), "x")
	for _, rule := range x.rules() {
		rule()
		for _, f := range x.Findings {
			if len(f.Evidence) > mostEvidence {
				t.Fatalf("%s keeps %d places", f.ID, len(f.Evidence))
			}
		}
	}
	if len(x.status) != mostPrograms || len(x.places) > 2*mostPrograms+10 || len(x.Findings) > mostFindings {
		t.Errorf("%d programs, %d findings, of which %d are reported", len(x.status), len(x.places), len(x.Findings))
	}
	if x.searched > mostSearched+mostOfDocument {
		t.Errorf("%d MiB were searched", x.searched>>20)
	}
	if len(x.Missing) != 1 || !strings.Contains(x.Missing[0], statusName) || x.allReady() {
		t.Errorf("missing: %q", x.Missing)
	}
	kernel := x.Findings[0]
	if kernel.ID != "out-of-memory" ||
		!strings.Contains(kernel.Evidence[0].Text, "39999") || kernel.Evidence[0].Line == 0 {
		t.Errorf("%+v", kernel)
	}
}

// TestTheSearchForLinesEnds: when much was searched, places name the file alone.
func TestTheSearchForLinesEnds(t *testing.T) {
	const file = "facts.json"
	x := newAnalysis(t.Context(), bundleWith(map[string]string{file: strings.Repeat("x", 1<<20) + "\nneedle"}), "x")
	if n := x.lineOf(file, "needle"); n != 2 || x.searched < 1<<20 {
		t.Errorf("line %d after %d bytes", n, x.searched)
	}
	x.searched = mostSearched
	if n := x.lineOf(file, "needle"); n != 0 || x.searched != mostSearched {
		t.Errorf("line %d after %d bytes", n, x.searched)
	}
}

// TestLargeDocumentsAreMissing: a document that is larger than any is not decoded.
func TestLargeDocumentsAreMissing(t *testing.T) {
	r := analyzed(t, bundleWith(map[string]string{KernelName: "[" + strings.Repeat(" ", mostOfDocument) + "]"}))
	if len(r.Missing) != 1 || !strings.Contains(r.Missing[0], KernelName) {
		t.Errorf("missing: %q", r.Missing)
	}
}

// TestLogsAreBounded: the last lines of a log are looked at, with their numbers, and of each cause a few are kept.
func TestLogsAreBounded(t *testing.T) {
	const name = "logs/fate/eggroll/a.log"
	text := "[ERROR] Access denied for user\n" + strings.Repeat("[ERROR] No space left on device\n", mostOfLog+10) +
		"[ERROR] Errno 28\n"
	x := newAnalysis(t.Context(), bundleWith(map[string]string{name: text}), "x")
	for _, rule := range x.rules() {
		rule()
	}
	if len(x.Findings) != 1 || x.Findings[0].ID != "disk-full" || x.lines != mostOfLog {
		t.Fatalf("%d lines: %+v", x.lines, x.Findings)
	}
	e := x.Findings[0].Evidence
	if len(e) != 2 || e[0].Line != mostOfLog+12 || e[1].Line != mostOfLog+11 {
		t.Errorf("%+v", e)
	}
	kept := 0
	for _, lines := range x.shown {
		kept += len(lines)
	}
	if kept != 2 {
		t.Errorf("%d lines are kept", kept)
	}
	x = newAnalysis(t.Context(), bundleWith(map[string]string{name: "x\n"}), "x")
	if x.lines = mostOfLogs; true {
		x.logs()
	}
	if x.lines != mostOfLogs || len(x.Missing) != 1 {
		t.Errorf("%d lines, missing %q", x.lines-mostOfLogs, x.Missing)
	}
}

// endsAfter is a context that ends when it was asked so many times.
type endsAfter struct {
	context.Context
	asked, most int
}

func (c *endsAfter) Err() error {
	if c.asked++; c.asked > c.most {
		return context.Canceled
	}
	return nil
}

// TestAnalyzeEndsWithItsContext: Ctrl-C ends the work between rules, programs and lines of logs.
func TestAnalyzeEndsWithItsContext(t *testing.T) {
	b := bundleWith(map[string]string{"logs/fate/eggroll/a.log": strings.Repeat("[INFO] x\n", 100_000)})
	for most := range 30 {
		ctx := &endsAfter{Context: t.Context(), most: most}
		if r, err := Analyze(ctx, b, "x"); !errors.Is(err, context.Canceled) || r != nil {
			t.Fatalf("asked %d times: %v", most, err)
		}
		if ctx.asked > most+3 {
			t.Errorf("asked %d times after %d", ctx.asked, most)
		}
	}
	ctx := &endsAfter{Context: t.Context(), most: 15}
	x := newAnalysis(ctx, b, "x")
	for _, rule := range x.rules() {
		rule()
	}
	if x.lines == 0 || x.lines > 16*1024 {
		t.Errorf("%d lines were looked at", x.lines)
	}
}
