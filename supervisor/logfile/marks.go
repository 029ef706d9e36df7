package logfile

import (
	"os"
	"path/filepath"
	"time"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
)

// Servers have logs of their own besides what they print: a database server ends without a word on its output, and says
// why in its error log. Such logs are only read, with the rights of the program's user, since their directories are
// its.

// MarkAll marks the ends of the logs that match, so that what is written later is known as of this run.
func MarkAll(patterns []string, a account.User) map[string]Mark {
	marks := map[string]Mark{}
	for _, path := range match(patterns, a) {
		if f, err := OpenToRead(path, a); err == nil {
			marks[path] = MarkEnd(f)
			f.Close()
		}
	}
	return marks
}

// match lists the files that match one of the patterns.
func match(patterns []string, a account.User) []string {
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

// Newest returns the file that matches and was written to last, if that was after a time and changed what was marked
// then; "" if there is none.
func Newest(pattern string, a account.User, since time.Time, marks map[string]Mark) string {
	newest, at := "", since.Add(-beneath.ClockGrain)
	for _, path := range match([]string{pattern}, a) {
		var info os.FileInfo
		err := a.Do(func() (err error) {
			info, err = os.Stat(path)
			return err
		})
		if err != nil || info.ModTime().Before(at) {
			continue
		}
		if mark, ok := marks[path]; ok && mark.File == beneath.IDOf(info) && mark.Offset == info.Size() {
			continue // nothing was added
		}
		newest, at = path, info.ModTime()
	}
	return newest
}
