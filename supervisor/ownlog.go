package supervisor

import (
	"slices"

	"fate-installer/supervisor/logfile"
)

// logEnd is the end of one log.
type logEnd struct {
	file  string
	lines []string
}

// ownLogLines is how much of each of a program's own logs is kept; a program may have several.
const ownLogLines = 15

// ownLogEnds returns what this run wrote into the program's own logs. Of several that match one pattern, as when each
// day has its own, the newest is taken. A log that ends with a line that is among the printed ones tells nothing new.
func (r *run) ownLogEnds(patterns []string, printed []string) []logEnd {
	var out []logEnd
	for _, pattern := range patterns {
		path := logfile.Newest(pattern, r.acct, r.started, r.ownMarks)
		if path == "" {
			continue
		}
		lines := logfile.LastLines(path, r.acct, r.ownMarks[path], ownLogLines)
		if len(lines) > 0 && !slices.Contains(printed, lines[len(lines)-1]) {
			out = append(out, logEnd{path, lines})
		}
	}
	return out
}
