package output

import (
	"io"
	"slices"
	"strings"

	"fate-installer/installer/language"
)

// Table collects rows of cells and writes them in columns.
type Table struct {
	header []string
	rows   [][]string
	words  map[string]string // the English of cells that are statuses, which colours go by
	kept   []string          // columns whose cells are the same in every language
}

// NewTable begins a table. Each word of the header names a column.
func NewTable(header ...string) *Table { return &Table{header: header} }

// Keep names columns whose cells are no texts, but names and values, which stay as they are in every language.
func (t *Table) Keep(columns ...string) { t.kept = append(t.kept, columns...) }

// Row adds a row. Missing cells are empty; a line break or a tab in a cell becomes a space.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(t.header))
	for i := range row {
		if i < len(cells) {
			row[i] = strings.TrimSpace(oneLine.Replace(cells[i]))
		}
	}
	t.rows = append(t.rows, row)
}

var oneLine = strings.NewReplacer("\n", " ", "\r", " ", "\t", " ")

// gap is between two columns.
const gap = "  "

// Write writes the table for a device. A terminal gets no column that is empty in each row, and no line that is wider
// than it: cells are wrapped, and where that would make narrow columns, the longest get a line of their own below
// their row. Elsewhere a record is one line, each column is there, and an empty cell is a dash.
func (t *Table) Write(w io.Writer, d Device) error {
	t = t.in(d.Language)
	var out strings.Builder
	if d.Columns == 0 {
		t.plain(&out, d)
	} else {
		t.fitted(&out, d)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// in is the table in a language.
func (t *Table) in(l *language.Language) *Table {
	if l == nil {
		return t
	}
	out := &Table{words: map[string]string{}}
	for _, name := range t.header {
		out.header = append(out.header, l.Label(name))
	}
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if slices.Contains(t.kept, t.header[i]) {
				cells[i] = cell
			} else if cells[i] = l.Label(cell); cells[i] != cell {
				out.words[cells[i]] = cell
			} else {
				cells[i] = l.Text(cell)
			}
		}
		out.rows = append(out.rows, cells)
	}
	return out
}

func (t *Table) plain(out *strings.Builder, d Device) {
	rows := make([][]string, len(t.rows))
	for i, row := range t.rows {
		rows[i] = slices.Clone(row)
		for j, cell := range row {
			if cell == "" {
				rows[i][j] = "-"
			}
		}
	}
	all := make([]int, len(t.header))
	widths := make([]int, len(t.header))
	for j := range all {
		all[j] = j
		widths[j] = t.width(rows, j)
	}
	t.writeLine(out, t.header, all, widths, Device{})
	for _, row := range rows {
		t.writeLine(out, row, all, widths, d)
	}
}

// width is that of the widest cell of a column, with its name.
func (t *Table) width(rows [][]string, column int) int {
	width := Width(t.header[column])
	for _, row := range rows {
		width = max(width, Width(row[column]))
	}
	return width
}

// A column in which cells are wrapped is at least leastWrapped wide. It is made as wide as the widest word in it up to
// mostWord; a cell with a wider one, a path for example, gets a line of its own.
const (
	leastWrapped = 24
	mostWord     = 40
)

func (t *Table) fitted(out *strings.Builder, d Device) {
	var inRow, below []int
	for j := range t.header {
		if t.says(j) {
			inRow = append(inRow, j)
		}
	}
	var widths []int
	for {
		var ok bool
		if widths, ok = t.fit(inRow, d.Columns, leastWrapped); ok || len(inRow) < 2 {
			break
		}
		longest := 1 // the first column names the row
		for i := range inRow[1:] {
			if t.width(t.rows, inRow[i+1]) >= t.width(t.rows, inRow[longest]) {
				longest = i + 1
			}
		}
		if t.width(t.rows, inRow[longest]) < leastWrapped { // lists of ports, and times: all columns are narrow
			if widths, ok = t.fit(inRow, d.Columns, 0); ok {
				break
			}
		}
		below = append(below, inRow[longest])
		inRow = slices.Delete(inRow, longest, longest+1)
	}
	t.writeLine(out, t.header, inRow, widths, Device{})
	for _, row := range t.rows {
		t.writeRow(out, row, inRow, widths, d)
		for j := range row {
			if !slices.Contains(below, j) && (j == 0 || breaks(row[j], widths[j])) {
				continue
			}
			if row[j] != "" && row[j] != "-" {
				out.WriteString(Indented("  "+strings.ToLower(t.header[j])+d.Language.Colon(), row[j], d.Columns) + "\n")
			}
		}
	}
}

// says reports whether a column has a cell that says something. The first column always stays.
func (t *Table) says(column int) bool {
	if column == 0 || len(t.rows) == 0 {
		return true
	}
	return slices.ContainsFunc(t.rows, func(row []string) bool { return row[column] != "" && row[column] != "-" })
}

// fit returns the widths, by column of the table, with which the columns fit; false when some would be narrower than
// their words, or than narrowest without being as wide as their cells.
func (t *Table) fit(columns []int, total, narrowest int) (widths []int, ok bool) {
	widths = make([]int, len(t.header))
	least := make([]int, len(t.header))
	sum := len(gap) * (len(columns) - 1)
	for _, j := range columns {
		widths[j] = t.width(t.rows, j)
		least[j] = min(widths[j], max(narrowest, Width(t.header[j]), t.longestWord(j)))
		sum += widths[j]
	}
	for sum > total { // the widest gives a cell
		widest := -1
		for _, j := range columns {
			if widths[j] > least[j] && (widest < 0 || widths[j] > widths[widest]) {
				widest = j
			}
		}
		if widest < 0 {
			return widths, false
		}
		widths[widest]--
		sum--
	}
	return widths, true
}

// longestWord is the width of the widest part of a column's cells that is not wrapped. In a column other than the
// first, parts wider than mostWord do not count.
func (t *Table) longestWord(column int) int {
	longest := 0
	for _, row := range t.rows {
		for _, w := range words(row[column]) {
			if column == 0 || w.width <= mostWord {
				longest = max(longest, w.width)
			}
		}
	}
	return longest
}

// breaks reports whether the cell can be wrapped to that width.
func breaks(cell string, width int) bool {
	return !slices.ContainsFunc(words(cell), func(w word) bool { return w.width > width })
}

// writeRow writes a row whose cells may be wrapped.
func (t *Table) writeRow(out *strings.Builder, row []string, columns, widths []int, d Device) {
	wrapped := make([][]string, len(row))
	height := 1
	for _, j := range columns {
		if j > 0 && !breaks(row[j], widths[j]) {
			continue // below the row
		}
		wrapped[j] = Wrap(row[j], widths[j])
		height = max(height, len(wrapped[j]))
	}
	for n := range height {
		line := make([]string, len(row))
		for _, j := range columns {
			if n < len(wrapped[j]) {
				line[j] = wrapped[j][n]
			}
		}
		t.writeLine(out, line, columns, widths, d)
	}
}

// writeLine writes the cells of some columns, each as wide as its column, without spaces at the end.
func (t *Table) writeLine(out *strings.Builder, cells []string, columns, widths []int, d Device) {
	pending := ""
	for i, j := range columns {
		if i > 0 {
			pending += gap
		}
		if cells[j] != "" {
			word := cells[j]
			if english, ok := t.words[word]; ok {
				word = english
			}
			out.WriteString(pending + d.coloured(word, cells[j]))
			pending = ""
		}
		pending += strings.Repeat(" ", max(0, widths[j]-Width(cells[j])))
	}
	out.WriteByte('\n')
}
