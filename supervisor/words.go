package supervisor

import "strings"

// stripComment cuts an inline comment: a semicolon or number sign with a blank before it, as supervisor 4 does.
func stripComment(s string) string {
	for i := 1; i < len(s); i++ {
		if (s[i] == ';' || s[i] == '#') && isBlank(s[i-1]) {
			return strings.TrimRight(s[:i], " \t")
		}
	}
	return s
}
