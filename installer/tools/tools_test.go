package tools

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestMain makes the test's executable act as the tools, as the installed program does.
func TestMain(m *testing.M) {
	if status, ok := Run(os.Args); ok {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// toolsOnly returns the environment of a process that finds only the tools, and the shell by its path.
func toolsOnly(t *testing.T) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range Names() {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"PATH=" + dir}
}

// TestEggrollStopsAWorker runs the pipelines of eggroll 2.5.3 (Container.scala, eggroll_boot.sh and ProcessUtils.java)
// with nothing but the tools.
func TestEggrollStopsAWorker(t *testing.T) {
	env := toolsOnly(t)
	shell := func(command string) string {
		cmd := exec.Command("/bin/bash", "-c", command)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() > 1) {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	session := fmt.Sprintf("202611290000000000%d_toy", os.Getpid())
	worker := func(processor string) (*exec.Cmd, chan error) {
		cmd := exec.Command("/bin/bash", "-c", "read x", "egg_pair.py", "--session-id", session, "--server-node-id",
			"7", "--processor-id", processor)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		t.Cleanup(func() { in.Close(); cmd.Process.Kill() })
		return cmd, ended
	}
	for _, c := range []struct {
		kill string
		want syscall.Signal
	}{{"xargs kill", syscall.SIGTERM}, {"xargs kill -9", syscall.SIGKILL}} {
		first, firstEnded := worker("11")
		second, secondEnded := worker("22")
		check := func(cmd *exec.Cmd) string {
			return shell(fmt.Sprintf("ps aux | awk '{print $2}'| grep -w  %d", cmd.Process.Pid))
		}
		if got, want := check(first), fmt.Sprintln(first.Process.Pid); got != want {
			t.Errorf("the check of a running worker prints %q, want %q", got, want)
		}
		list := fmt.Sprintf("ps aux | grep 'session-id %s' | grep 'server-node-id 7' | grep 'processor-id 11'", session)
		shell(list + " | grep -v eggroll_boot.sh | awk '{print $2}' | " + c.kill)
		err, ok := (<-firstEnded).(*exec.ExitError)
		if !ok || err.Sys().(syscall.WaitStatus).Signal() != c.want {
			t.Errorf("%s: the worker ended with %v, want %v", c.kill, err, c.want)
		}
		if got := check(first); got != "" {
			t.Errorf("the check of a stopped worker prints %q", got)
		}
		select {
		case err := <-secondEnded:
			t.Errorf("%s: another processor of the session ended, too: %v", c.kill, err)
		default:
		}
		second.Process.Kill()
	}
}

// TestLikeTheHosts compares the tools with those of the machine, where it has them.
func TestLikeTheHosts(t *testing.T) {
	properties := filepath.Join(t.TempDir(), "eggroll.properties")
	text := "[eggroll]\n# eggroll.egg_pair.venv=no\neggroll.egg_pair.venv=/data/venv\neggroll.egg_pair.pythonpath=/a:/b\na+b\naab\n" +
		"a.b*c\nfoo(bar)\nthe word 1234 stands\n1234\n12345\nüber\na\\b\n[x]\nlast without newline"
	if err := os.WriteFile(properties, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := toolsOnly(t)
	for _, args := range [][]string{
		{"grep", "eggroll.egg_pair.venv"}, {"grep", "-v", "eggroll"}, {"grep", "-w", "1234"}, {"grep", "-w", "word"},
		{"grep", "-c", "a"},
		{"grep", "-n", "a*b"}, {"grep", "*c"}, {"grep", "a+b"}, {"grep", `a\+b`}, {"grep", "-E", "a+b"},
		{"grep", "foo(bar)"},
		{"grep", `foo\(bar\)`}, {"grep", "-E", `foo\(bar\)`}, {"grep", "-F", "a.b*c"}, {"grep", "^a"}, {"grep", "e$"},
		{"grep", "a^b"},
		{"grep", "[[:digit:]]$"}, {"grep", `[\]`}, {"grep", "[]x]"}, {"grep", "[^[:alpha:]]$"}, {"grep", "-i", "WORD"},
		{"grep", "-x", "1234"},
		{"grep", "nothing at all"}, {"grep", "-q", "word"}, {"grep", "-e", "über", "-e", "last"},
		{"grep", `\(aa\|12\)[b3]`}, {"grep", `1\{1\}2`},
		{"grep", `\<word\>`}, {"grep", "[a"}, {"grep", "-E", "a{2}b|^ü"}, {"grep", ""}, {"grep", "-vE", "^(#|$)"},
		{"awk", "{print $2}"}, {"awk", "-F", "=", "{if($2!~/^#/) print $2}"}, {"awk", "NR==1 {print $1}"},
		{"awk", "-F=", "-v", "x=1", "END {print NR+x}"},
		{"awk", "{print"},
		{"xargs", "echo"}, {"xargs", "-n", "2", "echo"}, {"xargs", "-r", "false"}, {"xargs", "false"},
		{"xargs", "not-a-program"}, {"xargs", "-0", "echo"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			theirs, err := exec.LookPath(args[0])
			if err != nil {
				t.Skip("this machine has none")
			}
			input := text
			if args[0] == "xargs" { // quotes in the text would be no use to it
				input = "one 'two three' four\\ five\n\n six\t\"seven\""
			}
			if args[0] == "xargs" && args[1] == "-0" {
				input = "one two\x00three\x00"
			}
			run := func(program string, env []string) (string, int) {
				var out bytes.Buffer
				cmd := exec.Command(program, args[1:]...)
				cmd.Stdin, cmd.Stdout, cmd.Env = strings.NewReader(input), &out, env
				if err := cmd.Run(); cmd.ProcessState == nil {
					t.Fatal(err)
				}
				return out.String(), cmd.ProcessState.ExitCode()
			}
			dir := strings.TrimPrefix(ours[0], "PATH=")
			machine := "PATH=" + os.Getenv("PATH")
			got, status := run(filepath.Join(dir, args[0]), []string{machine, "LC_ALL=C.UTF-8"})
			want, wantStatus := run(theirs, []string{machine, "LC_ALL=C.UTF-8"})
			if diff := cmp.Diff(want, got); diff != "" || status != wantStatus {
				t.Errorf("exit status %d, the machine's %d; -machine's +ours:\n%s", status, wantStatus, diff)
			}
		})
	}
}

// TestListColumns reads processes from files; the columns are those of procps.
func TestListColumns(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Date(2026, 11, 29, 10, 0, 0, 0, time.Local)
	write("stat", fmt.Sprintf("cpu 1\nbtime %d\n", now.Add(-2*time.Hour).Unix()))
	write("meminfo", "MemTotal: 1048576 kB\n")
	// Fields 3 to 24 of proc(5): state, ppid, pgrp, session, tty, ...; utime 14, stime 15, starttime 22, vsize 23, rss
	// 24.
	stat := func(pid int, name, state string, tty, utime, start, size, rss int) string {
		return fmt.Sprintf("%d (%s) %s 1 1 1 %d -1 0 0 0 0 0 %d 0 0 0 20 0 1 0 %d %d %d 0 0", pid, name, state, tty,
			utime, start, size, rss)
	}
	write("1/stat", stat(1, "systemd", "S", 0, 100, 0, 100<<20, 2048))
	write("1/status", "Name:\tsystemd\nUid:\t0\t0\t0\t0\n")
	write("1/cmdline", "/sbin/init\x00")
	write("4242/stat", stat(4242, "py) (thon", "R", 136<<8|3, 6*60*100, 360000, 1<<30, 64<<10))
	write("4242/status", "Uid:\t1\t4000000000\t1\t1\n")
	write("4242/cmdline", "python\x00egg_pair.py\x00--session-id\x00a\nb\x00")
	write("77/stat", stat(77, "sh", "Z", 0, 0, 0, 0, 0))
	write("78/stat", "78 (cut")
	write("self/stat", "no process")
	got := listed(t, procFS{dir: dir, now: now})
	rss := 2048 * os.Getpagesize() >> 10
	want := []string{
		"USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND",
		fmt.Sprintf("root 1 0.0 %.1f 102400 %d ? S 08:00 0:01 /sbin/init", 100*float64(rss)/1048576, rss),
		"? 77 0.0 0.0 0 0 ? Z 08:00 0:00 [sh] <defunct>",
		fmt.Sprintf("4000000+ 4242 10.0 %.1f 1048576 %d pts/3 R 09:00 6:00 python egg_pair.py --session-id a?b",
			3200*float64(rss)/1048576, 32*rss),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func listed(t *testing.T, p procFS) []string {
	t.Helper()
	var b bytes.Buffer
	out := bufio.NewWriter(&b)
	if err := p.list(out); err != nil {
		t.Fatal(err)
	}
	out.Flush()
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"ps", "-ef"}, 1, "ps aux only"},
		{[]string{"kill"}, 1, "no process given"},
		{[]string{"kill", "-NONE", "1"}, 1, `unknown signal "NONE"`},
		{[]string{"kill", "abc"}, 1, `"abc" is not a process ID`},
		{[]string{"kill", "-0", "999999999"}, 1, "(999999999): no such process"},
		{[]string{"xargs", "-P4", "echo"}, 1, "unknown option -P4"},
		{[]string{"grep", "-P", "x"}, 2, "unknown option -P"},
		{[]string{"grep"}, 2, "no pattern given"},
		{[]string{"grep", `\(a\)\1`}, 2, "cannot use pattern"},
		{[]string{"grep", "x", "/not/there"}, 2, "no such file"},
		{[]string{"awk", "-W", "version"}, 2, "unknown option -W"},
		{[]string{"awk"}, 2, "no program given"},
	} {
		var out, errOut bytes.Buffer
		status := all[c.args[0]](streams{strings.NewReader(""), &out, &errOut}, c.args[1:])
		if status != c.status || !strings.Contains(errOut.String(), c.says) {
			t.Errorf("%q: status %d, want %d; it says %q, want %q in it", c.args, status, c.status,
				errOut.String(), c.says)
		}
	}
}

func TestRunIsForTheToolsNamesOnly(t *testing.T) {
	for _, argv := range [][]string{nil, {"fate-installer"}, {"/usr/local/bin/fate-installer", "ps"}, {"tools.test"}} {
		if _, ok := Run(argv); ok {
			t.Errorf("%q ran a tool", argv)
		}
	}
}

// FuzzPattern: any pattern gives an expression that compiles or an error, and a fixed text matches itself.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{"a*b", `\(a\|b\)`, "[[:alpha:]]", "[]]", "[^]", `a\{2,3\}`, `\`, "*",
		"^*", "[a", `\<x\>`} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		for _, o := range []grepOptions{{}, {extended: true}, {fixed: true}} {
			o.patterns = []string{p}
			match, err := o.compile()
			if err == nil {
				match([]byte(p))
			}
			if o.fixed && utf8.ValidString(p) && !strings.Contains(p, "\n") && (err != nil || !match([]byte(p))) {
				t.Errorf("the text %q does not match itself (%v)", p, err)
			}
		}
	})
}
