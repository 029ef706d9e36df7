package shim

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// become runs a shim with the orders and returns what the program it became wrote, and what it reported. The test
// binary is an executable that contains the shim, so it can be one.
func become(t *testing.T, orders []byte) (output string, report []byte) {
	t.Helper()
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return r, w
	}
	outR, outW := pipe()
	ordersR, ordersW := pipe()
	reportR, reportW := pipe()
	p, err := os.StartProcess("/proc/self/exe", []string{Name}, &os.ProcAttr{
		Files: []*os.File{nil, outW, outW, ordersR, reportW}, Env: []string{},
	})
	if err != nil {
		t.Fatal(err)
	}
	outW.Close()
	reportW.Close()
	if _, err := ordersW.Write(orders); err != nil {
		t.Fatal(err)
	}
	ordersW.Close()
	report, err = io.ReadAll(reportR)
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(outR)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	return string(out), report
}

// TestControlGroupIsEntered: the thread that executes the program enters, and without that nothing is executed.
func TestControlGroupIsEntered(t *testing.T) {
	tasks := filepath.Join(t.TempDir(), "tasks")
	if err := os.WriteFile(tasks, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	spec := Spec{Path: "/bin/cat", Argv: []string{"cat", tasks}, Tasks: tasks, Umask: -1}
	output, report := become(t, spec.Encode())
	if o, ok := DecodeOutcome(report); !ok || o.Err != nil || !o.Last || output != "0" {
		t.Errorf("the program has %q, reported %+v", output, o)
	}
	spec.Tasks += ".none"
	output, report = become(t, spec.Encode())
	if o, ok := DecodeOutcome(report); !ok || o.Err == nil || o.Err.Errno != syscall.ENOENT || o.Last || output != "" {
		t.Errorf("outside of its group it has %q, reported %+v", output, o)
	}
}

// TestLimitBeyondTheMachine asks for more files than any process may have: not even root can raise a limit above
// fs.nr_open. The program gets what there is, and the daemon learns of it.
func TestLimitBeyondTheMachine(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/nr_open")
	if err != nil {
		t.Fatal(err)
	}
	most, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var have syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &have); err != nil {
		t.Fatal(err)
	}
	hard := strconv.FormatUint(have.Max, 10)
	over := strconv.FormatUint(most+1, 10)
	tests := []struct {
		name       string
		soft, hard uint64
		files      string // soft and hard limit of the program
		note       string
	}{
		{"both", most + 1, most + 1, hard + " " + hard, "limit_nofile is " + hard + ": this machine does not allow " +
			over},
		{"hard", 100, most + 1, "100 " + hard, "limit_nofile is 100:" + hard + ": this machine does not allow 100:" +
			over},
		{"unlimited", ^uint64(0), ^uint64(0), hard + " " + hard,
			"limit_nofile is " + hard + ": this machine does not allow unlimited"},
		{"allowed", 64, 65, "64 65", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := Spec{
				Path: "/bin/cat", Argv: []string{"cat", "/proc/self/limits"}, Umask: -1,
				Limits: []Limit{
					{"limit_nofile", syscall.RLIMIT_NOFILE, tt.soft, tt.hard},
					{"limit_core", syscall.RLIMIT_CORE, 0, 0}, // the one after it is set all the same
				},
			}
			limits, report := become(t, spec.Encode())
			limits = strings.Join(strings.Fields(limits), " ")
			for _, want := range []string{"Max open files " + tt.files + " files", "Max core file size 0 0 bytes"} {
				if !strings.Contains(limits, want) {
					t.Errorf("the program's limits lack %q: %s", want, limits)
				}
			}
			if strings.Contains(limits, "does not allow") {
				t.Errorf("the program's output has the shim's note in it: %s", limits)
			}
			o, ok := DecodeOutcome(report)
			if !ok || o.Err != nil || strings.Join(o.Notes, "|") != tt.note {
				t.Errorf("the report is %q, want the note %q", report, tt.note)
			}
		})
	}
}

// TestFailureIsReported names the step that failed, after what was noted before it.
func TestFailureIsReported(t *testing.T) {
	unlimited := ^uint64(0)
	spec := Spec{
		Path: "/bin/cat", Argv: []string{"cat"}, Umask: -1, Dir: "/no/such/directory",
		Limits: []Limit{{"limit_nofile", syscall.RLIMIT_NOFILE, unlimited, unlimited}},
	}
	_, report := become(t, spec.Encode())
	o, ok := DecodeOutcome(report)
	if !ok || o.Err == nil || o.Err.Step != "change to the directory /no/such/directory" ||
		o.Err.Errno != syscall.ENOENT || len(o.Notes) != 1 {
		t.Errorf("the report is %q: %+v", report, o)
	}
}

// TestNoOrders is the death of the daemon between fork and orders: there must be no program.
func TestNoOrders(t *testing.T) {
	whole := (&Spec{Path: "/bin/echo", Argv: []string{"echo", "alive"}, Umask: -1}).Encode()
	for _, cut := range []int{0, 1, len(whole) - 1} {
		if out, report := become(t, whole[:cut]); out != "" || len(report) > 0 {
			t.Errorf("%d of %d bytes of orders: output %q, report %q", cut, len(whole), out, report)
		}
	}
}
