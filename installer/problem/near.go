package problem

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// nearest is how many suggestions Near gives at most.
const nearest = 3

// Near lists the words that a mistyped one was probably meant to be, the closest first: those that it differs from
// by at most a third of its letters, but at least by two, and those that it begins.
func Near(word string, words []string) []string {
	type candidate struct {
		word     string
		distance int
	}
	typed := strings.ToLower(word)
	limit := max(2, len(typed)/3)
	var found []candidate
	for _, w := range words {
		known := strings.ToLower(w)
		distance := levenshtein.ComputeDistance(typed, known)
		switch {
		case distance == 0 && word == w, len(typed) == 0:
			continue
		case distance <= limit && distance < len(known):
		case len(typed) > 1 && strings.HasPrefix(known, typed):
		default:
			continue
		}
		found = append(found, candidate{w, distance})
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, c := range found[:min(nearest, len(found))] {
		out = append(out, c.word)
	}
	return out
}

// DidYouMean is "did you mean a, b or c?" for words that Near gave, and empty without any.
func DidYouMean(near []string) string {
	if len(near) == 0 {
		return ""
	}
	return "did you mean " + Or(near) + "?"
}

// Or is "a, b or c".
func Or(words []string) string {
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " or " + words[n]
	}
	return strings.Join(words, "")
}
