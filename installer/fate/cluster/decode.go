package cluster

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fate-installer/installer/problem"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills structs from YAML nodes by their yaml tags. It differs from a library's decoder in what an operator
// needs: it goes on after a mistake, names the nearest known key, and remembers where every value was written.
//
// Scalars are read from their text, not from YAML's idea of their type, because AnsibleFATE's files write passwords
// such as 123456 and booleans such as True without quotes.
type decoder struct {
	file     string
	origins  map[string]problem.Pos
	problems *problem.Problems
	anchors  map[string][]*ast.AnchorNode // in the order of the text
	aliases  []string                     // being followed, to stop at a cycle
	fields   map[reflect.Type]map[string][]int
	failed   map[string]bool   // paths whose value could not be read
	listed   map[string]string // the file that each list is from
	values   int               // read so far, each alias counted with what it refers to
}

// maxValues bounds what aliases and merged mappings make of a small file.
const maxValues = 200_000

// exhausted counts n more values. At the bound it reports that once.
func (d *decoder) exhausted(at ast.Node, n int) bool {
	before := d.values
	d.values += n
	if before <= maxValues && d.values > maxValues {
		d.problem(at, "write the values out where they are needed",
			"the file has more than %d values once its aliases are followed", maxValues)
	}
	return d.values > maxValues
}

// defaulter is a struct that is not all zeros before the file is read.
type defaulter interface{ setDefaults() }

func (d *decoder) pos(n ast.Node) problem.Pos {
	if entries, ok := mapping(n); ok && len(entries) > 0 {
		n = entries[0].Key // the node of a mapping is at its first colon
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return problem.Pos{File: d.file}
	}
	return problem.Pos{File: d.file, Line: t.Position.Line, Col: t.Position.Column}
}

func (d *decoder) problem(n ast.Node, fix, format string, args ...any) {
	d.problems.Add(d.pos(n), fix, format, args...)
}

// fail is a problem that leaves the value of a path unread.
func (d *decoder) fail(n ast.Node, path, fix, format string, args ...any) {
	d.failed[path] = true
	d.problem(n, fix, format, args...)
}

// value decodes n into v. path is the dotted path of v.
func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	at := n
	n = d.resolve(n)
	if n == nil {
		d.failed[path] = true
		return
	}
	if d.exhausted(at, 1) {
		return
	}
	if _, null := n.(*ast.NullNode); null {
		return // upstream's files leave optional values blank
	}
	switch v.Kind() {
	case reflect.Pointer:
		d.pointer(at, n, v, path)
		return
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[Secret]() {
			d.structure(n, v, path)
			return
		}
	case reflect.Slice:
		d.list(n, v, path)
		return
	case reflect.Map:
		d.dictionary(n, v, path)
		return
	}
	d.scalar(at, n, v, path)
}

func (d *decoder) pointer(at, n ast.Node, v reflect.Value, path string) {
	if !v.IsNil() {
		if d.origins[path].File == d.file {
			d.problem(at, "keep one of the two", "%s is described a second time; the first is at %s",
				path, d.origins[path])
			return
		}
		d.value(n, v.Elem(), path) // several files may add up to a side, as its own and the public one do
		return
	}
	d.origins[path] = d.pos(at)
	v.Set(reflect.New(v.Type().Elem()))
	if s, ok := v.Interface().(defaulter); ok {
		s.setDefaults()
	}
	d.value(n, v.Elem(), path)
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	entries, ok := mapping(n)
	if !ok {
		d.fail(n, path, "write its keys indented below it", "%s must be a mapping, not %s", path, kindOf(n))
		return
	}
	if f := v.FieldByName("At"); f.IsValid() {
		f.SetString(path)
		d.origins[path] = d.pos(n)
		if len(entries) > 0 {
			d.origins[path] = d.pos(entries[0].Key)
		}
	}
	fields := d.fieldsOf(v.Type())
	seen := make(map[string]problem.Pos, len(entries))
	for _, e := range d.withMerged(entries) {
		key := e.Key.GetToken().Value
		if first, dup := seen[key]; dup {
			d.problem(e.Key, "remove one of the two", "the key %q is already at line %d", key, first.Line)
			continue
		}
		seen[key] = d.pos(e.Key)
		index, known := fields[key]
		if !known {
			d.unknown(e.Key, key, path, fields)
			continue
		}
		child := join(path, key)
		if _, has := d.origins[child]; !has && v.FieldByIndex(index).Kind() != reflect.Pointer {
			d.origins[child] = d.pos(e.Key)
			if _, null := e.Value.(*ast.NullNode); null {
				delete(d.origins, child) // a blank value is as if the key were not there
			}
		}
		d.value(e.Value, v.FieldByIndex(index), child)
	}
}

// withMerged appends the entries of <<: *anchor whose keys are not in entries themselves.
func (d *decoder) withMerged(entries []*ast.MappingValueNode) []*ast.MappingValueNode {
	if !slices.ContainsFunc(entries, func(e *ast.MappingValueNode) bool { return isMerge(e) }) {
		return entries
	}
	var out, merged []*ast.MappingValueNode
	own := make(map[string]bool)
	for _, e := range entries {
		if !isMerge(e) {
			out = append(out, e)
			own[e.Key.GetToken().Value] = true
			continue
		}
		n := d.resolve(e.Value)
		if n == nil {
			continue
		}
		more, ok := mapping(n)
		if !ok {
			d.problem(e.Value, "name the anchor of a mapping", "<< can only merge a mapping")
			continue
		}
		if d.exhausted(e.Value, len(more)) {
			break
		}
		merged = append(merged, more...)
	}
	for _, e := range merged {
		if k := e.Key.GetToken().Value; !own[k] && !isMerge(e) {
			own[k] = true
			out = append(out, e)
		}
	}
	return out
}

