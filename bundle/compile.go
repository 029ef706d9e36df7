package bundle

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"fate-installer/payload/count"
)

// PythonRunner runs a Python interpreter of a component on this machine: args begins with its path, dir is its working
// directory, and env is all that its environment has beyond what every program needs.
type PythonRunner func(ctx context.Context, dir string, env, args []string) error

// pythonName is the component whose interpreter compiles; compiledNames are those whose code its programs load.
const pythonName = "python"

var compiledNames = []string{pythonName, "fate", "fateflow", "eggroll"}

// cacheName is the name of the directories in which Python looks for compiled code.
const cacheName = "__pycache__"

// notLoaded are directories with modules that no program and no job loads. Their code is compiled when it is imported,
// as all code was without this.
var notLoaded = []string{"test", "tests", "idlelib", "lib2to3", "turtledemo", "ensurepip", cacheName}

// maxCompiled bounds the code of one module. The largest of the real trees has 2 MB.
const maxCompiled = 256 << 20

//go:embed compile.py
var compileScript []byte

// pythonCompiler makes .pyc files with the interpreter that an appliance carries. They are of the kind that PEP 552
// calls checked-hash: the interpreter compares a hash of the source when it loads one. Those with the time of the
// source would fit as well, since everything in a component is dated [Epoch], but miss an edit that keeps time and
// size.
type pythonCompiler struct {
	run    PythonRunner
	dir    string // holds the interpreter, the script, and what goes in and out
	python string // path of the interpreter in its tree
	env    []string
}

// newPythonCompiler sets the interpreter in the tree of the component python up in dir, and tries it.
func newPythonCompiler(ctx context.Context, run PythonRunner, dir string, p *packed) (*pythonCompiler, error) {
	c := &pythonCompiler{run: run, dir: dir, python: p.tree.interpreter()}
	if c.python == "" {
		return nil, errors.New("component python has no bin/python3 or bin/python")
	}
	var libraries []string
	for _, l := range p.LibraryPath {
		libraries = append(libraries, filepath.Join(dir, "tree", l))
	}
	// A fixed seed of hashes: the order of the elements of a set would show in the code.
	c.env = []string{"PYTHONHASHSEED=0", "PYTHONUTF8=1", "LD_LIBRARY_PATH=" + strings.Join(libraries, ":")}
	if err := os.WriteFile(filepath.Join(dir, "compile.py"), compileScript, 0o600); err != nil {
		return nil, err
	}
	needed := func(n *node) bool { return n.isOfInterpreter(p.LibraryPath) }
	if err := p.tree.place(ctx, filepath.Join(dir, "tree"), needed); err != nil {
		return nil, err
	}
	_, err := c.compile(ctx, newTree(p.tree.spool), nil)
	return c, err
}

var interpreterPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^bin/python3\.[0-9]+$`)
})

// interpreter is the path of the Python in a tree, blank when there is none.
func (t *tree) interpreter() string {
	names := []string{"bin/python3", "bin/python"}
	for _, n := range t.sorted() {
		if interpreterPattern().MatchString(n.path) {
			names = append(names, n.path)
		}
	}
	for _, name := range names {
		n := t.nodes[name]
		if n != nil && n.kind == kindSymlink {
			end, err := t.follow(n)
			if err != nil {
				continue
			}
			n = t.nodes[end]
		}
		if n != nil && n.kind == kindFile {
			return name
		}
	}
	return ""
}

// isOfInterpreter reports whether the interpreter itself needs a node of its tree: its programs and its library, not
// what is installed into it.
func (n *node) isOfInterpreter(libraryPath []string) bool {
	elements := strings.Split(n.path, "/")
	if slices.ContainsFunc(elements, func(e string) bool {
		return e == "site-packages" || e == "dist-packages" || slices.Contains(notLoaded, e)
	}) {
		return false
	}
	return path.Dir(n.path) == "bin" && strings.HasPrefix(path.Base(n.path), "python") || n.path == "bin" ||
		elements[0] == "lib" || elements[0] == "lib64" ||
		slices.ContainsFunc(libraryPath, func(l string) bool {
			return strings.HasPrefix(n.path+"/", l+"/") || strings.HasPrefix(l+"/", n.path+"/")
		})
}

// add compiles the code of a component, and puts the result into its tree in the place of caches that are there: those
// were made for files with another time.
func (c *pythonCompiler) add(ctx context.Context, t *tree) (files int, err error) {
	var sources []*node
	for _, n := range t.sorted() {
		elements := strings.Split(n.path, "/")
		if n.kind == kindFile && path.Ext(n.path) == ".py" && !strings.Contains(n.path, "\n") &&
			!slices.ContainsFunc(elements, func(e string) bool { return slices.Contains(notLoaded, e) }) {
			sources = append(sources, n)
		}
	}
	if len(sources) == 0 {
		return 0, nil
	}
	files, err = c.compile(ctx, t, sources)
	if err != nil {
		return 0, &CompileError{err}
	}
	return files, t.spool.flush()
}

// CompileError means that the interpreter, which ran before, did not compile the code of a component.
type CompileError struct{ Err error }

func (e *CompileError) Error() string { return "cannot compile its python code: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *CompileError) Unwrap() error { return e.Err }

// Hint says how to do without.
func (*CompileError) Hint() string {
	return "build it with --no-compile: the programs then compile the code themselves"
}

// compile runs the interpreter once for all sources, in a process of its own, so that what it writes depends on nothing
// but them.
func (c *pythonCompiler) compile(ctx context.Context, t *tree, sources []*node) (files int, err error) {
	in, out := filepath.Join(c.dir, "sources"), filepath.Join(c.dir, "compiled")
	if err := writeSources(in, t, sources); err != nil {
		return 0, err
	}
	// -B and -S: it writes no caches, and runs nothing of what is installed into the environment.
	args := []string{filepath.Join(c.dir, "tree", c.python), "-B", "-S", "-s", "-W", "ignore",
		"compile.py", "sources", "compiled"}
	if err := c.run(ctx, c.dir, c.env, args); err != nil {
		return 0, err
	}
	f, err := os.Open(out)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	tag, err := r.ReadString('\n')
	if tag = strings.TrimSuffix(tag, "\n"); err != nil || !cacheTagPattern().MatchString(tag) {
		return 0, fmt.Errorf("it names its caches %q: %w", tag, err)
	}
	for _, n := range sources {
		added, err := t.addCompiled(n, tag, r)
		if err != nil {
			return 0, fmt.Errorf("cannot read the compiled %s: %w", n.path, err)
		}
		if added {
			files++
		}
	}
	return files, nil
}

var cacheTagPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z]+-[a-z0-9]+$`)
})

