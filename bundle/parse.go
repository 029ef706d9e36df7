package bundle

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"fate-installer/installer/problem"
)

// maxLockSize bounds what is parsed; a lock of a hundred components has some 50 kB.
const maxLockSize = 4 << 20

// lockLimits leave room for a component of some thousand sources, which python's wheels can be.
var lockLimits = problem.Limits{Bytes: maxLockSize, Tokens: 200_000, Keys: 1_000, Depth: 16, Aliases: 100}

// ReadLock reads the lock file at path. The error is [Problems] when the file can be read but not used.
func ReadLock(path string) (*Lock, error) {
	data, err := problem.ReadFile(path, maxLockSize)
	if err != nil {
		return nil, fmt.Errorf("cannot read the lock file: %w", err)
	}
	return ParseLock(path, data)
}

// ParseLock reads a lock. file is its name, for messages and as the start of relative source paths.
// All mistakes are reported at once, as [Problems].
func ParseLock(file string, data []byte) (*Lock, error) {
	lock, _, err := parseLock(file, data)
	return lock, err
}

// parseLock also returns the syntax node of each source, by component and source index, for Fill to edit.
func parseLock(file string, data []byte) (*Lock, [][]ast.Node, error) {
	d := &decoder{file: file}
	if len(data) > maxLockSize {
		d.problemf(nil, "is %d bytes long, a lock has at most %d", len(data), maxLockSize)
		return nil, nil, d.problems
	}
	root, err := parseDocument(d, data)
	if err != nil {
		return nil, nil, err
	}
	p := &lockParser{decoder: d, lock: &Lock{File: file}}
	p.document(root)
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, nil, d.problems
	}
	return p.lock, p.nodes, nil
}

// parseDocument parses YAML and insists on exactly one document.
func parseDocument(d *decoder, data []byte) (ast.Node, error) {
	tree, err := problem.ParseYAML(unixLines(data), lockLimits)
	var syntax *problem.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, Problems{{d.file, syntax.Line, syntax.Col, syntax.Message}}
	case len(tree.Docs) > 1:
		d.problemf(nil, "has %d YAML documents, a lock is one", len(tree.Docs))
		return nil, d.problems
	case len(tree.Docs) == 0 || tree.Docs[0].Body == nil:
		d.problemf(nil, "is empty")
		return nil, d.problems
	}
	return tree.Docs[0].Body, nil
}

// lockParser fills a Lock from the syntax tree.
type lockParser struct {
	*decoder
	lock  *Lock
	nodes [][]ast.Node
}

func (p *lockParser) document(root ast.Node) {
	var schema string
	seen := map[string]int{}
	p.mapping(root, "the lock", map[string]reader{
		"schema":  p.text(&schema, "schema", is(strconv.Itoa(Schema))),
		"release": p.release,
		"components": func(n ast.Node) {
			p.sequence(n, "components", func(item ast.Node) { p.component(item, seen) })
		},
	})
	if len(p.problems) > 0 {
		return
	}
	switch {
	case schema == "":
		p.problemf(root, "the lock has no schema: it must begin with \"schema: %d\"", Schema)
	case p.lock.Release.FATE == "" || p.lock.Release.Platform == "":
		p.problemf(root, "the lock must say which release it is: release: {fate: VERSION, platform: linux/amd64}")
	case len(p.lock.Components) == 0:
		p.problemf(root, "the lock has no components")
	}
}

func (p *lockParser) release(n ast.Node) {
	r := &p.lock.Release
	p.mapping(n, "release", map[string]reader{
		"fate":     p.text(&r.FATE, "release.fate", matches(versionPattern(), "is not a version")),
		"platform": p.text(&r.Platform, "release.platform", matches(platformPattern(), "is not like linux/amd64")),
		"revision": p.number(&r.Revision, "release.revision"),
		"env":      p.env,
	})
}

