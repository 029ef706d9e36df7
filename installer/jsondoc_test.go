package main

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/golden"
	"fate-installer/installer/jsonshape"

	"github.com/spf13/cobra"
)

const jsonDocFile = "../release/docs/json.md"

// TestDocsOfJSON holds that release/docs/json.md describes what the commands print:
// go test ./installer -run TestDocsOfJSON -update writes it.
func TestDocsOfJSON(t *testing.T) {
	got := newJSONDoc(t).write()
	golden.Compare(t, jsonDocFile, got)
}

// TestEveryCommandSaysItsDocument holds that each command is in one of the two lists.
func TestEveryCommandSaysItsDocument(t *testing.T) {
	listed, tree := map[string]bool{}, commandTree()
	for _, d := range jsonDocuments {
		for _, c := range d.commands {
			command, flag, _ := strings.Cut(c, " --")
			listed[command] = true
			if cmd := tree[command]; cmd != nil && flag != "" && cmd.Flags().Lookup(flag) == nil {
				t.Errorf("%s: there is no --%s", command, flag)
			}
		}
	}
	for name, c := range tree {
		_, none := commandsWithoutJSON[name]
		if c.Hidden {
			continue
		}
		// Some with subcommands also do something by themselves.
		switch runs := !c.HasSubCommands() || name == "history" || name == "keys"; {
		case runs && listed[name] == none:
			t.Errorf("%s: add it either to jsonDocuments or to commandsWithoutJSON", name)
		case !runs && (listed[name] || none):
			t.Errorf("%s prints nothing by itself", name)
		}
		delete(listed, name)
	}
	delete(listed, everyCommand)
	for name := range listed {
		t.Errorf("there is no command %s", name)
	}
}

// commandTree is every command of ours by its name without the program's.
func commandTree() map[string]*cobra.Command {
	tree := map[string]*cobra.Command{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if name := strings.TrimPrefix(sub.CommandPath(), programName+" "); name != "help" && name != "completion" {
				tree[name] = sub
				walk(sub)
			}
		}
	}
	walk(newRootCommand(&globals{}))
	return tree
}

// jsonDoc writes the description of the documents from their types.
type jsonDoc struct {
	t       *testing.T
	sources map[string]*sourceTypes // by package path
	titles  map[string]reflect.Type // of the objects, which are described once
	objects []reflect.Type
	out     bytes.Buffer
}

func newJSONDoc(t *testing.T) *jsonDoc {
	return &jsonDoc{t: t, sources: map[string]*sourceTypes{}, titles: map[string]reflect.Type{}}
}

func (d *jsonDoc) write() []byte {
	d.out.WriteString(jsonDocHead)
	for _, doc := range jsonDocuments {
		d.document(doc)
	}
	d.out.WriteString("\n## Commands without a document\n\n")
	for _, name := range slices.Sorted(maps.Keys(commandsWithoutJSON)) {
		fmt.Fprintf(&d.out, "- `%s`: %s\n", name, commandsWithoutJSON[name])
	}
	d.out.WriteString("\n## Objects\n\nWhat several documents have in common, and what is in arrays.\n")
	for at := 0; at < len(d.objects); at++ { // describing one finds others
		d.object(d.objects[at])
	}
	return d.out.Bytes()
}

func (d *jsonDoc) document(doc jsonDocument) {
	fmt.Fprintf(&d.out, "\n## %s\n\n%s\n\n", strings.Join(doc.commands, ", "), doc.sentence)
	d.fields(reflect.TypeOf(doc.example))
	var example bytes.Buffer
	g := &globals{Stdout: &example}
	if err := g.printJSON(doc.example); err != nil {
		d.t.Fatal(err)
	}
	fmt.Fprintf(&d.out, "\n```json\n%s```\n", example.String())
}

func (d *jsonDoc) object(typ reflect.Type) {
	_, text := d.source(typ)
	fmt.Fprintf(&d.out, "\n### %s\n\n%s\n\n", titleOf(typ), objectText(typ.Name(), text))
	d.fields(typ)
}

func (d *jsonDoc) fields(typ reflect.Type) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	d.out.WriteString("| key | type | meaning |\n|---|---|---|\n")
	keys := jsonshape.Keys(typ)
	for _, k := range keys {
		text := d.comment(k, keys)
		if k.Optional {
			text += "; omitted when empty"
		}
		text = strings.ReplaceAll(text, "|", `\|`)
		fmt.Fprintf(&d.out, "| `%s` | %s | %s |\n", k.Name, d.typeText(k.Field.Type), text)
	}
}

