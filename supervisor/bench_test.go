package supervisor

import (
	"syscall"
	"testing"
	"time"

	"fate-installer/supervisor/config"
)

// BenchmarkRestart is the time from the death of a program to the execution of the next, as the supervisor sees it.
func BenchmarkRestart(b *testing.B) {
	t := newBench(b)
	p := config.NewProgram("a", "/bin/sleep", "100000")
	p.StdoutLogfile, p.RedirectStderr, p.AutoRestart = "NONE", true, "true"
	p.StartSecs, p.RestartDelay, p.RestartDelayMax = 0, 0, 0
	t.run(p)
	t.start("a")
	s := t.sup.service("a")
	for b.Loop() {
		old := t.status("a").PID
		if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		for {
			st, changed := s.wait()
			if st.PID != 0 && st.PID != old {
				break
			}
			<-changed
		}
	}
}

// BenchmarkStatuses is the cost of a look at a thousand programs.
func BenchmarkStatuses(b *testing.B) {
	t := newBench(b)
	var programs []config.Program
	for i := range 1000 {
		p := config.NewProgram("p"+time.Duration(i).String(), "/bin/true")
		p.AutoStart = false
		programs = append(programs, p)
	}
	t.run(programs...)
	for b.Loop() {
		if len(t.sup.Statuses()) != 1000 {
			b.Fatal("not all")
		}
	}
}
