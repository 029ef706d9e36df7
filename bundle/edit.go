package bundle

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"fate-installer/payload"
)

// editor changes a lock's text in place. Printing the syntax tree again would lose blank lines, quoting and the
// alignment of comments, and a lock is reviewed as a diff.
type editor struct {
	changes []change
}

// change replaces length bytes at a place of the text. line and column count from 1, the column in characters.
type change struct {
	line, column int
	length       func(rest string) int // bytes to replace, given the text from the place on; nil for none
	text         string
	newLines     []string // inserted as lines after line instead, if not empty
	flow         bool     // the text goes before the brace at the place, and may need a comma
}

// lock sets the digest and size of the source at n.
func (e *editor) lock(n ast.Node, b payload.Blob) {
	values := []struct{ key, text string }{
		{"sha256", `"` + b.SHA256 + `"`},
		{"size", strconv.FormatInt(b.Size, 10)},
	}
	list, _ := pairs(n) // parseLock has refused anything else
	var missing []string
	for _, v := range values {
		i := slices.IndexFunc(list, func(p *ast.MappingValueNode) bool { return p.Key.GetToken().Value == v.key })
		if i < 0 {
			missing = append(missing, v.key+": "+v.text)
			continue
		}
		e.set(list[i], v.text)
	}
	if len(missing) == 0 {
		return
	}
	if m, ok := n.(*ast.MappingNode); ok && m.IsFlowStyle {
		end := m.End.Position
		e.changes = append(e.changes, change{line: end.Line, column: end.Column, text: strings.Join(missing, ", "), flow: true})
		return
	}
	indent := strings.Repeat(" ", position(n).Column-1)
	for i := range missing {
		missing[i] = indent + missing[i]
	}
	e.changes = append(e.changes, change{line: lastLine(locator(list)), newLines: missing})
}

// set replaces the value of a pair, or adds one to a key without.
func (e *editor) set(p *ast.MappingValueNode, text string) {
	if null, ok := p.Value.(*ast.NullNode); ok && null.GetToken().Position.Line == p.Start.Position.Line && null.GetToken().Value != "null" && null.GetToken().Value != "~" {
		at := p.Start.Position // the colon
		e.changes = append(e.changes, change{line: at.Line, column: at.Column + 1, text: " " + text})
		return
	}
	at := p.Value.GetToken().Position
	e.changes = append(e.changes, change{line: at.Line, column: at.Column, length: scalarLength, text: text})
}

// scalarLength is the length of the digest or number, quoted or not, that rest begins with.
func scalarLength(rest string) int {
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		return strings.IndexByte(rest[1:], rest[0]) + 2
	}
	if end := strings.IndexAny(rest, " \t,}\r\n"); end >= 0 {
		return end
	}
	return len(rest)
}

// locator is the key after which digest and size are best read: the one that says which file is meant.
func locator(list []*ast.MappingValueNode) *ast.MappingValueNode {
	best := list[0]
	for _, p := range list {
		switch p.Key.GetToken().Value {
		case "path", "url", "member":
			best = p
		}
	}
	return best
}

// lastLine is the last line that the value of a pair takes.
func lastLine(p *ast.MappingValueNode) int {
	line := p.Key.GetToken().Position.Line
	ast.Walk(lineVisitor{&line}, p.Value)
	return line
}

type lineVisitor struct{ line *int }

func (v lineVisitor) Visit(n ast.Node) ast.Visitor {
	if t := n.GetToken(); t != nil {
		*v.line = max(*v.line, t.Position.Line)
	}
	if s, ok := n.(*ast.SequenceNode); ok && s.End != nil {
		*v.line = max(*v.line, s.End.Position.Line)
	}
	return v
}

// apply makes the changes, last one first so that the places of the others stay right.
func (e *editor) apply(data []byte) ([]byte, error) {
	lines := strings.SplitAfter(string(data), "\n")
	newline := "\n"
	if bytes.Contains(data, []byte("\r\n")) {
		newline = "\r\n"
	}
	slices.SortStableFunc(e.changes, func(a, b change) int {
		if a.line != b.line {
			return b.line - a.line
		}
		return b.column - a.column
	})
	for _, c := range e.changes {
		if c.line < 1 || c.line > len(lines) {
			return nil, fmt.Errorf("there is no line %d", c.line)
		}
		line := &lines[c.line-1]
		if len(c.newLines) > 0 {
			if !strings.HasSuffix(*line, "\n") { // the last line of a file without a final newline
				*line += newline
			}
			*line += strings.Join(c.newLines, newline) + newline
			continue
		}
		at := byteColumn(*line, c.column)
		before, after := (*line)[:at], (*line)[at:]
		if c.length != nil {
			after = after[min(c.length(after), len(after)):]
		}
		if c.flow {
			kept := strings.TrimRight(before, " ")
			separator := ", "
			if strings.HasSuffix(kept, ",") {
				separator = " "
			}
			c.text = separator + c.text + before[len(kept):]
			before = kept
		}
		*line = before + c.text + after
	}
	return []byte(strings.Join(lines, "")), nil
}

// byteColumn turns a column counted in characters from 1 into a byte index.
func byteColumn(line string, column int) int {
	n := 1
	for i := range line {
		if n == column {
			return i
		}
		n++
	}
	return len(line)
}

// equal compares two locks but for the lines their parts are on.
func (l *Lock) equal(other *Lock) bool {
	return reflect.DeepEqual(l.withoutLines(), other.withoutLines())
}

func (l *Lock) withoutLines() Lock {
	c := *l
	c.Components = slices.Clone(l.Components)
	for i := range c.Components {
		c.Components[i].line = 0
		c.Components[i].Sources = slices.Clone(c.Components[i].Sources)
		for j := range c.Components[i].Sources {
			c.Components[i].Sources[j].line = 0
		}
	}
	return c
}
