package main

import (
	"bytes"
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/supervisor/rpc"
)

// treeArguments complete the command lines that cannot be run without arguments.
var treeArguments = map[string][]string{
	"backup inspect": {"backup"}, "backup list": {"backups"}, "backup verify": {"backup"}, "restore": {"backup"},
	"svc start": {"all"}, "svc stop": {"all"}, "svc restart": {"all"}, "svc logs": {"mysql"}, "svc why": {"mysql"},
	"svc probe-zookeeper": {"127.0.0.1:1"}, "svc probe-nodes": {"127.0.0.1:1", "--conf", "x"},
	"svc probe-flow": {"--conf", "x"}, "svc probe-worker": {"--conf", "x"}, "svc probe-mysql": {"--defaults-file", "x"},
	"job why": {"202611290938001234560"}, "history show": {"20261129-142233-0a1b2c"},
	"party add": {"7:192.168.0.7"}, "party remove": {"7"}, "uninstall": {"--yes"}, "rollback": {"--yes"},
	"secrets rotate": {"all", "--yes"},
}

// machinesSupervisor listens where the supervisor of this machine does for a base directory, and counts connections.
func machinesSupervisor(t *testing.T) (base string, connections *atomic.Int64) {
	t.Helper()
	base, err := os.MkdirTemp("/tmp", "m") // a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	socket := cluster.Layout{Base: base}.SupervisorSocket()
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	connections = &atomic.Int64{}
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = listener.Close(); ended.Wait() })
	return base, connections
}

// TestTreeNeverReachesTheMachine runs every command with --root, where the machine has a supervisor below the same base
// directory as the tree. None connects to it, and those that work with what runs are refused with what to do instead.
func TestTreeNeverReachesTheMachine(t *testing.T) {
	t.Chdir(t.TempDir())
	base, connections := machinesSupervisor(t)
	var out bytes.Buffer
	g := &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	execute(t.Context(), g, []string{"svc", "status", "--base", base})
	if connections.Swap(0) == 0 {
		t.Fatalf("without --root the machine's supervisor is not asked:\n%s", out.String())
	}
	installed := machine(t)
	mustRunCLI(t, installed, "", "--payload", smallAppliance(t), "--role", "exchange", "--ip", "192.168.0.88", "--base",
		base)
	commands := append(runnable(newRootCommand(&globals{})), []string{"__complete", "svc", "restart"})
	if len(commands) < 50 {
		t.Errorf("only %d commands were found", len(commands))
	}
	for _, words := range commands {
		name := strings.Join(words, " ")
		if strings.HasPrefix(name, "completion") {
			continue // the shells' scripts need no host
		}
		cmd, _, err := newRootCommand(&globals{}).Find(words)
		tree := installed
		if err == nil && !needsMachine(cmd) {
			tree = copyOfTree(t, installed)
		}
		args := slices.Concat(words, treeArguments[name], []string{"--base", base})
		completes := strings.HasPrefix(name, "__complete")
		if completes {
			args = []string{"__complete", "--root", tree, "--base", base, "svc", "restart", ""}
		}
		stdout, stderr, code := runCLI(t, tree, "", args...)
		if n := connections.Swap(0); n > 0 {
			t.Errorf("%q connected to the supervisor of this machine %d times", args, n)
		}
		if err != nil || completes {
			continue
		}
		refused := strings.Contains(stderr, "cannot use --root: "+name+" works with what runs on this machine") &&
			strings.Contains(stderr, "leave --root out for this machine") && code == exit.Usage && stdout == ""
		if refused != needsMachine(cmd) {
			t.Errorf("%q: exit code %d, want refused: %v\n%s%s", args, code, needsMachine(cmd), stdout, stderr)
		}
	}
}

// TestTreeFlagSpellings: other ways to write / are the machine.
func TestTreeFlagSpellings(t *testing.T) {
	for root, tree := range map[string]bool{"": false, "/": false, "//": false, "/.": false, "/mnt": true, ".": true} {
		if g := (&globals{Root: root}); g.inTree() != tree {
			t.Errorf("--root %q is a tree: %v", root, !tree)
		}
	}
}

// TestNoClientOfATree: code that comes to want a client of a tree gets none, whatever the command line was.
func TestNoClientOfATree(t *testing.T) {
	root := machine(t)
	h, err := host.New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if c, err := rpc.ClientOf(h, "/data/supervisor.sock"); c != nil || !errors.Is(err, rpc.ErrTree) {
		t.Errorf("%v, %v", c, err)
	}
	g := &globals{Root: root, Base: deploy.StandardBase}
	if _, err := g.supervisorClient(); exit.CodeOf(context.Background(), err) != exit.Usage {
		t.Errorf("%v", err)
	}
	err = whileProgramsRun(t.Context(), g, func(context.Context) error { t.Error("it ran"); return nil })
	if !errors.Is(err, rpc.ErrTree) {
		t.Errorf("%v", err)
	}
}

// TestClientsAreMadeOfHosts: no code of the installer makes a client from a path alone, which would be of this machine.
func TestClientsAreMadeOfHosts(t *testing.T) {
	made := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch pkg, ok := selector.X.(*ast.Ident); {
			case ok && pkg.Name == "rpc" && selector.Sel.Name == "NewClient":
				t.Errorf("%s calls rpc.NewClient: with --root that is the supervisor of this machine; use rpc.ClientOf",
					file)
			case ok && pkg.Name == "rpc" && selector.Sel.Name == "ClientOf":
				made++
			}
			return true
		})
		return nil
	})
	if err != nil || made < 4 {
		t.Errorf("%d clients were found, %v", made, err)
	}
}
