package host

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// SessionLimit is a line of limits.conf(5) or of a file in limits.d.
type SessionLimit struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // from 1
	Domain string `json:"domain"`
	Type   string `json:"type"` // soft, hard or -
	Item   string `json:"item"`
	Value  string `json:"value"`
}

// LimitsDir has the files that pam_limits reads after [limitsFile].
const LimitsDir = "/etc/security/limits.d"

const limitsFile = "/etc/security/limits.conf"

// sessionLimits reads what pam_limits gives to sessions, in its order: limits.conf, then the files of limits.d by
// the bytes of their names.
func (g *gatherer) sessionLimits() {
	files := []string{limitsFile}
	entries, err := g.h.ReadDir(LimitsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.unknown("session limits", err)
	}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".conf" {
			files = append(files, path.Join(LimitsDir, e.Name()))
		}
	}
	slices.Sort(files[1:])
	for _, file := range files {
		data, err := g.h.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			g.unknown("session limits", err)
		}
		g.f.SessionLimits = append(g.f.SessionLimits, parseLimits(file, string(data))...)
	}
}

func parseLimits(file, text string) []SessionLimit {
	var out []SessionLimit
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		if f := strings.Fields(line); len(f) == 4 {
			out = append(out, SessionLimit{file, number, f[0], f[1], f[2], f[3]})
		}
	}
	return out
}