func writeSources(name string, t *tree, sources []*node) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	for _, n := range sources {
		head := binary.LittleEndian.AppendUint32(nil, uint32(len(n.path)))
		head = append(head, n.path...)
		head = binary.LittleEndian.AppendUint64(head, uint64(n.blob.size))
		if _, err := w.Write(head); err != nil {
			return err
		}
		if _, err := io.Copy(w, t.spool.open(n.blob)); err != nil {
			return err
		}
	}
	return w.Flush()
}

// addCompiled reads the code of one source into the tree.
func (t *tree) addCompiled(source *node, tag string, r io.Reader) (added bool, err error) {
	var size uint64
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return false, err
	}
	if size == 0 {
		return false, nil
	}
	if size > maxCompiled {
		return false, fmt.Errorf("it has %s", count.Bytes(int64(size)))
	}
	dir := path.Join(path.Dir(source.path), cacheName)
	at := path.Join(dir, strings.TrimSuffix(path.Base(source.path), ".py")+"."+tag+".pyc")
	blob, err := t.spool.add(r, int64(size))
	if err != nil {
		return false, err
	}
	if t.nodes[dir] == nil {
		t.nodes[dir] = &node{path: dir, kind: kindDir, mode: modeDir, from: source.from, stored: source.stored}
	}
	if old := t.nodes[at]; t.nodes[dir].kind != kindDir || old != nil && old.kind == kindDir {
		return false, nil // it is no cache of Python's
	}
	t.nodes[at] = &node{path: at, kind: kindFile, mode: 0o644, blob: blob, from: source.from, stored: source.stored}
	return true, nil
}

// unable says why nothing can be compiled with component i of the lock, blank when something can.
func (b *builder) unable(i int) string {
	if i < 0 {
		return "there is no component python to compile it with"
	}
	here, there := runtime.GOOS+"/"+runtime.GOARCH, b.lock.Components[i].platform(b.lock.Release)
	if here != there {
		return fmt.Sprintf("the component python is for %s, and this machine is %s", there, here)
	}
	return ""
}

// startCompiler merges the component python, which is wanted before its turn. Without a compiler the result says why.
func (b *builder) startCompiler(ctx context.Context) (c *pythonCompiler, python *packed, err error) {
	if b.o.Python == nil || !slices.ContainsFunc(b.lock.Components, compilable) {
		return nil, nil, nil
	}
	i := slices.IndexFunc(b.lock.Components, func(c Component) bool { return c.Name == pythonName })
	if b.result.NotCompiled = b.unable(i); b.result.NotCompiled != "" {
		return nil, nil, nil
	}
	if python, err = b.mergeNamed(ctx, i); err != nil {
		return nil, nil, err
	}
	dir, err := b.scratch("python")
	if err != nil {
		python.tree.spool.close()
		return nil, nil, err
	}
	c, err = newPythonCompiler(ctx, b.o.Python, dir, python)
	if err == nil {
		return c, python, nil
	}
	err = errors.Join(err, os.RemoveAll(dir))
	if ctx.Err() != nil {
		python.tree.spool.close()
		return nil, nil, err
	}
	b.result.NotCompiled = "the python that is carried does not run here: " + err.Error()
	return nil, python, nil
}

func compilable(c Component) bool { return slices.Contains(compiledNames, c.Name) }

func (c *pythonCompiler) close() error {
	if c == nil {
		return nil
	}
	return os.RemoveAll(c.dir)
}
