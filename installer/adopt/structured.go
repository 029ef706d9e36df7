package adopt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"fate-installer/installer/problem"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yamlLimits bound a configuration file of FATE-Flow, which has 100 lines.
var yamlLimits = problem.Limits{Bytes: readLimit, Tokens: 200_000, Keys: 5_000, Depth: 32, Aliases: 100}

// blank is the value of what is null, or an empty text: FATE takes both for nothing given.
const blank = ""

// readYAML reads a document as entries: the keys on the way to a value are joined by dots, and elements of lists have
// their index in brackets. Booleans and nulls are those of YAML 1.1, which FATE's python reads.
func readYAML(data []byte) ([]entry, error) {
	file, err := problem.ParseYAML(data, yamlLimits, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, err
	}
	w := &yamlWalker{}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			w.walk(doc.Body, "")
		}
	}
	if len(w.out) > maxEntries {
		return nil, notAt(0, "it has more than %d values", maxEntries)
	}
	return w.out, nil
}

type yamlWalker struct{ out []entry }

func (w *yamlWalker) add(path, value string, t *token.Token) {
	line := 0
	if t != nil && t.Position != nil {
		line = t.Position.Line
	}
	w.out = append(w.out, entry{path, value, line})
}

func (w *yamlWalker) walk(n ast.Node, path string) {
	switch n := n.(type) {
	case *ast.MappingNode:
		if len(n.Values) == 0 {
			w.add(path, "{}", n.GetToken())
		}
		for _, v := range n.Values {
			w.walk(v, path)
		}
	case *ast.MappingValueNode:
		key := n.Key.GetToken().Value
		before := len(w.out)
		w.walk(n.Value, joinKey(path, key))
		if len(w.out) > before && n.Key.GetToken().Position != nil && isScalar(n.Value) {
			w.out[before].line = n.Key.GetToken().Position.Line
		}
	case *ast.SequenceNode:
		if len(n.Values) == 0 {
			w.add(path, "[]", n.GetToken())
		}
		for i, v := range n.Values {
			w.walk(v, path+"["+strconv.Itoa(i)+"]")
		}
	case *ast.TagNode:
		w.walk(n.Value, path)
	case *ast.AnchorNode:
		w.walk(n.Value, path)
	case *ast.AliasNode:
		w.add(path, "*"+n.Value.String(), n.GetToken())
	case *ast.LiteralNode:
		w.add(path, n.Value.Value, n.GetToken())
	case *ast.NullNode, nil:
		var t *token.Token
		if n != nil {
			t = n.GetToken()
		}
		w.add(path, blank, t)
	default:
		w.add(path, yamlScalar(n), n.GetToken())
	}
}

func isScalar(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		return false
	}
	return true
}

func joinKey(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// yamlScalar gives one text to every way of writing a value, and another one to a text that looks like a value of
// another kind: "false" in quotes is true to python.
func yamlScalar(n ast.Node) string {
	t := n.GetToken()
	text := t.Value
	quoted := t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType
	switch plain := plainScalar(text); {
	case quoted && text != "" && (plain != text || isNumber(text) || text == "true" || text == "false"):
		return strconv.Quote(text)
	case quoted:
		return text
	default:
		return plain
	}
}

func plainScalar(text string) string {
	switch strings.ToLower(text) {
	case "true", "yes", "on":
		return "true"
	case "false", "no", "off":
		return "false"
	case "null", "~", "":
		return blank
	}
	return text
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// readJSON reads a document as readYAML does. A key that an object has twice is two entries, the second with #2.
func readJSON(data []byte) ([]entry, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	r := &jsonReader{data: data, d: json.NewDecoder(bytes.NewReader(data))}
	r.d.UseNumber()
	if err := r.value("", 0); err != nil {
		return nil, r.failed(err)
	}
	if _, err := r.d.Token(); err != io.EOF {
		return nil, r.failed(fmt.Errorf("there is text after the document"))
	}
	return r.out, nil
}

type jsonReader struct {
	data []byte
	d    *json.Decoder
	out  []entry
	at   int64 // offset up to which line counts
	line int
}

// jsonDepth is how many collections may be inside one another; a route table has five.
const jsonDepth = 64

func (r *jsonReader) lineNow() int {
	now := r.d.InputOffset()
	r.line += bytes.Count(r.data[r.at:now], []byte{'\n'})
	r.at = now
	return r.line + 1
}

func (r *jsonReader) failed(err error) error { return notAt(r.lineNow(), "%v", err) }

func (r *jsonReader) value(path string, depth int) error {
	if depth > jsonDepth {
		return fmt.Errorf("it has more than %d levels", jsonDepth)
	}
	if len(r.out) > maxEntries {
		return fmt.Errorf("it has more than %d values", maxEntries)
	}
	t, err := r.d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return r.object(path, depth)
		}
		return r.array(path, depth)
	case nil:
		r.out = append(r.out, entry{path, blank, r.lineNow()})
	case string:
		text := t
		if isNumber(text) || text == "true" || text == "false" {
			text = strconv.Quote(text)
		}
		r.out = append(r.out, entry{path, text, r.lineNow()})
	default:
		r.out = append(r.out, entry{path, fmt.Sprint(t), r.lineNow()})
	}
	return nil
}

func (r *jsonReader) object(path string, depth int) error {
	seen := map[string]int{}
	line := r.lineNow()
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return fmt.Errorf("a key is no text")
		}
		seen[key]++
		if n := seen[key]; n > 1 {
			key += "#" + strconv.Itoa(n)
		}
		if err := r.value(joinKey(path, key), depth+1); err != nil {
			return err
		}
	}
	if len(seen) == 0 {
		r.out = append(r.out, entry{path, "{}", line})
	}
	_, err := r.d.Token()
	return err
}

func (r *jsonReader) array(path string, depth int) error {
	line := r.lineNow()
	n := 0
	for ; r.d.More(); n++ {
		if err := r.value(path+"["+strconv.Itoa(n)+"]", depth+1); err != nil {
			return err
		}
	}
	if n == 0 {
		r.out = append(r.out, entry{path, "[]", line})
	}
	_, err := r.d.Token()
	return err
}
