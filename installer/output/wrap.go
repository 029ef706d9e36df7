package output

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Wrap breaks text into lines of at most width cells, at spaces, after commas and between Chinese characters. A word
// that is wider is on a line of its own and is not broken: it is a path, a digest or an address, which people copy. A
// text that fits is returned as it is.
func Wrap(text string, width int) []string {
	if Width(text) <= width && !strings.Contains(text, "\n") {
		return []string{text}
	}
	var lines []string
	line, used := "", 0
	for _, w := range words(text) {
		gap := 0
		if w.spaced && line != "" {
			gap = 1
		}
		if line != "" && used+gap+w.width > width {
			lines = append(lines, line)
			line, used, gap = "", 0, 0
		}
		line += strings.Repeat(" ", gap) + w.text
		used += gap + w.width
	}
	if line != "" || lines == nil {
		lines = append(lines, line)
	}
	return lines
}

// Join makes one text of lines that were broken: with a space between them, but for Chinese, which has none.
func Join(lines []string) string {
	var out strings.Builder
	for i, line := range lines {
		if i > 0 {
			before, _ := utf8.DecodeLastRuneInString(lines[i-1])
			after, _ := utf8.DecodeRuneInString(line)
			if Width(string(before)) < 2 || Width(string(after)) < 2 {
				out.WriteByte(' ')
			}
		}
		out.WriteString(line)
	}
	return out.String()
}

// word is what a line is not broken in.
type word struct {
	text   string
	width  int
	spaced bool // a space is before it
}

// words splits text at spaces and where wide characters may be parted.
func words(text string) []word {
	var out []word
	for _, field := range strings.Fields(text) {
		spaced := true
		for field != "" {
			part := firstPart(field)
			out = append(out, word{part, Width(part), spaced})
			field, spaced = field[len(part):], false
		}
	}
	return out
}

// closing are characters that no line begins with, and opening those that no line ends with.
const (
	closing = "，。、；：？！）】》」』”’…,.;:?!)]}%"
	opening = "（【《「『“‘([{"
)

// firstPart is the beginning of a field without spaces up to the first place where a line may end: after a comma, and
// after or before a character of two cells, not before a closing or after an opening one.
func firstPart(field string) string {
	end, state := 0, -1
	wide, open, comma := false, false, false
	for rest := field; rest != ""; {
		cluster, tail, cells, next := uniseg.FirstGraphemeClusterInString(rest, state)
		isWide := cells >= 2
		if end > 0 && (wide || isWide || comma) && !open && !strings.Contains(closing, cluster) {
			return field[:end]
		}
		end += len(cluster)
		wide, open, comma = isWide, strings.Contains(opening, cluster), cluster == ","
		rest, state = tail, next
	}
	return field
}

// Indented is text in lines of at most columns cells: the first begins with label, the others are as deep as the label
// is wide. columns 0 means that the text stays as it is.
func Indented(label, text string, columns int) string {
	if columns == 0 {
		return label + text
	}
	depth := Width(label)
	if columns-depth < narrowest {
		columns = depth + narrowest
	}
	return label + strings.Join(Wrap(text, columns-depth), "\n"+strings.Repeat(" ", depth))
}
