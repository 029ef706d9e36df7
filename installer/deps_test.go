package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "fate-installer"

// allowedImports says which of our packages each of our packages may import. The reasons are for those
// who want to add one.
var allowedImports = map[string]struct {
	may    []string
	reason string
}{
	"payload": {nil,
		"the format is read by the builder, the installer and by tests: it must not know who uses it"},
	"payload/count": {nil, "everyone counts"},
	"payload/dynlink": {nil,
		"the loader's rules are the same for who builds a component and for who checks a host"},
	"bundle": {[]string{"payload", "payload/dynlink", "installer/problem"},
		"building a file is independent of installing one"},
	"supervisor": {[]string{"supervisor/account", "supervisor/config", "supervisor/logfile",
		"supervisor/process", "supervisor/shim", "installer/host/beneath", "installer/host/tasks",
		"installer/host/tcptable"}, "it outlives the installer and is upgraded on its own"},
	"supervisor/account": {[]string{"supervisor/shim"},
		"a user and its rights know nothing of what is done with them"},
	"supervisor/config": {nil, "a file format: who writes program files needs nothing of what runs them"},
	"supervisor/logfile": {[]string{"supervisor/account", "supervisor/config", "installer/host/beneath"},
		"how a log is opened and rotated knows nothing of when"},
	"supervisor/process": {[]string{"supervisor/logfile", "supervisor/shim", "installer/host/beneath",
		"installer/host/procstat"}, "starting and reaping a process knows nothing of why"},
	"supervisor/shim": {nil, "it runs before every program, so nothing may be initialised before it"},
	"supervisor/rpc": {[]string{"supervisor", "supervisor/account", "supervisor/config", "supervisor/process",
		"installer/host/beneath"}, "server and client of one API, side by side"},
	"installer/host": {[]string{"installer/host/beneath", "installer/host/tasks", "installer/host/tcptable",
		"payload/dynlink"}, "the only code that touches the machine; who imports more than the standard library's OS " +
		"calls hides a side effect"},
	"installer/host/beneath": {nil,
		"system calls below a directory descriptor: it knows nothing of what the files are"},
	"installer/host/procstat": {nil, "a format of the kernel, of use to anyone"},
	"installer/host/tasks": {nil,
		"limits of the kernel, which a check reads before an installation and the supervisor after it"},
	"installer/host/tcptable": {nil, "a format of the kernel, of use to anyone"},
	"installer/flow":          {nil, "a client of FATE-Flow's API, of use to anyone"},
	"installer/cause": {nil,
		"a table of causes and a search in it; reading files and asking programs is the caller's"},
	"installer/problem": {nil, "texts from people are read the same way by the builder and the installer"},
	"installer/answer":  {nil, "limits of what a database server sends know nothing of what is asked for"},
	"installer/peer": {[]string{"installer/fate/keys"},
		"what one rollsite's host can find out about another's; it tests networks, and so must not depend on what is " +
			"configured for them"},
	"installer/registry": {nil, "a client of what FATE-Flow keeps in ZooKeeper, of use to anyone"},
	"installer/audit": {[]string{"installer/host/beneath"},
		"the record of who changed what says nothing of what they changed"},
	"installer/redact": {[]string{"installer/fate/cluster"},
		"text in, text out: which secrets there are is the caller's to know"},
	"installer/exit": {[]string{"installer/engine", "payload"},
		"an error's code and hint say nothing of the command that ends with it; payload has errors with a code of " +
			"their own"},
	"installer/pyenv": {[]string{"installer/engine", "installer/exit", "installer/fate/cluster",
		"installer/host", "payload"}, "a payload made of a payload: it sees nothing of the command that unpacks it"},
	"installer/job": {[]string{"installer/answer", "installer/cause", "installer/exit",
		"installer/fate/cluster", "installer/fate/render", "installer/flow", "installer/host", "installer/output",
		"installer/peer", "installer/redact", "supervisor", "supervisor/rpc"},
		"what is known of a job is data: flags and printing are the commands'"},
	"installer/adopt": {[]string{"installer/fate/cluster", "installer/fate/keys", "installer/fate/render",
		"installer/host", "installer/host/beneath", "installer/host/procstat", "installer/problem", "installer/redact",
		"supervisor/config"}, "what another installer left on a host is data: it is read and compared with what " +
		"would be rendered; flags and printing are the command's"},
	"installer/diagnosis": {[]string{"installer/audit", "installer/cause", "installer/engine", "installer/fate/cluster",
		"installer/fate/keys", "installer/fate/preflight", "installer/host", "installer/job", "installer/redact",
		"installer/state", "supervisor", "supervisor/config"}, "a bundle is read anywhere: it knows the documents of the others, and looks at " +
		"no host; collecting and printing are the command's"},
	"installer/backup": {[]string{"installer/host", "installer/host/beneath", "payload"},
		"the format of a backup, and how its content is read and put back, say nothing of locks, programs and flags"},
	"installer/gc": {[]string{"installer/fate/cluster", "installer/host", "installer/host/beneath"},
		"what is not needed any more, and how it is removed, say nothing of locks and flags; who knows the jobs is given"},
	"installer/deploy": {[]string{"installer/backup", "installer/database", "installer/deploy/programs",
		"installer/engine",
		"installer/exit", "installer/fate", "installer/fate/cluster", "installer/fate/keys",
		"installer/fate/preflight", "installer/fate/render", "installer/flow", "installer/host",
		"installer/host/beneath", "installer/job",
		"installer/peer", "installer/problem", "installer/pyenv", "installer/redact", "installer/registry",
		"installer/schema", "installer/state", "installer/step", "payload", "supervisor", "supervisor/config", "supervisor/rpc"},
		"what a deployment is and its operations say nothing of flags and of how anything is printed; they stop and " +
			"start programs through the supervisor's client, and look for jobs before they do"},
	"installer/deploy/programs": {[]string{"installer/database", "installer/engine", "installer/exit",
		"installer/fate/cluster", "installer/fate/render", "installer/host", "supervisor", "supervisor/config",
		"supervisor/rpc"}, "starting programs and waiting for them is the supervisor's client's: it knows nothing of " +
		"why they are started"},
	"installer/jsonshape": {nil, "documents of any type"},
	"installer/golden":    {nil, "tests of any package"},
	"installer/output":    {[]string{"installer/language"}, "layout knows nothing of what is laid out"},
	"installer/language":  {nil, "text in, text out"},
	"installer/language/messages": {[]string{"installer/language"},
		"what finds texts in the source is for developers and tests"},
	"installer/engine": {[]string{"installer/host"}, "the engine runs steps of any kind and knows nothing of FATE"},
	"installer/state": {nil,
		"a table and pure functions on one value; reading, writing and printing it is the caller's"},
	"installer/report": {[]string{"installer/fate/preflight", "installer/language", "installer/peer", "payload"},
		"a document of results: who makes the checks, and where the document is kept, is the caller's"},
	"installer/schema": {nil, "facts about upstream's databases, of use to anyone"},
	"installer/step": {[]string{"installer/engine", "installer/host"},
		"steps are plain data; payload and supervisor reach them through engine.Env"},
	"installer/database": {[]string{"installer/answer", "installer/engine", "installer/host", "installer/schema"},
		"steps as those of installer/step; what they know beyond them is a database server's protocol and upstream's " +
			"tables"},
	"installer/tools": {[]string{"installer/host/procstat"},
		"small programs for eggroll's scripts; each is a process of its own, without anything of the installer's"},
	"installer/fate/keys": {[]string{"installer/problem"},
		"certificates follow from names and a clock; it knows no cluster file and installs nothing"},
	"installer/fate/keys/keyfile": {[]string{"installer/exit", "installer/fate/keys", "installer/host",
		"installer/problem"}, "keys on their way between hosts: reading, packing and writing them knows nothing of who " +
		"uses them"},
	"installer/fate/yamltext": {nil, "how a text stands in YAML knows nothing of what it says"},
	"installer/fate/cluster": {[]string{"installer/fate/keys", "installer/fate/yamltext", "installer/problem"},
		"what an operator wrote, and what follows from it: the same on every machine"},
	"installer/fate/render": {[]string{"installer/fate/cluster", "installer/fate/keys", "installer/fate/yamltext",
		"installer/database", "installer/problem", "installer/schema", "supervisor/config"},
		"what a Spec becomes on a host does not depend on what the host is like"},
	"installer/fate/preflight": {[]string{"installer/backup", "installer/fate/cluster", "installer/fate/keys", "installer/fate/render",
		"installer/database", "installer/engine", "installer/host", "installer/host/tasks", "installer/problem",
		"installer/step", "installer/tools", "payload", "supervisor"},
		"facts in, findings out: gathering and repairing is the caller's"},
	"installer/fate": {[]string{"installer/fate/cluster", "installer/fate/preflight", "installer/fate/render",
		"installer/database", "installer/engine", "installer/schema", "installer/step", "installer/host",
		"installer/problem", "payload", "supervisor/config"}, "the plan: a pure function of Spec, Facts and Manifest"},
	"installer/fate/fatetest": {[]string{"installer/fate/cluster", "installer/fate/keys", "installer/host",
		"installer/problem", "payload"}, "what tests share: it must not import what they test beyond the Spec"},
	"installer": {[]string{"*"}, "main wires everything together"},
	"scripts":   {[]string{"*"}, "tools and tests around the product"},

	"installer/output/outputtest": {nil, "a terminal for tests of anyone"},
	"installer/database/databasetest": {[]string{"installer/answer", "installer/database",
		"installer/engine", "installer/host"}, "a server for tests of anyone"},
}

