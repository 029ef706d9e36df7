// Package messages finds the texts of this program in its source, and keeps the catalogues of package language in step
// with them. It is for developers and tests.
package messages

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fate-installer/installer/language"
)

// module is the path of this module.
const module = "fate-installer"

// trees have the packages whose texts people see.
var trees = []string{"bundle", "installer", "payload", "supervisor"}

// unseen are packages without texts for people: they are for tests, or for developers.
var unseen = regexp.MustCompile(`test$|/golden$|/jsonshape$|^installer/language`)

// Key is a text of the source: a format, or a paragraph. Context is [language.Label] for the name of a column or of a
// status.
type Key struct{ Context, English string }

// Find returns the texts of each package below root, which is the directory of this module, by the name of its
// catalogue. A text that several packages have is in the first of them.
//
// The types of other modules are not read: that would take a minute. So only constants of this module are folded.
func Find(root string) (map[string][]Key, error) {
	l := &loader{root: root, files: token.NewFileSet(), packages: map[string]*types.Package{},
		found: map[string]*collector{}}
	var dirs []string
	for _, tree := range trees {
		err := filepath.WalkDir(filepath.Join(root, tree), func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				if d.Name() == "testdata" {
					return fs.SkipDir
				}
				dirs = append(dirs, name)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("cannot list the packages: %w", err)
		}
	}
	slices.Sort(dirs)
	seen, out := map[Key]bool{}, map[string][]Key{}
	for _, dir := range dirs {
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			return nil, err
		}
		if rel = filepath.ToSlash(rel); unseen.MatchString(rel) {
			continue
		}
		if _, err := l.Import(path.Join(module, rel)); err != nil {
			return nil, err
		}
		c := l.found[rel]
		if c == nil {
			continue
		}
		for _, key := range c.sorted() {
			if !seen[key] {
				seen[key] = true
				name := strings.ReplaceAll(rel, "/", "-") + ".po"
				out[name] = append(out[name], key)
			}
		}
	}
	return out, nil
}

// loader reads and checks packages, each once.
type loader struct {
	root     string
	files    *token.FileSet
	packages map[string]*types.Package
	found    map[string]*collector // by directory
}

// Import implements [types.Importer].
func (l *loader) Import(name string) (*types.Package, error) {
	if known := l.packages[name]; known != nil {
		return known, nil
	}
	rel, own := strings.CutPrefix(name, module+"/")
	if !own {
		other := types.NewPackage(name, path.Base(name))
		other.MarkComplete()
		l.packages[name] = other
		return other, nil
	}
	files, err := l.parse(filepath.Join(l.root, filepath.FromSlash(rel)))
	if err != nil {
		return nil, err
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Importer: l, FakeImportC: true, Error: func(error) {}} // of what other modules have
	checked, _ := config.Check(name, l.files, files, info)
	l.packages[name] = checked
	if len(files) > 0 {
		c := &collector{info: info, files: l.files, keys: map[Key]bool{}}
		for _, f := range files {
			c.file(f)
		}
		l.found[rel] = c
	}
	return checked, nil
}

// parse reads the files of a package as they are built for Linux, without its tests.
func (l *loader) parse(dir string) ([]*ast.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	linux := build.Default
	linux.GOOS, linux.GOARCH = "linux", "amd64"
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		if built, err := linux.MatchFile(dir, e.Name()); err != nil || !built {
			continue
		}
		f, err := parser.ParseFile(l.files, filepath.Join(dir, e.Name()), nil,
			parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// collector gathers the texts of a package.
type collector struct {
	info   *types.Info
	files  *token.FileSet
	keys   map[Key]bool
	labels bool         // all words of the declaration at hand are labels
	none   map[int]bool // lines of the file whose texts are not for people
}

func (c *collector) sorted() []Key {
	var out []Key
	for key := range c.keys {
		out = append(out, key)
	}
	slices.SortFunc(out, func(a, b Key) int {
		if a.Context != b.Context {
			return strings.Compare(a.Context, b.Context)
		}
		return strings.Compare(a.English, b.English)
	})
	return out
}

// Directives: a comment before a declaration, or at the end of a line.
const (
	labels   = "//language:labels" // each string of the declaration is a label
	noPeople = "//language:none"   // the texts are for other programs
)

func (c *collector) file(f *ast.File) {
	c.none = map[int]bool{}
	for _, group := range f.Comments {
		for _, comment := range group.List {
			if strings.HasPrefix(comment.Text, noPeople) {
				c.none[c.files.Position(comment.Pos()).Line] = true
			}
		}
	}
	for _, decl := range f.Decls {
		doc := docOf(decl)
		if has(doc, noPeople) {
			continue
		}
		c.labels = has(doc, labels)
		ast.Inspect(decl, c.visit)
	}
}

func docOf(decl ast.Decl) *ast.CommentGroup {
	switch d := decl.(type) {
	case *ast.GenDecl:
		return d.Doc
	case *ast.FuncDecl:
		return d.Doc
	}
	return nil
}

func has(doc *ast.CommentGroup, directive string) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(comment *ast.Comment) bool {
		return strings.HasPrefix(comment.Text, directive)
	})
}