// env reads the release's fate.env: any keys, scalar values.
func (p *lockParser) env(n ast.Node) {
	values, ok := pairs(n)
	if !ok {
		p.problemf(n, "release.env must be a mapping of keys to values, not %s", kindOf(n))
		return
	}
	p.lock.Release.Env = map[string]string{}
	for _, pair := range values {
		key := pair.Key.GetToken().Value
		if text, ok := p.scalar(pair.Value, "release.env."+key); ok {
			p.lock.Release.Env[key] = text
		}
	}
}

func (p *lockParser) component(n ast.Node, seen map[string]int) {
	c := Component{line: lineOf(n)}
	var nodes []ast.Node
	p.mapping(n, "a component", map[string]reader{
		"name": p.text(&c.Name, "component name", matches(namePattern(),
			"must be lower-case letters, digits, dot, dash and underscore")),
		"version":        p.text(&c.Version, "version", matches(versionPattern(), "is not a version")),
		"license":        p.text(&c.License, "license", oneLine),
		"platform":       p.text(&c.Platform, "platform", platformOrAny),
		"library_path":   p.texts(&c.LibraryPath, "library_path", treePath),
		"host_libraries": p.texts(&c.HostLibraries, "host_libraries", libraryPattern),
		"stand_in":       p.boolean(&c.StandIn, "stand_in"),
		"database":       func(n ast.Node) { p.database(n, &c) },
		"sources": func(n ast.Node) {
			p.sequence(n, "sources", func(item ast.Node) {
				c.Sources = append(c.Sources, p.source(item))
				nodes = append(nodes, item)
			})
		},
	})
	switch {
	case c.Name == "":
		p.problemf(n, "a component needs a name")
	case c.Version == "":
		p.problemf(n, "component %s needs a version", c.Name)
	case len(c.Sources) == 0:
		p.problemf(n, "component %s needs sources", c.Name)
	case seen[c.Name] > 0:
		p.problemf(n, "component %s is already on line %d", c.Name, seen[c.Name])
	}
	seen[c.Name] = c.line
	p.lock.Components = append(p.lock.Components, c)
	p.nodes = append(p.nodes, nodes)
}

// database reads what is to be done with a component that is a database server. YAML 1.1, which people know, takes no
// and yes for booleans.
func (p *lockParser) database(n ast.Node, c *Component) {
	var template string
	p.mapping(n, "database", map[string]reader{
		"template": p.text(&template, "template", is("yes", "no", "true", "false")),
	})
	c.NoTemplate = template == "no" || template == "false"
}

func (p *lockParser) source(n ast.Node) Source {
	s := Source{Format: FormatAuto, Setuid: SetuidRefuse, line: lineOf(n)}
	var strip int64
	before := len(p.problems)
	p.mapping(n, "a source", map[string]reader{
		"path":     p.text(&s.Path, "path", oneLine),
		"url":      p.texts(&s.URL, "url", sourceURL),
		"member":   p.text(&s.Member, "member", treePath),
		"format":   p.text((*string)(&s.Format), "format", is("auto", "tar", "zip", "deb", "dir", "file", "wheels")),
		"python":   p.text(&s.Python, "python", matches(pythonPattern(), "is not a version such as 3.8")),
		"sha256":   p.text(&s.SHA256, "sha256", matches(digestPattern(), "is not 64 lower-case hexadecimal digits")),
		"size":     p.number(&s.Size, "size"),
		"include":  p.texts(&s.Include, "include", validPattern),
		"exclude":  p.texts(&s.Exclude, "exclude", validPattern),
		"strip":    p.number(&strip, "strip"),
		"rename":   func(n ast.Node) { p.sequence(n, "rename", func(item ast.Node) { p.rename(item, &s) }) },
		"into":     p.text(&s.Into, "into", treePath),
		"mode":     func(n ast.Node) { p.sequence(n, "mode", func(item ast.Node) { p.mode(item, &s) }) },
		"setuid":   p.text((*string)(&s.Setuid), "setuid", is("refuse", "drop", "allow")),
		"override": p.boolean(&s.Override, "override"),
	})
	if strip > 100 {
		p.problemf(n, "strip %d is more than any path has", strip)
	}
	s.Strip = int(strip)
	switch {
	case len(p.problems) > before: // what follows would only repeat it
	case (s.Path == "") == (len(s.URL) == 0):
		p.problemf(n, "a source needs either path or url")
	case s.Member != "" && s.Path == "":
		p.problemf(n, "member needs a path: fetch the archive first")
	case s.Format == FormatDir && (s.Member != "" || s.Path == ""):
		p.problemf(n, "format dir needs a path and no member")
	case (s.Format == FormatWheels) != (s.Python != ""):
		p.problemf(n, "format wheels and python: \"3.8\" go together")
	case s.Format == FormatWheels && s.Strip > 0:
		p.problemf(n, "strip has no meaning for wheels")
	case s.SHA256 == "" && s.Size != 0:
		p.problemf(n, "size without sha256: remove it, and run bundle lock")
	}
	return s
}

