package bundle

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml/ast"
)

// Problem is one mistake in a lock file and where it is.
type Problem struct {
	File         string
	Line, Column int // 1-based; 0 when the file as a whole is meant
	Message      string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems is every mistake found in a lock file; it is the error of [ParseLock].
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// decoder reads a YAML tree into the lock's types. It works on the syntax tree instead of a decoding library's
// reflection for three reasons: scalars keep their spelling (version 1.10 is not the number 1.1), every mistake is
// reported with its place and not just the first, and Fill learns where to write.
type decoder struct {
	file     string
	problems Problems
}

// reader consumes the value of one key.
type reader func(n ast.Node)

func (d *decoder) problemf(n ast.Node, format string, args ...any) {
	p := Problem{File: d.file, Message: fmt.Sprintf(format, args...)}
	if n != nil && n.GetToken() != nil {
		pos := position(n)
		p.Line, p.Column = pos.Line, pos.Column
	}
	d.problems = append(d.problems, p)
}

// pairs lists the key-value pairs of a mapping; the parser has a node of its own for a mapping of one pair.
func pairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// mapping gives each key of n to its reader. what names the mapping in messages.
func (d *decoder) mapping(n ast.Node, what string, readers map[string]reader) {
	values, ok := pairs(n)
	if !ok {
		d.problemf(n, "%s must be a mapping of keys to values, not %s", what, kindOf(n))
		return
	}
	for _, pair := range values {
		key := pair.Key.GetToken().Value
		read, known := readers[key]
		if !known {
			d.problemf(pair.Key, "unknown key %q in %s%s", key, what, nearest(key, readers))
			continue
		}
		if _, null := pair.Value.(*ast.NullNode); null {
			continue // "key:" with nothing after it is a key not set
		}
		read(pair.Value)
	}
}

// nearest suggests the known key that was probably meant, or lists them all.
func nearest(key string, readers map[string]reader) string {
	best, distance := "", 1+len(key)/2
	names := make([]string, 0, len(readers))
	for name := range readers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if n := levenshtein.ComputeDistance(key, name); n < distance {
			best, distance = name, n
		}
	}
	if best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return " (known: " + strings.Join(names, ", ") + ")"
}

// sequence gives each item of n to read.
func (d *decoder) sequence(n ast.Node, what string, read reader) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.problemf(n, "%s must be a list, not %s", what, kindOf(n))
		return
	}
	for _, item := range list.Values {
		read(item)
	}
}

// scalar returns the text of a scalar as it is written, without its quotes.
func (d *decoder) scalar(n ast.Node, what string) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	d.problemf(n, "%s must be a single value, not %s", what, kindOf(n))
	return "", false
}

// text reads a scalar into dst and checks it; valid returns what is wrong, or "".
func (d *decoder) text(dst *string, what string, valid func(string) string) reader {
	return func(n ast.Node) {
		s, ok := d.scalar(n, what)
		if !ok {
			return
		}
		if wrong := valid(s); wrong != "" {
			d.problemf(n, "%s %q %s", what, redacted(s), wrong)
			return
		}
		*dst = s
	}
}

// redacted hides the password of a URL, which must not get into a log even though it is a mistake in the lock.
func redacted(s string) string {
	if u, err := url.Parse(s); err == nil && u.User != nil {
		return u.Redacted()
	}
	return s
}

// texts reads a list of scalars, or one scalar as a list of one.
func (d *decoder) texts(dst *[]string, what string, valid func(string) string) reader {
	return func(n ast.Node) {
		add := func(item ast.Node) {
			var s string
			before := len(d.problems)
			d.text(&s, what, valid)(item)
			if len(d.problems) == before {
				*dst = append(*dst, s)
			}
		}
		if list, ok := n.(*ast.SequenceNode); ok {
			for _, item := range list.Values {
				add(item)
			}
			return
		}
		add(n)
	}
}

// number reads a decimal integer that is not negative.
func (d *decoder) number(dst *int64, what string) reader {
	return func(n ast.Node) {
		s, ok := d.scalar(n, what)
		if !ok {
			return
		}
		value, err := strconv.ParseInt(s, 10, 64)
		if err != nil || value < 0 {
			d.problemf(n, "%s %q is not a whole number of 0 or more", what, s)
			return
		}
		*dst = value
	}
}

// boolean reads true or false.
func (d *decoder) boolean(dst *bool, what string) reader {
	return func(n ast.Node) {
		value, ok := n.(*ast.BoolNode)
		if !ok {
			d.problemf(n, "%s must be true or false", what)
			return
		}
		*dst = value.Value
	}
}

// kindOf names a node's kind for a message.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "an anchor or alias, which a lock must not use"
	case *ast.TagNode:
		return "a tag, which a lock must not use"
	}
	return "a single value"
}
