package bundle

import (
	"path"
	"strings"
)

// pattern is a compiled glob; the package comment has the language.
type pattern struct {
	text     string
	elements []string
	hits     int // entries it decided, so that a pattern that matches nothing can be reported as the typo it is
}

// validPattern says what is wrong with a glob, or nothing.
func validPattern(s string) string {
	if wrong := oneLine(s); wrong != "" {
		return wrong
	}
	for element := range strings.SplitSeq(s, "/") {
		if element == "" || element == "." || element == ".." {
			return "has an empty element, . or .. in it"
		}
		if _, err := path.Match(element, ""); err != nil {
			return "is not a pattern: " + err.Error()
		}
	}
	return ""
}

// libraryPattern says what is wrong with a glob for names of shared libraries, or nothing.
func libraryPattern(s string) string {
	if strings.Contains(s, "/") {
		return "is not the name of a library, such as libaio.so.1"
	}
	return validPattern(s)
}

func compilePatterns(texts []string) []*pattern {
	list := make([]*pattern, len(texts))
	for i, text := range texts {
		elements := strings.Split(text, "/")
		if len(elements) == 1 {
			elements = []string{"**", text}
		}
		list[i] = &pattern{text: text, elements: elements}
	}
	return list
}

// match reports whether the glob matches name or a directory above it.
func (p *pattern) match(name string) bool {
	elements := strings.Split(name, "/")
	for n := len(elements); n > 0; n-- {
		if matchElements(p.elements, elements[:n]) {
			p.hits++
			return true
		}
	}
	return false
}

// matchElements matches a whole path. Only the last ** needs to be remembered for backtracking, as with * in a string,
// so hostile patterns cost at most len(glob)*len(name) steps.
func matchElements(glob, name []string) bool {
	g, n := 0, 0
	star, resume := -1, 0
	for n < len(name) {
		if g < len(glob) && glob[g] == "**" {
			star, resume = g, n
			g++
			continue
		}
		if g < len(glob) {
			if ok, _ := path.Match(glob[g], name[n]); ok {
				g, n = g+1, n+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		resume++
		g, n = star+1, resume
	}
	for g < len(glob) && glob[g] == "**" {
		g++
	}
	return g == len(glob)
}

// anyMatch reports whether one of the globs matches; all that match are counted as used.
func anyMatch(list []*pattern, name string) bool {
	found := false
	for _, p := range list {
		if p.match(name) {
			found = true
		}
	}
	return found
}
