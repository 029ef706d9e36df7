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

// change is one edit of a line. line and column count from 1, the column in characters.
type change struct {
	line, column int
	kind         changeKind
	text         string
	newLines     []string
}

type changeKind uint8

const (
	addLines  changeKind = iota // newLines after the line
	addPair                     // text as a last pair before the closing brace at the place
	setScalar                   // text as the value after the colon at the place
)

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
		e.changes = append(e.changes, change{line: end.Line, column: end.Column, kind: addPair,
			text: strings.Join(missing, ", ")})
		return
	}
	indent := strings.Repeat(" ", position(n).Column-1)
	for i := range missing {
		missing[i] = indent + missing[i]
	}
	e.changes = append(e.changes, change{line: lastLine(locator(list)), newLines: missing})
}

// set replaces the value of a pair, or adds one to a key without. It looks at the text after the colon, as the parser's
// tokens for a value that is not there have no place in it.
func (e *editor) set(p *ast.MappingValueNode, text string) {
	at := p.Start.Position // the colon
	e.changes = append(e.changes, change{line: at.Line, column: at.Column, kind: setScalar, text: text})
}

// withScalar returns the rest of a line from a colon on with another value after it.
func withScalar(rest, text string) string {
	value := strings.TrimLeft(rest[1:], " ")
	if value == "" || strings.ContainsRune("#,}\r\n", rune(value[0])) {
		return ": " + text + rest[1:]
	}
	return ": " + text + value[scalarLength(value):]
}

// scalarLength is the length of the digest or number, quoted or not, that rest begins with.
func scalarLength(rest string) int {
	if rest[0] == '"' || rest[0] == '\'' {
		return strings.IndexByte(rest[1:], rest[0]) + 2
	}
	if end := strings.IndexAny(rest, " \t,}\r\n"); end >= 0 {
		return end
	}
	return len(rest)
}

// withPair returns a line with another pair before the brace that after begins with.
func withPair(before, after, text string) string {
	kept := strings.TrimRight(before, " ")
	separator := ", "
	switch {
	// the brace is alone on its line, so the comma belongs to the one before, where it may be followed by a comment
	case kept == "":
		return before + "  , " + text + " " + after
	case strings.HasSuffix(kept, ","):
		separator = " "
	}
	return kept + separator + text + before[len(kept):] + after
}

// locator is the key after which digest and size are best read: the one that says which file is meant, with what says
// how to read it. It is where Encode writes them, too.
func locator(list []*ast.MappingValueNode) *ast.MappingValueNode {
	best := 0
	for i, p := range list {
		switch p.Key.GetToken().Value {
		case "path", "url", "member":
			best = i
		case "format", "python":
			if i == best+1 {
				best = i
			}
		}
	}
	return list[best]
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

// apply makes the changes, last one first so that the places of the others stay right. Lines end as they did.
func (e *editor) apply(data []byte) ([]byte, error) {
	text := string(unixLines(data))
	dos := strings.Count(text, "\n") == bytes.Count(data, []byte("\r\n"))
	lines := strings.SplitAfter(text, "\n")
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
		at := byteColumn(*line, c.column)
		switch before, after := (*line)[:at], (*line)[at:]; c.kind {
		case addLines:
			if !strings.HasSuffix(*line, "\n") { // the last line of a file without a final newline
				*line += "\n"
			}
			*line += strings.Join(c.newLines, "\n") + "\n"
		case addPair:
			if !strings.HasPrefix(after, "}") {
				return nil, fmt.Errorf("line %d has no brace where one should be", c.line)
			}
			*line = withPair(before, after, c.text)
		case setScalar:
			if !strings.HasPrefix(after, ":") {
				return nil, fmt.Errorf("line %d has no colon where one should be", c.line)
			}
			*line = before + withScalar(after, c.text)
		}
	}
	text = strings.Join(lines, "")
	if dos {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return []byte(text), nil
}

// unixLines ends lines in a line feed alone. The YAML parser would count each of the pair as a line.
func unixLines(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) }

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