// constant is the value of a constant string.
func (c *collector) constant(e ast.Expr) (string, bool) {
	if v := c.info.Types[e].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v), true
	}
	return "", false
}

// flat is a text that is put together with +. What is no constant is as what %v prints.
func (c *collector) flat(e ast.Expr, text *bool) string {
	if s, ok := c.constant(e); ok {
		*text = true
		return s
	}
	switch x := e.(type) {
	case *ast.ParenExpr:
		return c.flat(x.X, text)
	case *ast.BinaryExpr:
		if x.Op == token.ADD {
			return c.flat(x.X, text) + c.flat(x.Y, text)
		}
	}
	ast.Inspect(e, c.visit)
	return "%v"
}

// unseenCalls are functions whose arguments are for other programs: logs, patterns, statements of SQL.
var unseenCalls = regexp.MustCompile(
	`^(Msg|Msgf|MustCompile|Exec|ExecContext|Query|QueryContext|QueryRow|QueryRowContext|Getenv|Info|Debug)$`)

func (c *collector) visit(n ast.Node) bool {
	if n != nil && c.none[c.files.Position(n.Pos()).Line] {
		return false
	}
	switch x := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.Field:
		if x.Tag != nil {
			if x.Type != nil {
				ast.Inspect(x.Type, c.visit)
			}
			return false
		}
	case *ast.CallExpr:
		return c.call(x)
	case *ast.BinaryExpr:
		if x.Op != token.ADD {
			return true
		}
		text := false
		if s := c.flat(x, &text); text {
			c.add(s)
		}
		return false
	case *ast.BasicLit:
		if s, ok := c.constant(x); ok {
			c.add(s)
		}
	}
	return true
}

// call collects the arguments of functions that are special.
func (c *collector) call(x *ast.CallExpr) bool {
	name := ""
	switch f := x.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
		if unseenCalls.MatchString(name) {
			ast.Inspect(x.Fun, c.visit)
			return false
		}
		if of, ok := f.X.(*ast.Ident); ok && of.Name == "count" && name == "Of" {
			c.counted(x.Args)
		}
	}
	if wordCalls.MatchString(name) {
		for i, arg := range x.Args {
			if name == "check" && i == 0 { // the ID of the check
				continue
			}
			if s, ok := c.constant(arg); ok && (strings.HasSuffix(name, "Table") || word.MatchString(s)) {
				c.keys[Key{language.Label, s}] = true
			}
		}
	}
	return true
}

// wordCalls are functions of which an argument may be a word that is shown alone: names of columns, what a check
// measures and wants.
var (
	wordCalls = regexp.MustCompile(`^(newTable|NewTable|measured|check)$`)
	word      = regexp.MustCompile(`^[a-z]{2,}$`)
)

// counted adds what count.Of prints.
func (c *collector) counted(args []ast.Expr) {
	if len(args) < 2 {
		return
	}
	one, ok := c.constant(args[1])
	if !ok {
		return
	}
	many := one + "s"
	if len(args) > 2 {
		many, _ = c.constant(args[2])
	}
	c.keys[Key{English: "%d " + one}] = true
	c.keys[Key{English: "%d " + many}] = true
}

// A text has two words, or a word and an article or a verb with a space between them.
var (
	article  = regexp.MustCompile(`(?:^|[\s("])(?:a|A) [a-z]{2,}`)
	words    = regexp.MustCompile(`[A-Za-z]{2,}[,;:.)"'%\]]* +["'(%\[]?[a-zA-Z]`)
	withVerb = regexp.MustCompile(`(?:%[-+#0-9.]*[sdvqw][,:;]? +\(?[a-z]{2,}(?:[,:;.)]|\s|$)|[A-Za-z]{3,} +%[-+#0-9.]+[a-z])`)
)

func (c *collector) add(text string) {
	if c.labels {
		if text != "" {
			c.keys[Key{language.Label, text}] = true
		}
		return
	}
	for _, paragraph := range strings.Split(text, "\n\n") {
		paragraph = strings.TrimSpace(strings.Trim(paragraph, "\n"))
		if words.MatchString(paragraph) || withVerb.MatchString(paragraph) || article.MatchString(paragraph) {
			c.keys[Key{English: paragraph}] = true
		}
	}
}
