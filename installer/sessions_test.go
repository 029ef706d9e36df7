package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fate-installer/installer/golden"
	"fate-installer/installer/language"
	"fate-installer/installer/output/outputtest"

	"golang.org/x/sys/unix"
)

// sessionLanguages are the languages in which sessions are held.
var sessionLanguages = language.Names

// sessionColumns are the widths of terminals; 0: standard output and error are one file.
var sessionColumns = []int{0, 80, 120}

// typed is a command line of a session as it is typed at a shell in its directory, and what is answered to its
// question.
type typed struct {
	line   string
	answer string // after the question, which ends with a space; blank: none is asked
	code   int
}

// sessions are what people do one after the other. On each host the commands are the real ones: those with a tree make
// files in it, and those without one speak to a supervisor whose programs do not change.
var sessions = map[string][]typed{
	"install": {
		{line: "fate-installer init --host 10000:192.168.0.1 --guest 9999:192.168.1.1 --out cluster.yaml"},
		{line: "fate-installer check --root host1 --payload appliance --config cluster.yaml --ip 192.168.0.1"},
		{line: "fate-installer plan --brief --root host1 --payload appliance --config cluster.yaml --ip 192.168.0.1"},
		{line: "fate-installer install --root host1 --payload appliance --config cluster.yaml --ip 192.168.0.1"},
	},
	"demo": { // of the README
		{line: "fate-installer init --host 10000:192.168.0.1 --out host.yaml"},
		{line: "fate-installer plan --brief --config host.yaml --ip 192.168.0.1 --root host1 --payload appliance"},
		{line: "fate-installer install --quiet --config host.yaml --ip 192.168.0.1 --root host1 --payload appliance"},
		{line: "fate-installer svc status", code: 3},
		{line: "fate-installer svc why fateflow", code: 3},
	},
	"operate": {
		{line: "fate-installer svc status", code: 3},
		{line: "fate-installer svc why fateflow", code: 3},
		{line: "fate-installer svc statsu", code: 2},
	},
	"uninstall": {
		{line: "fate-installer install --root host1 --payload appliance --role exchange --ip 192.168.0.88 --quiet"},
		{line: "fate-installer uninstall --root host1", answer: "n", code: 2},
		{line: "fate-installer uninstall --root host1", answer: "y"},
	},
}

// TestSessions holds each session on each kind of terminal against its golden screen: what the terminal shows at the
// end, with its colours.
func TestSessions(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("CLICOLOR_FORCE", "")
	t.Setenv("TERM", "xterm")
	t.Setenv("PATH", t.TempDir()) // texts call the program by its name
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, lines := range sessions {
		for _, spoken := range sessionLanguages {
			for _, columns := range sessionColumns {
				t.Run(fmt.Sprint(name, " ", spoken, columns), func(t *testing.T) {
					got := newSessionHost(t).hold(t, lines, spoken, columns)
					golden.Compare(t, filepath.Join(here, "testdata", "sessions",
						fmt.Sprintf("%s.%s.%d.txt", name, spoken, columns)), strings.ReplaceAll(got, "\x1b", "^["))
				})
			}
		}
	}
}

// sessionHost is the directory in which a session is held.
type sessionHost struct{ dir, base string }

// newSessionHost makes the tree of a host, an appliance, and a supervisor.
func newSessionHost(t *testing.T) sessionHost {
	t.Helper()
	h := sessionHost{dir: t.TempDir(), base: fixedSupervisor(t)}
	root := filepath.Join(h.dir, "host1")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	makeMachine(t, root)
	addPrograms(t, root)
	appliance := applianceOf(t, partyVersions)
	if err := os.Rename(appliance, filepath.Join(h.dir, "appliance")); err != nil {
		t.Fatal(err)
	}
	return h
}

// elapsed are times that are shown because they were long enough, and room is that of the test's file system.
var (
	elapsed = regexp.MustCompile(`(?m)( +\(|（)\d+\.\ds[)）]$`)
	room    = regexp.MustCompile(`[\d.]+ [MGT]iB( free of |，共 )[\d.]+ [GT]iB`)
)

// question is the end of a question, in each language.
var question = regexp.MustCompile(`[?？] ?\[y/N\] $`)

// steady is what a session shows without what differs from run to run.
func (h sessionHost) steady(text string) string {
	text = elapsed.ReplaceAllString(strings.ReplaceAll(text, " --base "+h.base, ""), "")
	return room.ReplaceAllString(text, "60.6 GiB${1}252.0 GiB")
}

// hold types the lines, and returns what the terminal shows in the end.
func (h sessionHost) hold(t *testing.T, lines []typed, spoken string, columns int) string {
	t.Helper()
	if columns == 0 {
		return h.holdInFile(t, lines, spoken)
	}
	master, slave := openPTY(t, columns)
	screen := outputtest.NewTerminal(columns, 25)
	seen := make(chan struct{})
	answers := make(chan string, 1)
	go func() {
		defer close(seen)
		var asked strings.Builder
		buffer := make([]byte, 4096)
		answer := ""
		for {
			n, err := master.Read(buffer)
			if err != nil { // the other end is closed
				return
			}
			text := strings.ReplaceAll(string(buffer[:n]), "\r\n", "\n")
			_, _ = screen.Write([]byte(text))
			asked.WriteString(text)
			select {
			case answer = <-answers:
				asked.Reset()
				asked.WriteString(text)
			default:
			}
			if answer != "" && question.MatchString(asked.String()) {
				_, _ = master.WriteString(answer + "\n")
				answer = ""
			}
		}
	}()
	for _, l := range lines {
		if l.answer != "" {
			answers <- l.answer
		}
		fmt.Fprintf(slave, "$ %s\n", l.line)
		h.execute(t, l, spoken, &globals{Stdin: slave, Stdout: slave, Stderr: slave})
	}
	slave.Close()
	<-seen
	if unknown := screen.Unknown(); len(unknown) > 0 {
		t.Errorf("sequences that a terminal may not know: %q", unknown)
	}
	return h.steady(screen.Styled())
}

func (h sessionHost) holdInFile(t *testing.T, lines []typed, spoken string) string {
	t.Helper()
	var out strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&out, "$ %s\n", l.line)
		h.execute(t, l, spoken, &globals{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
	}
	if strings.ContainsAny(out.String(), "\x1b\r") {
		t.Errorf("control characters in a file: %q", out.String())
	}
	return h.steady(out.String())
}

// execute runs one line. A command without --root works with the machine: it gets the base directory of the fixed
// supervisor, which the texts do not show.
func (h sessionHost) execute(t *testing.T, l typed, spoken string, g *globals) {
	t.Helper()
	t.Chdir(h.dir)
	args := strings.Fields(l.line)[1:]
	g.Base = h.base
	g.parallel = 1 // the order of the lines
	if args[0] == "svc" {
		args = append(args, "--base", h.base)
	}
	args = append(args, "--lang", spoken)
	code := execute(context.Background(), g, args)
	// nothing is asked where no terminal is
	if _, asks := g.Stdin.(*os.File); code != l.code && (asks || l.answer == "") {
		t.Errorf("%s: exit code %d, want %d", l.line, code, l.code)
	}
}

// openPTY opens a terminal that is so many columns wide: master is what its user sees and types.
func openPTY(t *testing.T, columns int) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	number, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no terminals: %v", err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}
