package problem

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// hostile are texts of at most 200 kB that take the parser gigabytes or minutes when they are not bounded.
func hostile() map[string]string {
	const n = 200_000
	var stairs strings.Builder
	for i := range 600 {
		stairs.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return map[string]string{
		"open brackets":        strings.Repeat("[", n),
		"closed brackets":      strings.Repeat("[", n/2) + strings.Repeat("]", n/2),
		"braces":               strings.Repeat("{a: ", n/4),
		"sequences in a line":  strings.Repeat("- ", n/2),
		"complex keys":         strings.Repeat("? ", n/2),
		"tags":                 strings.Repeat("!!a ", n/4),
		"anchors":              strings.Repeat("&a ", n/3),
		"values in a line":     strings.Repeat("a: ", n/3),
		"stairs":               stairs.String(),
		"aliases":              "a: &a b\nc: [" + strings.Repeat("*a,", 20_000) + "*a]",
		"keys":                 strings.Repeat("k: v\n", 40_000),
		"keys in braces":       "a: {" + strings.Repeat("k: v,", 40_000) + "}",
		"more bytes than read": strings.Repeat("#", 9<<20),
	}
}

func TestHostileShapesAreRefusedCheaply(t *testing.T) {
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := ParseYAML([]byte(text), ClusterLimits)
			runtime.ReadMemStats(&after)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Message == "" {
				t.Fatalf("got %v, want a SyntaxError", err)
			}
			const most = 256 << 20
			if used := after.TotalAlloc - before.TotalAlloc; used > most {
				t.Errorf("took %d MiB for %d bytes", used>>20, len(text))
			}
		})
	}
}

func TestOrdinaryTextsPass(t *testing.T) {
	for name, text := range map[string]string{
		"empty":              "",
		"documents":          "a: 1\n---\nb: 2\n",
		"mappings in a list": strings.Repeat("- a: 1\n  b: {c: 2, d: 3}\n", 5_000),
		"siblings":           strings.Repeat("- a:\n    - b: [1, {c: 2}]\n", 500),
		"brackets in text": `a: "` + strings.Repeat("[", 1000) + `"` + "\nb: |\n  " + strings.Repeat("{", 1000) +
			"\n",
		"brackets plain": "a: x" + strings.Repeat("[", 100) + "\n",
		"alias":          "a: &x {b: 1}\nc: *x\n",
		"duplicate keys": "a: 1\nb:\n  a: 2\n",
	} {
		if _, err := ParseYAML([]byte(text), ClusterLimits); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSyntaxErrorHasAPlace(t *testing.T) {
	_, err := ParseYAML([]byte("a: 1\nb: [1, 2\n"), ClusterLimits)
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Line == 0 {
		t.Errorf("got %v", err)
	}
}

func FuzzParseYAML(f *testing.F) {
	for _, text := range hostile() {
		f.Add([]byte(text[:min(len(text), 4096)]))
	}
	f.Add([]byte("a: &x\n  - b: [1, {c: *x}]\n? d\n: !!str e\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := ParseYAML(data, Limits{Bytes: 1 << 16, Tokens: 5_000, Keys: 500, Depth: 32, Aliases: 100})
		if err == nil && file == nil {
			t.Fatal("neither a tree nor an error")
		}
		var syntax *SyntaxError
		if err != nil && !errors.As(err, &syntax) {
			t.Fatalf("%T is not a SyntaxError", err)
		}
	})
}
