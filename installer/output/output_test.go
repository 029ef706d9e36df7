package output

import (
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func written(t *testing.T, table *Table, d Device) string {
	t.Helper()
	var out strings.Builder
	if err := table.Write(&out, d); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func programs() *Table {
	t := NewTable("NAME", "STATE", "NOTE", "WHY")
	t.Row("fate-mysql", "RUNNING", "-", "")
	t.Row("fate-fateflow", "WAITING", "", "waits for fate-mysql, which is not ready: its port 3306 does not answer")
	return t
}

func TestTable(t *testing.T) {
	for _, tt := range []struct {
		name  string
		table *Table
		d     Device
		want  string
	}{
		{"no terminal: each column, one line a record", programs(), Device{}, `
NAME           STATE    NOTE  WHY
fate-mysql     RUNNING  -     -
fate-fateflow  WAITING  -     waits for fate-mysql, which is not ready: its port 3306 does not answer
`},
		{"wide: without the empty column", programs(), Device{Columns: 120}, `
NAME           STATE    WHY
fate-mysql     RUNNING
fate-fateflow  WAITING  waits for fate-mysql, which is not ready: its port 3306 does not answer
`},
		{"wrapped", programs(), Device{Columns: 70}, `
NAME           STATE    WHY
fate-mysql     RUNNING
fate-fateflow  WAITING  waits for fate-mysql, which is not ready: its
                        port 3306 does not answer
`},
		{"narrow: a line of its own", programs(), Device{Columns: 40}, `
NAME           STATE
fate-mysql     RUNNING
fate-fateflow  WAITING
  why: waits for fate-mysql, which is
       not ready: its port 3306 does not
       answer
`},
		{"coloured", programs(), Device{Colour: true}, "\n" + `NAME           STATE    NOTE  WHY
fate-mysql     ` + "\x1b[32mRUNNING\x1b[0m" + `  -     -
fate-fateflow  ` + "\x1b[33mWAITING\x1b[0m" + `  -     waits for fate-mysql, which is not ready: its port 3306 does not answer
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := "\n" + written(t, tt.table, tt.d); got != tt.want {
				t.Errorf("got%s\nwant%s", got, tt.want)
			}
		})
	}
}

// TestChinese holds that a Chinese character is two cells wide, and that a text without spaces is wrapped.
func TestChinese(t *testing.T) {
	table := NewTable("程序", "状态", "原因")
	table.Row("fate-mysql", "运行中", "")
	table.Row("fate-fateflow", "等待", "等待 fate-mysql 就绪:端口 3306 没有应答,请检查数据库(MySQL)。")
	want := `
程序           状态    原因
fate-mysql     运行中
fate-fateflow  等待    等待 fate-mysql 就绪:端口
                       3306 没有应答,请检查数据库
                       (MySQL)。
`
	if got := "\n" + written(t, table, Device{Columns: 50}); got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
}

// TestTablesFit makes tables of any text: no line is wider than the terminal unless one word is, and no word is lost.
func TestTablesFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 7).Draw(t, "columns")
		terminal := rapid.IntRange(40, 130).Draw(t, "terminal")
		cell := rapid.StringMatching(`([a-z0-9:/.]{1,20}|[数据库端口没有应答,。]{1,12})( [a-z数据库,]{1,12}){0,12}|-?`)
		table := NewTable(strings.Fields("ONE TWO THREE FOUR FIVE SIX SEVEN")[:columns]...)
		var all []string
		for range rapid.IntRange(0, 6).Draw(t, "rows") {
			row := rapid.SliceOfN(cell, columns, columns).Draw(t, "row")
			table.Row(row...)
			all = append(all, row...)
		}
		var out strings.Builder
		if err := table.Write(&out, Device{Columns: terminal}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); Width(line) > terminal || strings.HasSuffix(line, " ") {
				t.Errorf("%d of %d cells: %q", Width(line), terminal, line)
			}
		}
		text := out.String()
		for _, cell := range all {
			for _, w := range words(cell) {
				if w.text != "-" && !strings.Contains(text, w.text) {
					t.Errorf("%q is missing in\n%s", w.text, text)
				}
			}
		}
	})
}

func TestWrapKeepsWhatIsCopied(t *testing.T) {
	path := "/data/projects/common/fate-installer/a/very/long/path"
	if got := Wrap("see "+path+" there", 20); len(got) != 3 || got[1] != path {
		t.Errorf("%q", got)
	}
	if got := Wrap("two  spaces", 20); len(got) != 1 || got[0] != "two  spaces" {
		t.Errorf("%q", got)
	}
}

func TestColoursByTheEnvironment(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, tt := range []struct {
		no, force string
		want      bool
	}{{"", "", false}, {"", "0", false}, {"", "1", true}, {"1", "1", false}} {
		t.Setenv("NO_COLOR", tt.no)
		t.Setenv("CLICOLOR_FORCE", tt.force)
		if d := DeviceOf(file); d.Colour != tt.want || d.Columns != 0 {
			t.Errorf("NO_COLOR=%q CLICOLOR_FORCE=%q: %+v", tt.no, tt.force, d)
		}
	}
}