func isMerge(e *ast.MappingValueNode) bool {
	_, ok := e.Key.(*ast.MergeKeyNode)
	return ok
}

func (d *decoder) unknown(n ast.Node, key, path string, fields map[string][]int) {
	where := "at the top of the file"
	if path != "" && path != "setup" {
		where = "in " + path
	}
	fix := "the keys there are " + strings.Join(sortedKeys(fields), ", ")
	if near := nearest(key, sortedKeys(fields)); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
		d.failed[join(path, near)] = true // it may be written there
	}
	d.problem(n, fix, "unknown key %q %s", key, where)
}

func (d *decoder) list(n ast.Node, v reflect.Value, path string) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(n, path, "write one item per line, each after a dash", "%s must be a list, not %s", path, kindOf(n))
		return
	}
	first, before := d.origins[path], v.Interface()
	again := v.Len() > 0 && d.listed[path] != "" && d.listed[path] != d.file
	out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		child := path + "[" + strconv.Itoa(i) + "]"
		d.origins[child] = d.pos(item)
		d.value(item, out.Index(i), child)
	}
	if again && !reflect.DeepEqual(before, out.Interface()) {
		d.fail(n, path, "make them equal, or keep one", "%s contradicts %s", path, first)
		return
	}
	d.listed[path] = d.file
	v.Set(out)
}

// dictionary reads a mapping whose keys the schema does not fix. What several sources say about it adds up.
func (d *decoder) dictionary(n ast.Node, v reflect.Value, path string) {
	entries, ok := mapping(n)
	if !ok {
		d.fail(n, path, "write its keys indented below it", "%s must be a mapping, not %s", path, kindOf(n))
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	seen := make(map[string]bool, len(entries))
	for _, e := range d.withMerged(entries) {
		key := e.Key.GetToken().Value
		if seen[key] {
			d.problem(e.Key, "remove one of the two", "the key %q is there twice", key)
			continue
		}
		seen[key] = true
		if _, null := e.Value.(*ast.NullNode); null {
			continue
		}
		value := reflect.New(v.Type().Elem()).Elem()
		if old := v.MapIndex(reflect.ValueOf(key)); old.IsValid() {
			value.Set(old)
		}
		d.value(e.Value, value, join(path, key))
		v.SetMapIndex(reflect.ValueOf(key), value)
	}
}

var integer = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(0|[1-9][0-9]{0,17})$`)
})

func (d *decoder) scalar(at, n ast.Node, v reflect.Value, path string) {
	text, ok := scalarText(n)
	if !ok {
		d.fail(at, path, "write a single value", "%s must be a single value, not %s", path, kindOf(n))
		return
	}
	before := v.Interface()
	pos := d.pos(at)
	if reason, fix := ansibleOnly(at, text, v.Kind() == reflect.Struct); reason != "" {
		d.fail(at, path, fix, "%s %s", path, reason)
		switch v.Kind() { // so that it does not count as missing
		case reflect.String:
			v.SetString(text)
		case reflect.Struct:
			v.Set(reflect.ValueOf(NewSecret(text)))
		}
		d.origins[path] = pos
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		b, ok := parseBool(text)
		if !ok {
			d.fail(at, path, "write true or false", "%s must be true or false, not %q", path, text)
			return
		}
		v.SetBool(b)
	case reflect.Int:
		if !integer().MatchString(text) {
			d.fail(at, path, "write digits only, without a leading zero", "%s must be a whole number, not %q", path,
				text)
			return
		}
		i, _ := strconv.ParseInt(text, 10, 64) // 18 digits fit
		v.SetInt(i)
	case reflect.String:
		v.SetString(text)
	case reflect.Struct:
		v.Set(reflect.ValueOf(NewSecret(text)))
	default:
		panic("no decoder for " + v.Type().String()) // a mistake in our own schema
	}
	if old, had := d.origins[path]; had && old.File != d.file && !sameValue(before, v.Interface()) {
		d.fail(at, path, "make them equal, or keep one", "%s contradicts %s", path, old)
		return
	}
	d.origins[path] = pos
}

func sameValue(a, b any) bool {
	if s, ok := a.(Secret); ok {
		return s.Equal(b.(Secret))
	}
	return a == b
}

// parseBool knows the spellings of YAML 1.1, as ansible does.
func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}

// scalarText is the text of a scalar as written, without quotes.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func kindOf(n ast.Node) string {
	if _, ok := mapping(n); ok {
		return "a mapping"
	}
	switch n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	}
	return "a single value"
}

// fieldsOf maps the keys of a struct to its fields. Anonymous structs lend it their keys, and a struct with a
// yamlprefix tag lends them with the prefix.
func (d *decoder) fieldsOf(t reflect.Type) map[string][]int {
	if fields, ok := d.fields[t]; ok {
		return fields
	}
	fields := make(map[string][]int)
	for _, f := range reflect.VisibleFields(t) {
		if tag := f.Tag.Get("yaml"); tag != "" && tag != "-" {
			fields[tag] = f.Index
		}
		if prefix := f.Tag.Get("yamlprefix"); prefix != "" {
			for key, index := range d.fieldsOf(f.Type) {
				fields[prefix+key] = append(slices.Clone(f.Index), index...)
			}
		}
	}
	d.fields[t] = fields
	return fields
}
