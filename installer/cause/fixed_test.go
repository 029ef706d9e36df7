package cause

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFixedParts: the texts are those of which every line that matches has one.
func TestFixedParts(t *testing.T) {
	for expression, want := range map[string][]string{
		`No space left|Errno 28\b`: {"No space left", "Errno 28"}, `[Dd]isk full`: {"isk full"}, `(?:ab|a)+c*`: {"ab", "a"},
		`\((?:1045|1044|1698),`: {"(1044,", "(1045,", "(1698,"}, `a[^b]+bcd`: {"bcd"}, `(?:ab)?c`: {"c", "abc"},
		`x{2,}`: {"x"}, `x*`: nil, `a|x*`: nil, `(?i)abc`: nil, `^fate-(?:mysql|flow) is `: {"fate-mysql is ", "fate-flow is "}, `(`: nil, ``: nil,
	} {
		if got := fixedParts(expression)(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
}

// TestKnownLinesHaveTheirFixedParts: no line that shows a cause is skipped.
func TestKnownLinesHaveTheirFixedParts(t *testing.T) {
	for _, c := range table {
		for _, p := range c.Patterns {
			for _, k := range known {
				if p.Line().MatchString(k.line) && !p.mayMatch(k.line) {
					t.Errorf("%s: %s", c.ID, k.line)
				}
			}
		}
	}
}

// TestDullLinesNeedFewExpressions: most lines of a log have none of the fixed texts, and are not matched.
func TestDullLinesNeedFewExpressions(t *testing.T) {
	kept := table
	defer func() { table = kept }()
	table = slices.Clone(table)
	matched := 0
	for i := range table {
		table[i].Patterns = slices.Clone(table[i].Patterns)
		for k, p := range table[i].Patterns {
			table[i].Patterns[k].Line = func() *regexp.Regexp { matched++; return p.Line() }
		}
	}
	for range 100 {
		if ids := Shown(Log, "[INFO] [2026-11-29 14:10:00,123] scheduler is running, 4 jobs"); ids != nil {
			t.Fatalf("it shows %v", ids)
		}
	}
	if matched > 100 { // the one that takes capitals and small letters
		t.Errorf("100 lines were matched with %d expressions", matched)
	}
	if ids := Shown(Log, "[Errno 28] No space left on device"); !slices.Equal(ids, []string{"disk-full"}) {
		t.Errorf("it shows %v", ids)
	}
	if ids := Shown(Log, `  raise IOError("No space left on device")`); ids != nil {
		t.Errorf("code shows %v", ids)
	}
}

// FuzzFixedParts: what an expression of the table matches has one of its texts.
func FuzzFixedParts(f *testing.F) {
	for _, k := range known {
		f.Add(k.line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, c := range table {
			for _, p := range c.Patterns {
				if !p.mayMatch(line) && p.Line().MatchString(line) {
					t.Errorf("%s is skipped for %q", c.ID, line)
				}
			}
		}
	})
}

// TestNumbered: lines that are joined have the number of the first of them.
func TestNumbered(t *testing.T) {
	lines, numbers := Numbered("a\nof RPC that terminated with:\n status\n details\nb\r\n")
	if !slices.Equal(numbers, []int{1, 2, 5, 6}) || len(lines) != 4 || !strings.HasSuffix(lines[1], "status details") ||
		lines[2] != "b" {
		t.Errorf("%q at %v", lines, numbers)
	}
}
