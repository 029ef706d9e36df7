package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/output"
	"fate-installer/payload"
	"fate-installer/payload/count"
)

// unpackRate, in bytes a second, and startTime are for the expected time of an installation: a disk of a virtual
// machine and the programs of a party.
const (
	unpackRate = 100 << 20
	startTime  = time.Minute
)

// planSummary is what a plan comes to.
type planSummary struct {
	todo, repairs, unknown int
	bytes                  int64    // of the components that are unpacked
	components             []string // that are unpacked
	programs               []string // that are started, or started again
	system                 []string // titles of the steps that change the operating system
}

// summarize says what the steps of a survey come to, with the sizes of the components that an appliance brings.
func summarize(survey engine.Survey, brought []payload.Component) planSummary {
	s := planSummary{}
	sizes := map[string]int64{}
	for _, c := range brought {
		sizes[c.Name] = c.Size
	}
	for _, line := range survey {
		if line.Done {
			continue
		}
		s.todo++
		switch {
		case line.Error != "":
			s.unknown++
		case line.Drift:
			s.repairs++
		}
		kind, object, _ := strings.Cut(line.ID, ":")
		switch {
		case kind == "unpack":
			s.components = append(s.components, line.Component)
			s.bytes += sizes[line.Component]
		case kind == "start":
			s.programs = append(s.programs, strings.Split(object, ",")...)
		case line.Component == "os":
			s.system = append(s.system, line.Title)
		}
	}
	return s
}

// What the lines of the summary are about.
//
//language:labels
const (
	planSteps    = "steps"
	planUnpacks  = "unpacks"
	planExpected = "expected"
	planStarts   = "starts"
	planSystem   = "system"
)

// write prints the summary in a few lines.
func (s planSummary) write(w io.Writer, device output.Device, total int) {
	line := func(label, text string) {
		label = device.Language.Padded(label, 10) + " "
		fmt.Fprintln(w, output.Indented(label, device.Language.Text(text), device.Columns))
	}
	todo := fmt.Sprintf("%d of %s to do", s.todo, count.Of(total, "step"))
	if s.repairs > 0 {
		todo += fmt.Sprintf(", %d of them repairs", s.repairs)
	}
	if s.unknown > 0 {
		todo += fmt.Sprintf(", %d cannot be checked", s.unknown)
	}
	line(planSteps, todo)
	if len(s.components) > 0 {
		line(planUnpacks, count.Bytes(s.bytes)+": "+strings.Join(s.components, ", "))
		took := time.Duration(s.bytes/unpackRate)*time.Second + startTime
		minutes := int((took + time.Minute - 1) / time.Minute)
		line(planExpected, fmt.Sprintf("about %s: %s a second to unpack, and a minute for the programs",
			count.Of(minutes, "minute"), count.Bytes(unpackRate)))
	}
	if len(s.programs) > 0 {
		line(planStarts, strings.Join(s.programs, ", "))
	}
	if len(s.system) > 0 {
		var titles []string
		for _, title := range s.system {
			titles = append(titles, device.Language.Text(title))
		}
		line(planSystem, strings.Join(titles, "; "))
	}
}

// writeSteps prints the steps to do, each component once: "+" for what would be done, "~" for what would be repaired,
// "!" for what is unknown, "=" for what is done and has a note. That a new thing is missing goes without saying.
func writeSteps(w io.Writer, device output.Device, survey engine.Survey) {
	var groups []string
	for _, line := range survey {
		if (!line.Done || line.Note != "") && !slices.Contains(groups, line.Component) {
			groups = append(groups, line.Component)
		}
	}
	for _, group := range groups {
		fmt.Fprintf(w, "\n%s\n", group)
		for _, line := range survey {
			if line.Component == group && (!line.Done || line.Note != "") {
				writeStep(w, device, line)
			}
		}
	}
}

func writeStep(w io.Writer, device output.Device, line engine.SurveyLine) {
	sign, now := "+", ""
	switch {
	case line.Error != "":
		sign, now = "!", "cannot be checked: "+line.Error
	case line.Done:
		sign = "="
	case line.Drift:
		sign, now = "~", "now: "+line.Why
	case line.Why != "" && line.Why != "it does not exist":
		now = "now: " + line.Why
	}
	if !line.Done && !line.Undoable && line.Error == "" {
		now = strings.TrimSpace(now + " (not undone by uninstall)")
	}
	l := device.Language
	fmt.Fprintln(w, output.Indented("  "+sign+" ", l.Text(line.Title), device.Columns))
	note := line.Note
	if note != "" {
		note = "note: " + note
	}
	for _, detail := range []string{line.Describe, now, note} {
		if detail != "" {
			fmt.Fprintln(w, output.Indented("      ", l.Text(detail), device.Columns))
		}
	}
}