func (p *lockParser) rename(n ast.Node, s *Source) {
	var r Rename
	p.mapping(n, "a rename", map[string]reader{
		"from": p.text(&r.From, "from", treePath),
		"to":   p.text(&r.To, "to", treePathOrRoot),
	})
	if r.From == "" || r.To == "" {
		p.problemf(n, "a rename needs from and to")
	}
	s.Rename = append(s.Rename, r)
}

func (p *lockParser) mode(n ast.Node, s *Source) {
	var rule ModeRule
	var octal string
	p.mapping(n, "a mode", map[string]reader{
		"match": p.text(&rule.Match, "match", validPattern),
		"mode":  p.text(&octal, "mode", matches(modePattern(), "is not like \"0755\"")),
	})
	if rule.Match == "" || octal == "" {
		p.problemf(n, "a mode needs match and mode")
		return
	}
	bits, _ := strconv.ParseUint(octal, 8, 32) // modePattern allows nothing else
	rule.Mode = uint32(bits)
	s.Mode = append(s.Mode, rule)
}

// position is where n begins. The token of a block mapping is its first colon, so its first key is asked instead.
func position(n ast.Node) *token.Position {
	if mapping, ok := n.(*ast.MappingNode); ok && !mapping.IsFlowStyle && len(mapping.Values) > 0 {
		n = mapping.Values[0]
	}
	if pair, ok := n.(*ast.MappingValueNode); ok {
		return pair.Key.GetToken().Position
	}
	return n.GetToken().Position
}

func lineOf(n ast.Node) int { return position(n).Line }

var (
	namePattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	})
	versionPattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+~:_-]{0,127}$`)
	})
	platformPattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+$`)
	})
	digestPattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9a-f]{64}$`)
	})
	pythonPattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^3\.[0-9]{1,2}$`)
	})
	modePattern = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^0?[0-7]{3}$`)
	})
)

// The validators below say what is wrong with a value, or nothing.

func matches(re *regexp.Regexp, wrong string) func(string) string {
	return func(s string) string {
		if re.MatchString(s) {
			return ""
		}
		return wrong
	}
}

func is(allowed ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(allowed, s) {
			return ""
		}
		return "is not " + strings.Join(allowed, ", ")
	}
}

func oneLine(s string) string {
	if s == "" || strings.ContainsFunc(s, isControl) {
		return "is empty or has control characters"
	}
	return ""
}

func platformOrAny(s string) string {
	if s == PlatformAny {
		return ""
	}
	return matches(platformPattern(), `is not "any" or like linux/amd64`)(s)
}

func treePath(s string) string {
	if s == "." {
		return "is the whole tree, not a path in it"
	}
	return treePathOrRoot(s)
}

func treePathOrRoot(s string) string {
	if s == "." {
		return ""
	}
	if clean, err := cleanPath(s); err != nil {
		return err.Error()
	} else if clean != s {
		return fmt.Sprintf("must be written %q", clean)
	}
	return ""
}

func sourceURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "is not a URL"
	case u.User != nil:
		return "carries a user name or password; a lock is public"
	case u.Scheme == "file" && filepath.IsAbs(u.Path) && u.Host == "":
		return ""
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && path.Base(u.Path) != "/":
		return ""
	}
	return "is not an http, https or file URL of a file"
}
