package output

import (
	"fmt"
	"strings"
	"testing"

	"fate-installer/installer/output/outputtest"

	"pgregory.net/rapid"
)

// TestScreenKeepsNoLiveLine writes text and live lines in any order: what the terminal shows is the text and then the
// live lines, and in the end the text alone.
func TestScreenKeepsNoLiveLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(20, 120).Draw(t, "columns")
		rows := rapid.IntRange(2, 30).Draw(t, "rows")
		terminal := outputtest.NewTerminal(columns, rows)
		screen := NewScreen(terminal, func() (int, int) { return columns, rows })
		line := rapid.StringMatching(`live([ a-z]{0,30}|[数据库端口]{0,40}){0,4}`)
		text := rapid.StringMatching(`([A-Z数据]{1,20} ?){0,6}\n?`)
		var written strings.Builder
		var live []string
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			if rapid.Bool().Draw(t, "writes") {
				part := text.Draw(t, "text")
				written.WriteString(part)
				fmt.Fprint(screen, part)
			} else {
				live = rapid.SliceOfN(line, 0, 8).Draw(t, "live")
				screen.Show(live)
			}
			want := outputtest.NewTerminal(columns, rows)
			fmt.Fprint(want, written.String())
			if all := written.String(); all == "" || strings.HasSuffix(all, "\n") {
				for i, l := range live[max(0, len(live)-rows+1):] {
					fmt.Fprint(want, strings.Repeat("\n", min(i, 1))+Cut(l, columns-1))
				}
			}
			if want.String() != terminal.String() {
				t.Fatalf("got\n%s\nwant\n%s", terminal, want)
			}
		}
		screen.End()
		screen.Show([]string{"live"})
		want := outputtest.NewTerminal(columns, rows)
		fmt.Fprint(want, written.String())
		if want.String() != terminal.String() || strings.Contains(terminal.String(), "live") {
			t.Errorf("at the end\n%s\nwant\n%s", terminal, want)
		}
		if len(terminal.Unknown()) > 0 {
			t.Errorf("unknown: %q", terminal.Unknown())
		}
	})
}

// TestScreenAfterEcho has the terminal echo ^C over the live lines, and has it become narrower.
func TestScreenAfterEcho(t *testing.T) {
	terminal := outputtest.NewTerminal(40, 10)
	screen := NewScreen(terminal, func() (int, int) { return 40, 10 })
	screen.Show([]string{"live one", "live two"})
	fmt.Fprint(terminal, "^C")
	fmt.Fprint(screen, "interrupted\n")
	screen.End()
	if got := terminal.String(); got != "interrupted\n" {
		t.Errorf("got %q", got)
	}
}

// TestScreenWritesOnlyChanges: a display that shows the same again writes nothing.
func TestScreenWritesOnlyChanges(t *testing.T) {
	var out strings.Builder
	screen := NewScreen(&out, func() (int, int) { return 80, 25 })
	screen.Show([]string{"one", "two"})
	before := out.Len()
	screen.Show([]string{"one", "two"})
	if out.Len() != before {
		t.Errorf("written again: %q", out.String()[before:])
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		text  string
		cells int
		want  string
	}{
		{"python 3.11", 11, "python 3.11"}, {"python 3.11", 10, "python..."}, {"数据库端口", 10, "数据库端口"},
		{"数据库端口", 9, "数据库..."}, {"数据库端口", 8, "数据..."}, {"abc", 2, ".."}, {"abc", 0, ""},
	} {
		if got := Cut(tt.text, tt.cells); got != tt.want || Width(got) > tt.cells {
			t.Errorf("Cut(%q, %d) = %q, want %q", tt.text, tt.cells, got, tt.want)
		}
	}
}
