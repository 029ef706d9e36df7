package bundle

import (
	"fmt"
	"path"
	"strings"
)

// filters is a source's include and exclude.
type filters struct {
	include, exclude []*pattern
}

func newFilters(s *Source) *filters {
	return &filters{compilePatterns(s.Include), compilePatterns(s.Exclude)}
}

// selects reports whether the source's entry at p takes part.
func (f *filters) selects(p string) bool {
	if len(f.include) > 0 && !anyMatch(f.include, p) {
		return false
	}
	return !anyMatch(f.exclude, p)
}

// mapping applies a source's keys to its paths and modes.
type mapping struct {
	*filters
	source  *Source
	modes   []*pattern // by index of source.Mode
	renamed []int      // uses of each source.Rename
}

func newMapping(s *Source) *mapping {
	m := &mapping{filters: newFilters(s), source: s, renamed: make([]int, len(s.Rename))}
	for _, rule := range s.Mode {
		m.modes = append(m.modes, compilePatterns([]string{rule.Match})...)
	}
	return m
}

// place returns where the source's path p is in the component's tree, false when strip leaves nothing of it.
func (m *mapping) place(p string) (string, bool) {
	elements := splitPath(p)
	if len(elements) < m.source.Strip {
		return "", false
	}
	if elements = elements[m.source.Strip:]; len(elements) == 0 {
		if m.source.Strip > 0 {
			return "", false
		}
		return m.into("."), true
	}
	p = strings.Join(elements, "/")
	for i, r := range m.source.Rename {
		if below(p, r.From) {
			m.renamed[i]++
			p = path.Join(r.To, strings.TrimPrefix(p[len(r.From):], "/"))
			break
		}
	}
	return m.into(p), true
}

func (m *mapping) into(p string) string {
	if m.source.Into == "" {
		return p
	}
	return path.Join(m.source.Into, p)
}

// mode returns the permissions of an entry after the source's mode rules and its setuid policy, or why it is refused.
func (m *mapping) mode(e entry) (mode uint32, reason string) {
	mode = e.mode
	if mode&(modeSetuid|modeSetgid) != 0 {
		switch m.source.Setuid {
		case SetuidAllow:
		case SetuidDrop:
			mode &^= modeSetuid | modeSetgid
		default:
			return 0, fmt.Sprintf("has mode %#o: it would run with its owner's rights", mode)
		}
	}
	if e.kind == kindFile {
		for i, p := range m.modes { // the last rule that matches decides
			if p.match(e.path) {
				mode = m.source.Mode[i].Mode
			}
		}
	}
	return mode, ""
}

// unused names the first key of the source that had no effect: a typo, or a source that has changed its layout.
func (m *mapping) unused() string {
	for _, list := range []struct {
		key      string
		patterns []*pattern
	}{{"include", m.include}, {"mode", m.modes}} {
		for _, p := range list.patterns {
			if p.hits == 0 {
				return fmt.Sprintf("%s %q matches nothing in it", list.key, p.text)
			}
		}
	}
	for i, n := range m.renamed {
		if n == 0 {
			return fmt.Sprintf("rename from %q matches nothing in it", m.source.Rename[i].From)
		}
	}
	return ""
}
