package job

import (
	"fmt"
	"io"
	"strings"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/installer/flow"
	"fate-installer/installer/output"
	"fate-installer/installer/redact"
)

// Text is the report for people, in lines that fit a terminal of that many columns; 0 stands for a file. Names in it
// may be another party's choice.
func (r *Report) Text(columns int) string {
	var composed, out strings.Builder
	r.compose(&composed, columns)
	for line := range strings.Lines(composed.String()) {
		out.WriteString(redact.Printable(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return out.String()
}

func (r *Report) compose(w io.Writer, columns int) {
	fmt.Fprintf(w, "job %s %s: submitted by %s", r.Job, verbOf(r.Status), r.Initiator)
	if roles := r.Roles.String(); roles != "" {
		fmt.Fprintf(w, ", with %s", roles)
	}
	fmt.Fprintln(w)
	if !r.Started.IsZero() {
		fmt.Fprintf(w, "  started %s", r.Started.Format(time.DateTime))
		if !r.Ended.IsZero() {
			fmt.Fprintf(w, ", ended %s (%s)", r.Ended.Format(time.DateTime),
				max(0, r.Ended.Sub(r.Started)).Round(time.Second))
		}
		fmt.Fprintln(w)
	}
	r.writeTasks(w, columns)
	if f := r.Failed; f != nil {
		side := ""
		if !f.Here {
			side = ", the other side"
		}
		fmt.Fprintf(w, "\nfailed: %s at %s %s%s\n", f.Component, f.Role, f.Party, side)
		if f.Reason != "" {
			fmt.Fprintf(w, "  %s\n", f.Reason)
		}
	}
	r.writeCauses(w, columns)
	if len(r.Lines) > 0 && len(r.Causes) > 0 {
		fmt.Fprintf(w, "the last lines of the workers:\n")
	}
	for _, e := range r.Lines {
		fmt.Fprintf(w, "  | %s%s\n", placeOf(e), e.Text)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "note: %s\n", p)
	}
}

func verbOf(status string) string {
	switch status {
	case flow.StatusSuccess:
		return "succeeded"
	case flow.StatusFailed:
		return "failed"
	case flow.StatusCanceled:
		return "was canceled"
	case flow.StatusTimeout:
		return "timed out"
	}
	return "is " + status
}

func (r *Report) writeTasks(w io.Writer, columns int) {
	if len(r.Tasks) == 0 {
		return
	}
	fmt.Fprintln(w)
	table := output.NewTable("COMPONENT", "ROLE", "PARTY", "STATUS", "TIME", "RAN ON")
	for _, t := range r.Tasks {
		took := ""
		if t.Seconds > 0 {
			took = time.Duration(t.Seconds * float64(time.Second)).Round(time.Second).String()
		}
		table.Row(t.Component, t.Role, t.Party, t.Status, took, t.RunIP)
	}
	_ = table.Write(w, output.Device{Columns: columns}) // w is a text
}

func (r *Report) writeCauses(w io.Writer, columns int) {
	for i, c := range r.Causes {
		word := "cause"
		switch {
		case i > 0:
			word = "also possible"
		case !flow.Finished(r.Status):
			word = "likely cause"
		}
		fmt.Fprintf(w, "\n%s: %s (%s)\n", word, c.Title, c.ID)
		if i > 2 {
			continue // what is that far down is mostly brought about by the first
		}
		writeWrapped(w, "  ", c.Explanation, columns)
		for _, e := range c.Evidence {
			fmt.Fprintf(w, "  | %s%s\n", placeOf(e), e.Text)
		}
		writeWrapped(w, "  what to do: ", c.Remedy, columns)
	}
	if len(r.Causes) == 0 && flow.Finished(r.Status) && r.Status != flow.StatusSuccess {
		fmt.Fprintf(w, "\nno known cause: the last errors of its logs are\n")
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

// writeWrapped prints a paragraph, the first line after label and the rest as deep as the label begins.
func writeWrapped(w io.Writer, label, text string, columns int) {
	if columns == 0 {
		columns = inFile
	}
	indent := strings.Repeat(" ", len(label)-len(strings.TrimLeft(label, " ")))
	text = strings.TrimLeft(label, " ") + text
	for _, line := range output.Wrap(text, columns-len(indent)) {
		fmt.Fprintln(w, indent+line)
	}
}
