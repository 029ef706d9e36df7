package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/exit"

	"github.com/spf13/cobra"
)

// freeArguments are the commands that take any number of arguments, and what refuses a wrong one.
var freeArguments = map[string]string{
	"svc status": "the supervisor", "svc start": "the supervisor", "svc stop": "the supervisor",
	"svc restart": "the supervisor",
	"svc update":  "the supervisor", "party test": "the route table", "party add": "the route",
	"party remove": "the party",
	"job clean":    "FATE-Flow", "secrets rotate": "its words", "help": "its words", "svc probe-nodes": "the address",
}

// TestEveryCommandRefusesWhatItDoesNotKnow types wrong words and flags behind every command there is.
func TestEveryCommandRefusesWhatItDoesNotKnow(t *testing.T) {
	root := t.TempDir()
	refused := func(t *testing.T, args ...string) {
		t.Helper()
		stdout, stderr, code := run(t, append(args, "--root", root)...)
		if code != exit.Usage || stdout != "" || !strings.HasPrefix(stderr, "error: ") || !strings.Contains(stderr,
			" hint: ") {
			t.Errorf("%v: exit %d, want %d and a hint\nstdout %q\nstderr %q", args, code, exit.Usage, stdout, stderr)
		}
	}
	var walk func(cmd *cobra.Command, words []string)
	walk = func(cmd *cobra.Command, words []string) {
		refused(t, append(slices.Clone(words), "--nosuch-flag")...)
		if _, free := freeArguments[strings.Join(words, " ")]; !free {
			refused(t, append(slices.Clone(words), "nosuch", "nosuch", "nosuch")...)
		}
		for _, sub := range cmd.Commands() {
			walk(sub, append(slices.Clone(words), sub.Name()))
		}
	}
	walk(newRootCommand(&globals{}), nil)
}

// TestUsageErrorsComeFirst holds what was mistyped against what is said of it: before anything else is printed,
// looked at or refused, with the words that are near.
func TestUsageErrorsComeFirst(t *testing.T) {
	root := machine(t)
	host := []string{"--role", "host", "--party", "10000", "--ip", "192.168.0.1"}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"svc", "statu"}, "fate-installer svc status"},
		{[]string{"bundle", "verfy"}, "fate-installer bundle verify"},
		{[]string{"bundle", "nosuch"}, `unknown command "nosuch" for "fate-installer bundle"`},
		{[]string{"config", "nosuch"}, `unknown command "nosuch" for "fate-installer config"`},
		{[]string{"completion", "nosuch"}, `unknown command "nosuch" for "fate-installer completion"`},
		{[]string{"help", "nosuch"}, `unknown command "nosuch"`},
		{[]string{"help", "svc", "statu"}, "fate-installer svc status"},
		{[]string{"instal"}, "fate-installer install"},
		{[]string{"version", "--ouput", "json"}, "--output"},
		{[]string{"--party", "10000"}, "neither --role nor --config"},
		{[]string{"plan", "--role", "host"}, "without --party"},
		{[]string{"render"}, "[out diff]"},
		{[]string{"bundle", "build"}, "missing options: --lock, --out"},
		{[]string{"bundle", "extract"}, "missing argument: COMPONENT|all DIR"},
		{[]string{"bundle", "extract", "all"}, "missing argument: DIR"},
		{[]string{"bundle", "lock", "x", "y"}, `unexpected argument "y" after x`},
		{[]string{"bundle", "inspect", "x", "y"}, `unexpected argument "y"`},
		{[]string{"plan", "--role", "host", "--party", "99999999999999999999"}, "the number is too large"},
		{[]string{"history", "--lines", "-1"}, "cannot be negative"},
		{[]string{"keys", "check"}, "usage: fate-installer keys check PATH"},
		{append([]string{"install", "--only", "mysq"}, host...), "did you mean mysql?"},
		{append([]string{"--only", "mysql,foo"}, host...), `cannot use --only "foo"`},
		{append([]string{"plan", "--mode", "foo"}, host...), "deploy, install or config"},
		{append([]string{"check", "--skip-os=firewal"}, host...), "did you mean firewall?"},
		{append([]string{"check", "--skip-os", "firewall"}, host...), "--skip-os=firewall"},
		{append([]string{"install", "--waive", "foo"}, host...), "ID=reason"},
		{append([]string{"install", "--wait", "-4s"}, host...), "cannot be negative"},
		{[]string{"plan", "--role", "gest", "--party", "1"}, "did you mean guest"},
		{[]string{"plan", "--party", "foo"}, "cannot use --party foo: it takes a number"},
		{[]string{"svc", "status", "--interval", "5"}, "a time such as"},
		{[]string{"version", "-o", "jsn"}, "did you mean json?"},
		{[]string{"test", "min", "--data", "fats"}, "did you mean fast?"},
		{[]string{"init", "--host", "1:10.0.0.1", "--engine", "egroll"}, "did you mean eggroll?"},
		{[]string{"init", "--host", "1:10.0.0.1", "--tls", "host,gest"}, "did you mean guest"},
		{[]string{"bundle", "build", "--lock", "x", "--out", "x", "--codec", "gzip"}, "zstd or xz"},
		{[]string{"bundle", "build", "--lock", filepath.Join(root, "nosuch"), "--out", "x"}, "nosuch"},
		{[]string{"secrets", "rotate", "mysql_rot"}, "did you mean mysql_root"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			stdout, stderr, code := run(t, append(tt.args, "--root", root)...)
			if code != exit.Usage || !strings.Contains(stderr, tt.want) || stdout != "" {
				t.Errorf("exit %d, stdout %q, stderr %q, want %q in it", code, stdout, stderr, tt.want)
			}
		})
	}
}