// forbiddenImports are standard packages that only their owner may use.
var forbiddenImports = map[string]struct {
	owners []string
	reason string
}{
	"os/exec": {[]string{"installer/host", "installer/tools", "installer/fate/fatetest", "supervisor",
		"supervisor/account", "scripts"},
		"commands run through host.Runner, so that tests can see every one of them and none reaches the developer's " +
			"machine"},
}

// TestImportDirections parses the sources, and so, unlike a test that asks the go command, is run again by the test
// cache whenever one of them changes.
func TestImportDirections(t *testing.T) {
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			if d != nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
				return fs.SkipDir
			}
			return err
		}
		rel, err := filepath.Rel("..", file)
		if err != nil {
			return err
		}
		checkImports(t, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkImports(t *testing.T, file string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	pkg := path.Dir(filepath.ToSlash(file))
	rule, found := allowedImports[ownerOf(pkg)]
	if !found {
		t.Errorf("%s: package %s is in no folder of the design; name its place and its imports in deps_test.go", file,
			pkg)
		return
	}
	for _, spec := range parsed.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if guard, ok := forbiddenImports[imported]; ok && !underAny(pkg, guard.owners) {
			t.Errorf("%s imports %s: %s", file, imported, guard.reason)
		}
		ours, ok := strings.CutPrefix(imported, module+"/")
		if ok && ours != pkg && ours != "payload/count" && !underAny(ours, rule.may) {
			t.Errorf("%s imports %s, but %s may import only %v: %s", file, imported, pkg, rule.may, rule.reason)
		}
	}
}

// ownerOf maps a package to the row that rules it: itself, or scripts for everything below that folder.
func ownerOf(pkg string) string {
	if strings.HasPrefix(pkg, "scripts/") {
		return "scripts"
	}
	return pkg
}

func underAny(pkg string, folders []string) bool {
	for _, folder := range folders {
		if folder == "*" || pkg == folder || (folder == "scripts" && strings.HasPrefix(pkg, "scripts/")) {
			return true
		}
	}
	return false
}
