package adopt

import (
	"path"
	"strings"
)

// Boot is an entry of the host that starts the old supervisor, or calls its service.sh: adopt disables the first kind,
// and the second goes on to work with ours.
type Boot struct {
	File string `json:"file"` // the file that has it
	Line int    `json:"line"` // its line in the file
	Text string `json:"text"` // the line
	// whether it starts the old supervisor, so that adopt has to disable it; others only call service.sh
	Starts bool `json:"starts"`
}

// crontabs are the directories with one crontab for each user, and the files of the system's own; see crontab(5).
var (
	crontabDirs  = []string{"/var/spool/cron", "/var/spool/cron/crontabs", "/etc/cron.d"}
	crontabFiles = []string{"/etc/crontab", "/etc/rc.local", "/etc/rc.d/rc.local"}
)

// cronEntries lists the lines of crontabs and of rc.local that name a supervisor's directory, and the files that
// cannot be read.
func cronEntries(r *reader) (out []Boot, skipped []Skipped) {
	files := append([]string{}, crontabFiles...)
	for _, dir := range crontabDirs {
		names, err := r.names(dir)
		if err != nil {
			skipped = append(skipped, Skipped{dir, rootCause(err).Error()})
		}
		for _, name := range names {
			files = append(files, path.Join(dir, name))
		}
	}
	for _, file := range files {
		data, err := r.read(file)
		if err != nil {
			if info, statErr := r.h.Stat(file); !absent(err) && (statErr != nil || !info.IsDir()) {
				skipped = append(skipped, Skipped{file, rootCause(err).Error()})
			}
			continue
		}
		number := 0
		for line := range strings.Lines(string(data)) {
			number++
			text := strings.TrimSpace(line)
			if strings.HasPrefix(text, "#") || !strings.Contains(text, supervisorSuffix) {
				continue
			}
			starts := strings.Contains(text, "check.sh") || strings.Contains(text, "boot.sh") ||
				strings.Contains(text, "supervisord.conf")
			out = append(out, Boot{file, number, text, starts})
		}
	}
	return out, skipped
}