// comment is what the source says of a field, with the names of keys in place of those of fields.
func (d *jsonDoc) comment(k jsonshape.Key, keys []jsonshape.Key) string {
	text := ""
	if s, _ := d.source(k.Owner); s != nil {
		text = s.fields[k.Owner.Name()][k.Field.Name]
	}
	if text == "" {
		d.t.Errorf("%s.%s has no comment, which %s needs", k.Owner, k.Field.Name, jsonDocFile)
	}
	for _, begin := range []string{" is ", " are ", " lists ", " names "} {
		if rest, ok := strings.CutPrefix(text, k.Field.Name+begin); ok {
			text = rest
		}
	}
	for _, other := range keys {
		switch {
		case humps.MatchString(other.Field.Name):
			text = regexp.MustCompile(`\b`+other.Field.Name+`\b`).ReplaceAllLiteralString(text, "`"+other.Name+"`")
		case other.Field.Name == k.Field.Name && strings.HasPrefix(text, k.Field.Name+" "):
			text = "`" + k.Name + "`" + strings.TrimPrefix(text, k.Field.Name)
		}
	}
	if strings.HasSuffix(text, "...") {
		return text
	}
	return strings.TrimSuffix(text, ".")
}

// source is the package of a type, and what the type's comment says.
func (d *jsonDoc) source(typ reflect.Type) (*sourceTypes, string) {
	dir, ok := strings.CutPrefix(typ.PkgPath(), "fate-installer/")
	switch {
	case typ.PkgPath() == "main":
		dir = "installer"
	case !ok:
		d.t.Errorf("%s is no type of this program", typ)
		return nil, ""
	}
	s := d.sources[dir]
	if s == nil {
		s = readTypes(d.t, filepath.Join("..", dir))
		d.sources[dir] = s
	}
	text, ok := s.types[typ.Name()]
	if !ok || text == "" {
		d.t.Errorf("%s has no comment", typ)
	}
	return s, text
}

var (
	timeType = reflect.TypeFor[time.Time]()
	textType = reflect.TypeFor[encoding.TextMarshaler]()
	rawType  = reflect.TypeFor[json.RawMessage]()
)

func (d *jsonDoc) typeText(typ reflect.Type) string {
	switch {
	case typ.Kind() == reflect.Pointer:
		return d.typeText(typ.Elem())
	case typ == timeType:
		return "time"
	case typ == rawType:
		return "any"
	case typ.Implements(textType):
		return "string"
	}
	switch typ.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice, reflect.Array:
		return "array of " + plural(d.typeText(typ.Elem()))
	case reflect.Map:
		return "object, string to " + d.typeText(typ.Elem())
	case reflect.Struct:
		return d.link(typ)
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16:
		return "integer"
	}
	d.t.Errorf("a document has a %s", typ)
	return ""
}

func plural(text string) string {
	switch rest, ok := strings.CutPrefix(text, "array "); {
	case ok:
		return "arrays " + rest
	case strings.HasPrefix(text, "["):
		return text
	}
	return text + "s"
}

// link names an object and takes note that it has to be described.
func (d *jsonDoc) link(typ reflect.Type) string {
	title := titleOf(typ)
	if have, ok := d.titles[title]; !ok {
		d.titles[title] = typ
		d.objects = append(d.objects, typ)
	} else if have != typ {
		d.t.Errorf("two objects are called %q: %s and %s; name one of them in objectTitles", title, have, typ)
	}
	return fmt.Sprintf("[%s](#%s)", title, strings.ReplaceAll(title, " ", "-"))
}

var humps = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// titleOf is the name of an object: the words of the type's name.
func titleOf(typ reflect.Type) string {
	return cmp.Or(objectTitles[typ], strings.ToLower(humps.ReplaceAllString(typ.Name(), "$1 $2")))
}

// objectText makes a sentence about an object of the comment of its type.
func objectText(name, text string) string {
	rest, ok := strings.CutPrefix(text, name+" ")
	if !ok {
		return text
	}
	for _, begin := range []string{"is ", "are "} {
		rest = strings.TrimPrefix(rest, begin)
	}
	return strings.ToUpper(rest[:1]) + rest[1:]
}

// sourceTypes are the comments of a package's types and of their fields.
type sourceTypes struct {
	types  map[string]string
	fields map[string]map[string]string
}

func readTypes(t *testing.T, dir string) *sourceTypes {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var p doc.Package // its methods know how to shorten a comment
	s := &sourceTypes{map[string]string{}, map[string]map[string]string{}}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok {
				return true
			}
			for _, spec := range decl.Specs {
				if typ, ok := spec.(*ast.TypeSpec); ok {
					s.types[typ.Name.Name] = p.Synopsis(cmp.Or(typ.Doc.Text(), decl.Doc.Text()))
					if fields, ok := typ.Type.(*ast.StructType); ok {
						s.fields[typ.Name.Name] = fieldComments(fields)
					}
				}
			}
			return true
		})
	}
	return s
}

func fieldComments(fields *ast.StructType) map[string]string {
	out := map[string]string{}
	for _, f := range fields.Fields.List {
		text := strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
		for _, name := range f.Names {
			out[name.Name] = text
		}
	}
	return out
}
