package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// plainScalar matches strings that YAML reads unchanged without quotes, in a block and in a flow. Numbers need none
// either: the lock is read by spelling.
var plainScalar = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_./][A-Za-z0-9_./+@~=-]*( [A-Za-z0-9_./+@~=-]+)*$`)
})

// scalarText writes a string as YAML; JSON strings are YAML too.
func scalarText(s string) string {
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", ".nan", ".inf":
	default:
		if plainScalar().MatchString(s) {
			return s
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return `""` // a Go string always has a JSON form
	}
	return string(text)
}

func listText(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = scalarText(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// Encode writes the lock as [ParseLock] reads it, keys in the order of the format's description. comment goes on top,
// line by line.
func (l *Lock) Encode(comment string) []byte {
	var w lockWriter
	for line := range strings.Lines(comment) {
		w.line(0, "# %s", strings.TrimRight(line, "\n"))
	}
	w.line(0, "schema: %d", Schema)
	w.line(0, "release:")
	w.line(2, "fate: %s", scalarText(l.Release.FATE))
	w.line(2, "platform: %s", scalarText(l.Release.Platform))
	if l.Release.Revision > 0 {
		w.line(2, "revision: %d", l.Release.Revision)
	}
	if len(l.Release.Env) > 0 {
		w.line(2, "env:")
		for _, key := range slices.Sorted(maps.Keys(l.Release.Env)) {
			w.line(4, "%s: %s", scalarText(key), scalarText(l.Release.Env[key]))
		}
	}
	w.line(0, "components:")
	for i := range l.Components {
		w.component(&l.Components[i])
	}
	return []byte(w.text.String())
}

type lockWriter struct{ text strings.Builder }

func (w *lockWriter) line(indent int, format string, args ...any) {
	text := strings.TrimRight(fmt.Sprintf(format, args...), " ")
	fmt.Fprintf(&w.text, "%*s%s\n", indent, "", text)
}

func (w *lockWriter) component(c *Component) {
	w.line(2, "- name: %s", c.Name)
	w.line(4, "version: %s", scalarText(c.Version))
	if c.License != "" {
		w.line(4, "license: %s", scalarText(c.License))
	}
	if c.Platform != "" {
		w.line(4, "platform: %s", scalarText(c.Platform))
	}
	if len(c.LibraryPath) > 0 {
		w.line(4, "library_path: %s", listText(c.LibraryPath))
	}
	if len(c.HostLibraries) > 0 {
		w.line(4, "host_libraries: %s", listText(c.HostLibraries))
	}
	if c.StandIn {
		w.line(4, "stand_in: true")
	}
	if c.NoTemplate {
		w.line(4, "database: {template: no}")
	}
	w.line(4, "sources:")
	for i := range c.Sources {
		w.source(&c.Sources[i])
	}
}

// source writes a source; its first key carries the dash.
func (w *lockWriter) source(s *Source) {
	first := "path: " + scalarText(s.Path)
	if s.Path == "" {
		first = "url: " + listText(s.URL)
	}
	w.line(6, "- %s", first)
	key := func(name, value string) { w.line(8, "%s: %s", name, value) }
	if s.Member != "" {
		key("member", scalarText(s.Member))
	}
	if s.Format != "" && s.Format != FormatAuto {
		key("format", string(s.Format))
	}
	if s.Python != "" {
		key("python", `"`+s.Python+`"`)
	}
	if s.SHA256 != "" {
		key("sha256", `"`+s.SHA256+`"`)
		key("size", fmt.Sprint(s.Size))
	}
	for _, list := range []struct {
		name  string
		items []string
	}{{"include", s.Include}, {"exclude", s.Exclude}} {
		if len(list.items) > 0 {
			key(list.name, listText(list.items))
		}
	}
	if s.Strip > 0 {
		key("strip", fmt.Sprint(s.Strip))
	}
	if len(s.Rename) > 0 {
		key("rename", "")
		for _, r := range s.Rename {
			w.line(10, "- {from: %s, to: %s}", scalarText(r.From), scalarText(r.To))
		}
	}
	if s.Into != "" {
		key("into", scalarText(s.Into))
	}
	if len(s.Mode) > 0 {
		key("mode", "")
		for _, m := range s.Mode {
			w.line(10, `- {match: %s, mode: "%04o"}`, scalarText(m.Match), m.Mode)
		}
	}
	if s.Setuid != "" && s.Setuid != SetuidRefuse {
		key("setuid", string(s.Setuid))
	}
	if s.Override {
		key("override", "true")
	}
}
