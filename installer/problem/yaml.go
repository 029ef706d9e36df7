package problem

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits bound a YAML text before a tree is built from it.
type Limits struct {
	Bytes   int // length of the text
	Tokens  int // keys, values and indicators
	Keys    int // keys of one mapping: the parser's time grows with their square
	Depth   int // collections inside one another
	Aliases int // references of the form *name
}

// ClusterLimits are those of a cluster file. AnsibleFATE's var files of one role have 6 kB, 600 tokens and a depth of
// 6; an exchange of 10,000 parties has 1.4 MB and 310,000 tokens.
var ClusterLimits = Limits{Bytes: 8 << 20, Tokens: 1_000_000, Keys: 2_000, Depth: 32, Aliases: 10_000}

// SyntaxError is a text that is not YAML, or YAML of a shape that is refused.
type SyntaxError struct {
	Line, Col int // from 1; 0 when the place is not known
	Message   string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Col, e.Message)
}

// ParseYAML parses all documents of data. Every error is a *SyntaxError; a panic of the parser becomes one too.
func ParseYAML(data []byte, limits Limits, options ...parser.Option) (file *ast.File, err error) {
	if len(data) > limits.Bytes {
		return nil, &SyntaxError{Message: fmt.Sprintf("the text has %d bytes; at most %d are read",
			len(data), limits.Bytes)}
	}
	data, err = Text(data)
	if err != nil {
		return nil, &SyntaxError{Message: err.Error()}
	}
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, &SyntaxError{Message: fmt.Sprintf("the text cannot be parsed: %v", r)}
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if err := limits.check(tokens); err != nil {
		return nil, err
	}
	file, err = parser.Parse(tokens, 0, options...)
	if err != nil {
		return nil, syntaxError(err)
	}
	return file, nil
}

func syntaxError(err error) *SyntaxError {
	out := &SyntaxError{Message: err.Error()}
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		out.Message = syntax.GetMessage()
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			out.Line, out.Col = t.Position.Line, t.Position.Column
		}
	}
	return out
}

// check counts what the parser would recurse into or expand.
func (l Limits) check(tokens token.Tokens) error {
	if len(tokens) > l.Tokens {
		return at(tokens[l.Tokens], "the text has more than %d keys and values", l.Tokens)
	}
	var open nesting
	aliases := 0
	for i, t := range tokens {
		switch t.Type {
		case token.AliasType:
			if aliases++; aliases > l.Aliases {
				return at(t, "the text has more than %d aliases", l.Aliases)
			}
		case token.DocumentHeaderType:
			open = nesting{}
		case token.SequenceStartType, token.MappingStartType:
			open.flow = append(open.flow, 0)
		case token.SequenceEndType, token.MappingEndType:
			open.flow = open.flow[:max(0, len(open.flow)-1)]
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			open.entry(t.Position)
		case token.MappingValueType:
			if i > 0 && open.key(tokens[i-1].Position) > l.Keys {
				return at(t, "a mapping has more than %d keys", l.Keys)
			}
		}
		if open.depth() > l.Depth {
			return at(t, "more than %d collections are inside one another", l.Depth)
		}
	}
	return nil
}

// nesting is the stack of the collections that are open at a token: block collections, known by the columns in which
// their entries start, and in the innermost of them flow collections, known by their brackets.
type nesting struct {
	block []blockCollection
	flow  []int // keys so far
	line  int   // of the last entry
}

type blockCollection struct{ column, keys int }

func (n *nesting) depth() int { return len(n.block) + len(n.flow) }

// entry closes the block collections that a new line ends, and opens one for an entry further to the right.
func (n *nesting) entry(p *token.Position) {
	if p.Line != n.line {
		for len(n.block) > 0 && n.block[len(n.block)-1].column > p.Column {
			n.block = n.block[:len(n.block)-1]
		}
	}
	if len(n.block) == 0 || n.block[len(n.block)-1].column < p.Column {
		n.block = append(n.block, blockCollection{column: p.Column})
	}
	n.line = p.Line
}

// key counts a key of the innermost collection, and returns how many it has.
func (n *nesting) key(p *token.Position) int {
	if len(n.flow) > 0 {
		last := &n.flow[len(n.flow)-1]
		*last++
		return *last
	}
	n.entry(p)
	last := &n.block[len(n.block)-1]
	last.keys++
	return last.keys
}

func at(t *token.Token, format string, args ...any) *SyntaxError {
	return &SyntaxError{Line: t.Position.Line, Col: t.Position.Column, Message: fmt.Sprintf(format, args...)}
}