// TestCompletionOfWords asks for the words of flags as a shell does.
func TestCompletionOfWords(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"plan", "--role", ""}, "exchange\n"}, {[]string{"plan", "--mode", ""}, "deploy\n"},
		{[]string{"install", "--only", "my"}, "mysql\n"}, {[]string{"version", "-o", ""}, "json\n"},
		{[]string{"secrets", "rotate", "my"}, "mysql_root\n"},
	} {
		if stdout, _, code := run(t, append([]string{"__complete"}, tt.args...)...); code != exit.OK ||
			!strings.Contains(stdout, tt.want) {
			t.Errorf("%q: exit %d\n%s", tt.args, code, stdout)
		}
	}
}

// TestSudoLine holds that the line for root can be pasted: with the program's whole path and quoted words.
func TestSudoLine(t *testing.T) {
	g := &globals{args: []string{"uninstall", "--base", "/data x"}}
	line := g.withSudo()
	if !strings.HasPrefix(line, "sudo /") || !strings.HasSuffix(line, " uninstall --base '/data x'") {
		t.Error(line)
	}
}

func TestNoApplianceIsNotDamaged(t *testing.T) {
	_, stderr, code := run(t, "bundle", "inspect", "/etc/passwd")
	if code != exit.Payload || !strings.Contains(stderr, "/etc/passwd is not an appliance") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestUnknownCheckIsNotWaived(t *testing.T) {
	_, stderr, code := run(t, "check", "--root", machine(t), "--role", "host", "--party", "10000", "--ip",
		"192.168.0.1", "--waive", "limit:nofiles=x")
	if code != exit.Usage || !strings.Contains(stderr, "did you mean limit:nofile") {
		t.Errorf("exit %d, stderr %q", code, stderr)
	}
	root, _, _ := upgradedExchange(t)
	next := applianceOf(t, map[string]string{"jdk": "8u500", "eggroll": "2.5.9"})
	for _, args := range [][]string{{"install"}, {"upgrade", "--payload", next}, {"rollback"}} {
		stdout, stderr, code := runCLI(t, root, "", append(args, "--waive", "limit:nofiles=x")...)
		if code != exit.Usage || stdout != "" || !strings.Contains(stderr, "did you mean limit:nofile") {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

// TestApplianceThatCannotBeOpened holds the contract's code for a payload that is damaged or missing.
func TestApplianceThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "MISSING")
	for _, args := range [][]string{
		{"bundle", "verify", missing}, {"bundle", "verify", dir}, {"bundle", "inspect", missing}, {"bundle",
			"verify", "--payload", missing},
		{"bundle", "extract", "--from", missing, "all", filepath.Join(dir, "x")}, {"bundle", "verify", "--part",
			missing + ".part001"},
		{"plan", "--root", dir, "--payload", missing, "--role", "host", "--party", "1", "--ip", "192.168.0.1"},
	} {
		if stdout, stderr, code := run(t, args...); code != exit.Payload || stdout != "" || stderr == "" {
			t.Errorf("%v: exit %d, want %d\n%s%s", args, code, exit.Payload, stdout, stderr)
		}
	}
}

// TestSvcNamesThatDoNotExist asks a supervisor that runs.
func TestSvcNamesThatDoNotExist(t *testing.T) {
	base, err := os.MkdirTemp("", "b") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	dir := filepath.Join(base, "projects/common/supervisord")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := "[program:fate-mysql]\ncommand=/bin/sleep 1000\nautostart=false\n"
	if err := os.WriteFile(filepath.Join(dir, "supervisord.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	go func() {
		g := &globals{Stdin: strings.NewReader(""), Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer)}
		ended <- execute(context.Background(), g, []string{"--base", base, "svc", "run"})
	}()
	t.Cleanup(func() {
		if _, stderr, code := svc(t, base, "shutdown"); code != exit.OK {
			t.Errorf("svc shutdown: exit %d\n%s", code, stderr)
		}
		<-ended
	})
	for {
		if _, _, code := svc(t, base, "status"); code == exit.Preflight { // it answers: fate-mysql is stopped
			break
		}
		select {
		case code := <-ended:
			t.Fatalf("svc run ended with %d", code)
		case <-time.After(20 * time.Millisecond):
		}
	}
	for _, args := range [][]string{{"update", "mysq"}, {"start", "mysq"}, {"status", "fate-mysq"}, {"logs",
		"mysq"}, {"why", "mysq"}, {"stop", "mysq"}} {
		if stdout, stderr, code := svc(t, base, args...); code != exit.Usage || stdout != "" ||
			!strings.Contains(stderr, "did you mean") || !strings.Contains(stderr, "mysql") {
			t.Errorf("svc %v: exit %d\n%s%s", args, code, stdout, stderr)
		}
	}
	for _, words := range [][]string{{}, {"mysql"}, {"fate-mysql"}, {"all"}} {
		if _, stderr, code := svc(t, base, append([]string{"update"}, words...)...); code != exit.OK {
			t.Errorf("svc update %v: exit %d\n%s", words, code, stderr)
		}
	}
}
