// Package count writes numbers of things in English: 1 component, 2 components.
package count

import "fmt"

// Of writes n and the noun for it. The plural is the singular with an s, or else the one given.
func Of[N ~int | ~int64 | ~uint64](n N, one string, many ...string) string {
	return fmt.Sprint(n) + " " + Noun(n, one, many...)
}

// Noun is the noun alone, for a text that has the number elsewhere or in another form.
func Noun[N ~int | ~int64 | ~uint64](n N, one string, many ...string) string {
	switch {
	case n == 1:
		return one
	case len(many) > 0:
		return many[0]
	}
	return one + "s"
}

// Bytes writes a size in binary units with one decimal, as df -h would.
func Bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exp := float64(n)/unit, 0
	for value >= unit && exp < 5 {
		value /= unit
		exp++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[exp])
}
