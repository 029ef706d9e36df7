package cluster

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// nearest finds the word that a misspelt one was most likely meant to be, or "".
func nearest(word string, words []string) string {
	best, limit := "", max(2, len(word)/3)+1
	for _, w := range words {
		if dist := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(w)); dist < limit {
			best, limit = w, dist
		}
	}
	return best
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
