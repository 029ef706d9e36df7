package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"fate-installer/supervisor/account"
)

// Servers have logs of their own besides what they print: a database server ends without a word on its output, and says
// why in its error log. Such logs are only read, with the rights of the program's user, since their directories are
// its.

// logEnd is the end of one log.
type logEnd struct {
	file  string
	lines []string
}

// ownLogLines is how much of each of a program's own logs is kept; a program may have several.
const ownLogLines = 15

// markOwnLogs marks the ends of the logs that match, so that what is written later is known as of this run.
func markOwnLogs(patterns []string, a account.User) map[string]logMark {
	marks := map[string]logMark{}
	for _, path := range matchLogs(patterns, a) {
		if f, err := readLog(path, a); err == nil {
			marks[path] = markEnd(f)
			f.Close()
		}
	}
	return marks
}

// matchLogs lists the files that match one of the patterns.
func matchLogs(patterns []string, a account.User) []string {
	var out []string
	for _, pattern := range patterns {
		_ = a.Do(func() error {
			found, err := filepath.Glob(pattern)
			out = append(out, found...)
			return err
		})
	}
	return out
}

// ownLogEnds returns what this run wrote into the program's own logs. Of several that match one pattern, as when each
// day has its own, the newest is taken. A log that ends with a line that is among the printed ones tells nothing new.
func (r *run) ownLogEnds(patterns []string, printed []string) []logEnd {
	var out []logEnd
	for _, pattern := range patterns {
		path := r.newestLog(pattern)
		if path == "" {
			continue
		}
		lines := lastLines(path, r.acct, r.ownMarks[path], ownLogLines)
		if len(lines) > 0 && !slices.Contains(printed, lines[len(lines)-1]) {
			out = append(out, logEnd{path, lines})
		}
	}
	return out
}

// clockGrain is how much earlier than the clock the times of files may be: the kernel takes them from its last tick.
const clockGrain = 20 * time.Millisecond

// newestLog is the file that matches and was written to last, if that was during this run.
func (r *run) newestLog(pattern string) string {
	newest, at := "", r.started.Add(-clockGrain)
	for _, path := range matchLogs([]string{pattern}, r.acct) {
		var info os.FileInfo
		err := r.acct.Do(func() (err error) {
			info, err = os.Stat(path)
			return err
		})
		if err != nil || info.ModTime().Before(at) {
			continue
		}
		if mark, ok := r.ownMarks[path]; ok && mark.File == idOf(info) && mark.Offset == info.Size() {
			continue // nothing was added
		}
		newest, at = path, info.ModTime()
	}
	return newest
}
