package step

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/host"
)

// UnitStartError is a unit that did not start, with what its process said.
type UnitStartError struct {
	Unit   string
	Err    error    // of systemctl, or of what stands for it
	Lines  []string // the last ones that the unit wrote; none when it wrote nothing
	Source string   // the journal's command, or the file, that Lines are from
}

func (e *UnitStartError) Error() string {
	text := fmt.Sprintf("cannot start %s: %v", e.Unit, e.Err)
	if len(e.Lines) == 0 {
		return text + "; it has written nothing"
	}
	text += "\nits last lines (" + e.Source + "):"
	for _, line := range e.Lines {
		text += "\n  | " + line
	}
	return text
}

func (e *UnitStartError) Unwrap() error { return e.Err }

// What is read of a unit's output when it does not start.
const (
	unitLines   = 20
	unitLogTail = 8 << 10
)

// UnitFailure adds to the error of a unit's start the lines that its process has written since began: from the journal,
// or from the log file that it writes itself, where there is no journal.
func UnitFailure(ctx context.Context, h *host.Host, unit, logFile string, began time.Time, err error) error {
	failure := &UnitStartError{Unit: unit, Err: err}
	journal := host.Cmd{Args: []string{"journalctl", "--unit=" + unit,
		"--since=@" + strconv.FormatInt(began.Unix(), 10),
		"--lines=" + strconv.Itoa(unitLines), "--output=cat", "--no-pager", "--quiet"}}
	if out, err := h.Run(ctx, journal); err == nil {
		failure.Lines, failure.Source = lastLinesOf(out.Stdout), "journalctl --unit="+unit
	}
	if len(failure.Lines) == 0 && logFile != "" {
		failure.Lines, failure.Source = tailSince(h, logFile, began), logFile
	}
	return failure
}

// tailSince returns the last lines of a file that was written since a time.
func tailSince(h *host.Host, file string, since time.Time) []string {
	f, err := h.OpenPlain(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.ModTime().Before(since.Add(-host.ClockGrain)) {
		return nil
	}
	from := max(0, info.Size()-unitLogTail)
	data, err := io.ReadAll(io.NewSectionReader(f, from, unitLogTail))
	if err != nil {
		return nil
	}
	if from > 0 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return lastLinesOf(data)
}

// lastLinesOf splits text and makes it safe for a terminal.
func lastLinesOf(data []byte) []string {
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(string(data), "?")) {
		line = strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
				return -1
			}
			return r
		}, line)
		if strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-unitLines):]
}
