//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fate-installer/scripts/demo/appliance"
	"fate-installer/scripts/lab/lab"
)

// long reports whether the scenarios may take hours: make e2e-long sets FATE_E2E_LONG.
func long() bool { return os.Getenv("FATE_E2E_LONG") != "" }

// repeats is how often a scenario does something at random.
func repeats(few, often int) int {
	if long() {
		return often
	}
	return few
}

// onlyLong skips a scenario of many minutes, so that make test stays below an hour.
func onlyLong(t *testing.T) {
	t.Helper()
	if !long() {
		t.Skip("takes many minutes: run make e2e-long")
	}
}

func TestMain(m *testing.M) {
	lab.Main()
	os.Exit(m.Run())
}

// bareProgram is the program without a payload, built once per run of the tests.
var bareProgram = sync.OnceValues(func() (string, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("make", "-s", "-C", root, "build").CombinedOutput(); err != nil {
		return "", fmt.Errorf("make build: %w: %s", err, out)
	}
	return filepath.Join(root, "bin/fate-installer"), nil
})

// demoAppliance is the program with the demo's payload, built once per run of the tests.
var demoAppliance = sync.OnceValues(func() (string, error) {
	program, err := bareProgram()
	if err != nil {
		return "", err
	}
	return appliance.Build(context.Background(), program, appliance.MariaDB, os.Stderr)
})

// mysqlAppliance is as demoAppliance, with a real MySQL 8 in place of MariaDB.
var mysqlAppliance = sync.OnceValues(func() (string, error) {
	program, err := bareProgram()
	if err != nil {
		return "", err
	}
	return appliance.Build(context.Background(), program, appliance.MySQL, os.Stderr)
})

// Where the appliance is carried to, and where an installation has the program.
const (
	installerFile = "/root/fate-installer"
	programFile   = "/usr/local/bin/fate-installer"
)

// bench is a lab for a test.
type bench struct {
	*lab.Lab
	t *testing.T
}

// newBench boots hosts given as NAME=ADDRESS and copies the appliance to them.
func newBench(t *testing.T, hosts ...string) bench {
	t.Helper()
	return newBenchWith(t, demoAppliance, installerFile, hosts...)
}

// newBenchWith boots hosts and copies a file to them.
func newBenchWith(t *testing.T, build func() (string, error), target string, hosts ...string) bench {
	t.Helper()
	return newBenchOn(t, "", build, target, hosts...)
}

// newBenchOn boots hosts with a release of Debian, and copies a file to them. The test is skipped where the machine's
// package source does not have the release.
func newBenchOn(t *testing.T, suite string, build func() (string, error), target string, hosts ...string) bench {
	t.Helper()
	file, err := build()
	if err != nil {
		t.Fatal(err)
	}
	list, err := lab.ParseHosts(hosts)
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Up(t.Context(), lab.Config{Name: labName(t), Hosts: list, Suite: suite, Log: os.Stderr})
	if errors.Is(err, lab.ErrNoSuite) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, h := range list {
		if err := l.CopyTo(t.Context(), file, h.Name, target); err != nil {
			t.Fatal(err)
		}
	}
	return bench{l, t}
}

// labs counts the labs of this process: subtests may share the first letters of their names.
var labs atomic.Int32

// labName names a lab after its test, as far as a lab's name allows.
func labName(t *testing.T) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(strings.TrimPrefix(t.Name(), "Test")))
	name = fmt.Sprintf("e%d-%d-%s", os.Getpid(), labs.Add(1), name)
	return strings.TrimRight(name[:min(len(name), 32)], "-")
}

// step runs a part of a test on which the rest of it builds.
func (b bench) step(name string, f func(b bench)) {
	b.t.Helper()
	if !b.t.Run(name, func(t *testing.T) { f(b.on(t)) }) {
		b.t.FailNow()
	}
}

// on returns the bench for a subtest.
func (b bench) on(t *testing.T) bench { return bench{b.Lab, t} }

// run runs a command that has to succeed, and returns its standard output.
func (b bench) run(host string, args ...string) string {
	b.t.Helper()
	out, code, err := b.try(host, args...)
	if err != nil || code != 0 {
		b.t.Fatalf("host %s: %s: exit status %d (%v)\n%s", host, strings.Join(args, " "), code, err, out)
	}
	return out
}

// try runs a command and returns what it printed and its exit status. Standard error
// follows standard output when the command fails.
func (b bench) try(host string, args ...string) (string, int, error) {
	var out, errOut bytes.Buffer
	err := b.Run(b.t.Context(), host, lab.Cmd{Args: args, Stdout: &out, Stderr: &errOut})
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return out.String() + errOut.String(), exit.ExitCode(), nil
	}
	return out.String(), 0, err
}

// install installs a party and logs what the installer says.
func (b bench) install(host string, args ...string) {
	b.t.Helper()
	start := time.Now()
	out := b.run(host, append([]string{installerFile}, args...)...)
	b.t.Logf("install on %s took %.1f s:\n%s", host, time.Since(start).Seconds(), out)
}

