package job

import (
	"strings"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/installer/flow"
	"fate-installer/installer/output"
	"fate-installer/installer/redact"
)

// Text is the report for people, in lines that fit a device and in its language. Names in it may be another party's
// choice.
func (r *Report) Text(d output.Device) string {
	var composed, out strings.Builder
	r.compose(writer{&composed, d})
	for line := range strings.Lines(composed.String()) {
		out.WriteString(redact.Printable(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return out.String()
}

// writer writes a report to a device.
type writer struct {
	out    *strings.Builder
	device output.Device
}

func (w writer) printf(format string, args ...any) {
	w.out.WriteString(w.device.Language.Sprintf(format, args...))
}

// evidence writes a line of a log, which stays as it is.
func (w writer) evidence(e cause.Evidence) { w.out.WriteString("  | " + placeOf(e) + e.Text + "\n") }

func (r *Report) compose(w writer) {
	w.printf("job %s %s: submitted by %s", r.Job, w.verbOf(r.Status), r.Initiator)
	if roles := r.Roles.String(); roles != "" {
		w.printf(", with %s", roles)
	}
	w.printf("\n")
	if !r.Started.IsZero() {
		w.printf("  started %s", r.Started.Format(time.DateTime))
		if !r.Ended.IsZero() {
			w.printf(", ended %s (%s)", r.Ended.Format(time.DateTime),
				max(0, r.Ended.Sub(r.Started)).Round(time.Second))
		}
		w.printf("\n")
	}
	r.writeTasks(w)
	if f := r.Failed; f != nil {
		side := ""
		if !f.Here {
			side = ", the other side"
		}
		w.printf("\nfailed: %s at %s %s%s\n", f.Component, f.Role, f.Party, side)
		if f.Reason != "" {
			w.printf("  %s\n", f.Reason)
		}
	}
	r.writeCauses(w)
	if len(r.Lines) > 0 && len(r.Causes) > 0 {
		w.printf("the last lines of the workers:\n")
	}
	for _, e := range r.Lines {
		w.evidence(e)
	}
	for _, p := range r.Problems {
		w.printf("note: %s\n", p)
	}
}

// verbs says how a job has ended.
//
//language:labels
var verbs = map[string]string{flow.StatusSuccess: "succeeded", flow.StatusFailed: "failed",
	flow.StatusCanceled: "was canceled", flow.StatusTimeout: "timed out"}

func (w writer) verbOf(status string) string {
	if verb := verbs[status]; verb != "" {
		return w.device.Language.Label(verb)
	}
	return w.device.Language.Sprintf("is %s", status)
}

// What is said before a cause.
//
//language:labels
const (
	theCause     = "cause"
	anotherCause = "also possible"
	likelyCause  = "likely cause"
)

func (r *Report) writeTasks(w writer) {
	if len(r.Tasks) == 0 {
		return
	}
	w.printf("\n")
	table := output.NewTable("COMPONENT", "ROLE", "PARTY", "STATUS", "TIME", "RAN ON")
	for _, t := range r.Tasks {
		took := ""
		if t.Seconds > 0 {
			took = time.Duration(t.Seconds * float64(time.Second)).Round(time.Second).String()
		}
		table.Row(t.Component, t.Role, t.Party, t.Status, took, t.RunIP)
	}
	d := w.device
	d.Colour = false          // the text may be part of an error
	_ = table.Write(w.out, d) // a text takes everything
}

func (r *Report) writeCauses(w writer) {
	for i, c := range r.Causes {
		word := theCause
		switch {
		case i > 0:
			word = anotherCause
		case !flow.Finished(r.Status):
			word = likelyCause
		}
		w.printf("\n%s: %s (%s)\n", w.device.Language.Label(word), c.Title, c.ID)
		if i > 2 {
			continue // what is that far down is mostly brought about by the first
		}
		w.paragraph("", c.Explanation)
		for _, e := range c.Evidence {
			w.evidence(e)
		}
		w.paragraph("what to do:", c.Remedy)
	}
	if len(r.Causes) == 0 && flow.Finished(r.Status) && r.Status != flow.StatusSuccess {
		w.printf("\nno known cause: the last errors of its logs are\n")
	}
}

// placeOf says where evidence was found.
func placeOf(e cause.Evidence) string {
	place := e.Where
	if e.Role != "" && !strings.Contains(place, "/"+e.Role+"/") {
		place = strings.TrimSpace(e.Role + " " + e.Party + " " + e.Component + ", " + place)
	}
	if place == "" {
		return ""
	}
	return place + ": "
}

// inFile is the width of the paragraphs of a report that goes to a file.
const inFile = 110

// paragraph prints a text after a label, with all lines below the label.
func (w writer) paragraph(label, text string) {
	columns := w.device.Columns
	if columns == 0 {
		columns = inFile
	}
	const indent = "  "
	text = w.device.Language.Lead(label) + w.device.Language.Text(text)
	for _, line := range output.Wrap(text, columns-len(indent)) {
		w.out.WriteString(indent + line + "\n")
	}
}
