package adopt

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"fate-installer/scripts/ansiblefate"
)

// longProgram is a program file of a size.
func longProgram(name string, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[program:%s]\ncommand=/opt/x\n", name)
	for line := "# " + strings.Repeat("x", 1000) + "\n"; b.Len()+len(line) <= size; {
		b.WriteString(line)
	}
	return b.String()
}

func reasons(p *Plan) string {
	var out []string
	for _, s := range p.Skipped {
		out = append(out, filepath.Base(s.File)+": "+s.Why)
	}
	return strings.Join(out, "\n")
}

// TestProgramFilesAreBounded fills the directory of the program files, as the service user can, also with hard links.
// FATE's own are read, whatever their place in the alphabet.
func TestProgramFilesAreBounded(t *testing.T) {
	t.Run("long", func(t *testing.T) {
		h, dir := tree(t, ansiblefate.Options{})
		put(t, dir, programDir+"a.conf", longProgram("a", programFileLimit+2000))
		p := mustPlan(t, h, options())
		if got := reasons(p); got != "a.conf: it has more than 1048576 bytes" || len(p.Programs) != 6 {
			t.Errorf("%d programs; not read: %s", len(p.Programs), got)
		}
	})
	t.Run("many", func(t *testing.T) {
		h, dir := tree(t, ansiblefate.Options{})
		for i := range 300 {
			put(t, dir, fmt.Sprintf("%sa%03d.conf", programDir, i), fmt.Sprintf("[program:a%d]\ncommand=/x\n", i))
		}
		p := mustPlan(t, h, options())
		if got := reasons(p); got != "supervisord.d: it has 106 program files more than the 200 that are read" ||
			len(p.Programs) != 200 || p.Programs[0].Name != "fate-mysql" {
			t.Errorf("%d programs; not read: %s", len(p.Programs), got)
		}
	})
	t.Run("together", func(t *testing.T) {
		h, dir := tree(t, ansiblefate.Options{})
		put(t, dir, programDir+"a.conf", longProgram("a", programFileLimit))
		for i := range 40 {
			name := filepath.Join(dir, programDir, fmt.Sprintf("b%02d.conf", i))
			if err := os.Link(filepath.Join(dir, programDir, "a.conf"), name); err != nil {
				t.Fatal(err)
			}
		}
		p := mustPlan(t, h, options())
		const why = "with it, the program files have more than 33554432 bytes together"
		if got := strings.Count(reasons(p), why); got < 9 || got != len(p.Skipped) || len(p.Programs)+got != 47 {
			t.Errorf("%d programs; not read: %s", len(p.Programs), reasons(p))
		}
	})
}

// TestCrontabsAreReadOnce counts how often the crontab of the service user is opened.
func TestCrontabsAreReadOnce(t *testing.T) {
	h, dir := tree(t, ansiblefate.Options{Running: true})
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	const wanted = unix.IN_OPEN | unix.IN_CLOSE_NOWRITE // both, since equal events in a row become one
	if _, err := unix.InotifyAddWatch(fd, filepath.Join(dir, "var/spool/cron/app"), wanted); err != nil {
		t.Fatal(err)
	}
	mustPlan(t, h, options())
	buffer := make([]byte, 4096)
	n, err := unix.Read(fd, buffer)
	if err != nil {
		t.Fatal(err)
	}
	if events := n / int(unsafe.Sizeof(unix.InotifyEvent{})); events != 2 {
		t.Errorf("it was opened and closed in %d events, want 2", events)
	}
}

// TestCleanReachesEveryText holds that no text of a plan is left out.
func TestCleanReachesEveryText(t *testing.T) {
	h, _ := tree(t, ansiblefate.Options{Running: true, TLS: true, Linked: []string{"eggroll"}})
	p := mustPlan(t, h, options())
	p.Clean(func(string) string { return "x" })
	if p.Base != "x" || p.Boot[0].Text != "x" || p.Links[0].Target != "x" || *p.Differences[0].Theirs != "x" &&
		p.Differences[0].Theirs != nil || p.Keys.Files[0].File != "x" || p.Supervisor.Conf != "x" ||
		!slices.Equal(p.Programs[0].Processes[0].Command[:1], []string{"x"}) {
		t.Errorf("texts are left: %+v", p)
	}
}
