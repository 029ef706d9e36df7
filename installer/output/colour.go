package output

import "strings"

// The colours of status words: the eight that every terminal has, so that they follow its theme.
const (
	good    = "\x1b[32m" // green
	poor    = "\x1b[33m" // yellow
	bad     = "\x1b[31m" // red
	unasked = "\x1b[2m"  // dim: not looked at, or given up on purpose
	plainly = "\x1b[0m"
)

// colours has the status words of all commands. The same word has the same colour everywhere. A word that is also an
// ordinary one in a cell, such as yes, is here for the columns that only say how something is.
//
//language:labels
var colours = map[string]string{
	"ok": good, "done": good, "ready": good, "RUNNING": good, "success": good, "yes": good, "true": good,
	"repaired": good,
	"warning":  poor, "planned": poor, "degraded": poor, "STARTING": poor, "WAITING": poor, "BACKOFF": poor,
	"STOPPING": poor, "waiting": poor, "running": poor, "interrupted": poor, "kept": poor, "found": poor,
	"refused": bad, "FAILED": bad, "failed": bad, "FATAL": bad, "EXITED": bad, "UNKNOWN": bad, "error:": bad,
	"timeout": bad, "no": bad, "false": bad,
	"skipped": unasked, "waived": unasked, "STOPPED": unasked, "canceled": unasked, "not looked at": unasked,
	"not found": unasked, "hint:": unasked, "log:": unasked,
}

// Status is a text in the colour of the status that it names, and in the language; another text as it is.
func (d Device) Status(text string) string { return d.coloured(text, d.Language.Label(text)) }

// coloured is what is shown of a text, in the colour of the status that the text names.
func (d Device) coloured(text, shown string) string {
	colour := colours[text]
	if !d.Colour || colour == "" {
		return shown
	}
	return colour + shown + plainly
}

// Labelled is a paragraph to the right of a status word, which takes at least width cells, wrapped for the device. The
// paragraph is in the language already.
func (d Device) Labelled(width int, status, text string) string {
	shown := d.Language.Label(status)
	label := shown + strings.Repeat(" ", max(0, width-Width(shown))+1)
	return d.coloured(status, shown) + Indented(label, text, d.Columns)[len(shown):]
}
