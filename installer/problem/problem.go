package problem

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a source. The zero value means that nothing was written: a default or a flag.
type Pos struct {
	File string `json:"file,omitempty"`   // name of the source as the operator gave it
	Line int    `json:"line,omitempty"`   // from 1
	Col  int    `json:"column,omitempty"` // from 1, in characters
}

// String is file:line:column, the form editors jump to.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// IsZero reports that the value was not written anywhere.
func (p Pos) IsZero() bool { return p == Pos{} }

// Problem is one mistake in the configuration: where it is, what is wrong, and how to put it right.
type Problem struct {
	Pos
	Message string `json:"message"`       // what is wrong
	Fix     string `json:"fix,omitempty"` // what to do
}

// String is one line: position, message and, after a semicolon, the fix.
func (p Problem) String() string {
	var b strings.Builder
	if pos := p.Pos.String(); pos != "" {
		b.WriteString(pos + ": ")
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// Problems are all mistakes of a configuration at once, in the order of the text.
type Problems []Problem

// Error lists every problem on a line of its own.
func (ps Problems) Error() string {
	return strings.Join(ps.Texts(), "\n")
}

// Texts lists the problems as texts; never nil.
func (ps Problems) Texts() []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.String()
	}
	return out
}

// Add appends a problem; format and args are its message.
func (ps *Problems) Add(at Pos, fix, format string, args ...any) {
	*ps = append(*ps, Problem{at, fmt.Sprintf(format, args...), fix})
}

// Err is nil for no problems, and otherwise the sorted problems without repetitions.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps.Sorted()
}

// Sorted returns the problems in the order of the text, without repetitions.
func (ps Problems) Sorted() Problems {
	out := slices.Clone(ps)
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return slices.Compact(out)
}
