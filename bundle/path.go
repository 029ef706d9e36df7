package bundle

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of Linux: longer names can be archived but not unpacked.
const (
	maxName = 255  // bytes of one path element
	maxPath = 4095 // bytes of a path
)

func isControl(r rune) bool { return unicode.IsControl(r) }

// cleanPath brings the path of an archive entry to its one spelling: relative, slash-separated, no "." and no trailing
// slash; the root itself is ".". It refuses, rather than repairs, paths that an extractor could be led astray by.
func cleanPath(raw string) (string, error) {
	switch {
	case raw == "":
		return "", errors.New("has no name")
	case len(raw) > maxPath:
		return "", fmt.Errorf("is longer than %d bytes", maxPath)
	case !utf8.ValidString(raw):
		return "", errors.New("is not UTF-8")
	case strings.ContainsFunc(raw, isControl):
		return "", errors.New("has control characters")
	case raw[0] == '/':
		return "", errors.New("is absolute")
	}
	for element := range strings.SplitSeq(raw, "/") {
		if element == ".." {
			return "", errors.New(`has ".." in it`)
		}
		if len(element) > maxName {
			return "", fmt.Errorf("has a name longer than %d bytes", maxName)
		}
	}
	return path.Clean(raw), nil
}

// relative returns the link target that leads from a link at path link to the path target of the same tree.
func relative(link, target string) string {
	from := splitPath(path.Dir(link))
	to := splitPath(target)
	for len(from) > 0 && len(to) > 0 && from[0] == to[0] {
		from, to = from[1:], to[1:]
	}
	steps := strings.Repeat("../", len(from)) + strings.Join(to, "/")
	if steps = strings.TrimSuffix(steps, "/"); steps == "" {
		return "."
	}
	return steps
}

// splitPath returns the elements of a clean path; the root has none.
func splitPath(p string) []string {
	if p == "." {
		return nil
	}
	return strings.Split(p, "/")
}

// below reports whether p is dir or lies in it.
func below(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, dir+"/")
}