// carry copies a file of one host into /root of others, as an administrator would on
// a stick.
func (b bench) carry(file, from string, to ...string) {
	b.t.Helper()
	stick := filepath.Join(b.t.TempDir(), filepath.Base(file))
	if err := b.CopyFrom(b.t.Context(), from, file, stick); err != nil {
		b.t.Fatal(err)
	}
	for _, host := range to {
		if err := b.CopyTo(b.t.Context(), stick, host, "/root/"); err != nil {
			b.t.Fatal(err)
		}
	}
}

// listen records what a host exchanges with one address, until the returned function
// is called, which gives back the payloads in one piece for each direction.
func (b bench) listen(host, address string) (stop func() []byte) {
	b.t.Helper()
	capture, err := b.Capture(host)
	if err != nil {
		b.t.Fatal(err)
	}
	return func() []byte {
		b.t.Helper()
		frames, err := capture.Stop()
		if err != nil {
			b.t.Fatal(err)
		}
		var in, out []byte
		for _, f := range frames {
			switch address {
			case f.Source.String():
				in = append(in, f.Data...)
			case f.Destination.String():
				out = append(out, f.Data...)
			}
		}
		return append(in, out...)
	}
}

// program is a line of svc status -o json.
type program struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`
	Ready    bool      `json:"ready"`
	PID      int       `json:"pid"`
	Restarts int       `json:"restarts"`
	Why      string    `json:"why"`
	Started  time.Time `json:"started"`
}

// status returns the programs of a host by name, and the exit status of svc status.
func (b bench) status(host string) (map[string]program, int) {
	b.t.Helper()
	out, code, err := b.try(host, "fate-installer", "svc", "status", "-o", "json")
	if err != nil {
		b.t.Fatal(err)
	}
	var list struct {
		Programs []program `json:"programs"`
	}
	if code != 4 { // 4: no supervisor to ask
		if err := json.Unmarshal([]byte(out[:strings.LastIndex(out, "}")+1]), &list); err != nil {
			b.t.Fatalf("svc status -o json on host %s: %v\n%s", host, err, out)
		}
	}
	byName := make(map[string]program)
	for _, p := range list.Programs {
		byName[p.Name] = p
	}
	return byName, code
}

// only returns one program of a host, whatever the others do.
func (b bench) only(host, name string) program {
	b.t.Helper()
	programs, _ := b.status(host)
	return programs[name]
}

// modulesOfParty are the modules of a party on one host.
var modulesOfParty = []string{"fate-clustermanager", "fate-fateboard", "fate-fateflow", "fate-mysql",
	"fate-nodemanager", "fate-rollsite"}

// checkReady wants exactly these programs, all ready, and returns them.
func (b bench) checkReady(host string, names ...string) map[string]program {
	b.t.Helper()
	programs, code := b.status(host)
	if code != 0 {
		b.t.Errorf("svc status on host %s: exit status %d", host, code)
	}
	for _, name := range names {
		if p, ok := programs[name]; !ok || !p.Ready {
			b.t.Errorf("host %s: %s is not ready: %+v", host, name, p)
		}
	}
	for name := range programs {
		if !slices.Contains(names, name) {
			b.t.Errorf("host %s: program %s is not expected", host, name)
		}
	}
	if b.t.Failed() {
		b.t.FailNow()
	}
	return programs
}

// awaitReady waits until exactly these programs are ready, and returns them.
func (b bench) awaitReady(host string, names ...string) map[string]program {
	b.t.Helper()
	b.await("all programs of host "+host+" are ready", func() bool {
		programs, code := b.status(host)
		ready := 0
		for _, name := range names {
			if programs[name].Ready {
				ready++
			}
		}
		return code == 0 && ready == len(names)
	})
	return b.checkReady(host, names...)
}

// awaitLimit is far beyond what anything takes, for machines under load.
const awaitLimit = 3 * time.Minute

func (b bench) await(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(awaitLimit); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited %v, and it is not so: %s", awaitLimit, what)
		}
	}
}

// toy runs the toy test, which has to succeed.
func (b bench) toy(host string, args ...string) {
	b.t.Helper()
	out := b.run(host, append([]string{"fate-installer", "test", "toy"}, args...)...)
	if !strings.Contains(out, "secure_sum") && !strings.Contains(out, "2000") {
		b.t.Errorf("test toy on host %s succeeded without telling the sum:\n%s", host, out)
	}
}

// checkSamePIDs wants programs to have the processes they had before.
func (b bench) checkSamePIDs(before, after map[string]program) {
	b.t.Helper()
	for name, p := range before {
		if now := after[name]; now.PID != p.PID || now.Restarts != p.Restarts {
			b.t.Errorf("%s was restarted: %+v, before %+v", name, now, p)
		}
	}
}

// write puts a file into a host.
func (b bench) write(host, path, text string) {
	b.t.Helper()
	err := b.Run(b.t.Context(), host, lab.Cmd{
		Args:  []string{"sh", "-c", `mkdir -p "$(dirname "$1")" && cat > "$1"`, "sh", path},
		Stdin: strings.NewReader(text),
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// kill sends SIGKILL to a process of a host.
func (b bench) kill(host string, pid int) {
	b.t.Helper()
	b.run(host, "sh", "-c", "kill -KILL "+strconv.Itoa(pid)) // a minimal Debian has no program kill
}
