package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/state"
)

// interruptedTree is a tree in which an installation is under way.
func interruptedTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	data, err := state.State{Phase: state.Installing,
		Change: &state.Change{Command: "./fate-installer --role host --party 10000"}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, cluster.Layout{Base: deploy.StandardBase}.State(), "state.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	return root
}

// treeOfSignals is set for a process that gets signals, and deafTerminal if its standard error takes nothing then.
const (
	treeOfSignals = "FATE_TEST_SIGNALS"
	deafTerminal  = "FATE_TEST_DEAF_TERMINAL"
)

// installForSignals stands for an install that does not end.
func installForSignals(root string) {
	g := &globals{Root: root, Base: deploy.StandardBase, Output: outputText, Stdout: os.Stdout, Stderr: os.Stderr}
	ctx, stop := g.untilSignal(context.Background())
	defer stop()
	g.watchInterruption(recorded(newInstallCommand(g)))
	r := newShownRun(g)
	r.apply("jdk 8.345", "python 3.8.13", "start fate-mysql")
	r.event(engine.Changed, "jdk 8.345", 0)
	if os.Getenv(deafTerminal) != "" {
		_, g.Stderr = io.Pipe()
	}
	g.printf("at work\n")
	<-ctx.Done()
	select {}
}

// TestSignals sends a process two signals: the first says what it does, the second ends the process at once. Both say
// what is done, and the second which state is left and which command completes it.
func TestSignals(t *testing.T) {
	if root := os.Getenv(treeOfSignals); root != "" {
		installForSignals(root)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSignals$")
	cmd.Env = append(os.Environ(), treeOfSignals+"="+interruptedTree(t))
	reader, writer := io.Pipe()
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		writer.Close()
	}()
	for lines := bufio.NewScanner(io.TeeReader(reader, &all)); lines.Scan(); {
		if line := lines.Text(); line == "at work" || strings.HasPrefix(line, "interrupted") {
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	var status *exec.ExitError
	if err := <-ended; !errors.As(err, &status) || status.ExitCode() != exit.Interrupted {
		t.Errorf("ended with %v", err)
	}
	const progress = ": 1 of 6 steps are done, 2 steps are at work: python 3.8.13, start fate-mysql"
	for _, want := range []string{
		"\ninterrupted" + progress + "; ending what is at work; a second Ctrl-C ends it at once\n",
		"\nerror: ended at once" + progress + "\n",
		" hint: an installation was interrupted; complete it: ./fate-installer --role host --party 10000\n",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no %q in\n%s", want, &all)
		}
	}
}

// TestSignalsEndWhatCannotBeSaid sends signals to a process whose standard error takes nothing, as that of a pager that
// waits for its user. The first cannot be announced, and the others end the process all the same.
func TestSignalsEndWhatCannotBeSaid(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestSignals$")
	cmd.Env = append(os.Environ(), treeOfSignals+"="+interruptedTree(t), deafTerminal+"=1")
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "at work"; {
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(time.Minute)
	for {
		_ = cmd.Process.Signal(syscall.SIGINT)
		select {
		case err := <-ended:
			var status *exec.ExitError
			if !errors.As(err, &status) || status.ExitCode() != exit.Interrupted {
				t.Errorf("ended with %v", err)
			}
			return
		case <-deadline:
			_ = cmd.Process.Kill()
			t.Fatalf("signals do not end it, which does %v", <-ended)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestInterruptedCommandSaysHowItIsCompleted holds the hint of a command that a signal ended.
func TestInterruptedCommandSaysHowItIsCompleted(t *testing.T) {
	failure := exit.Hint(&signalError{os.Interrupt}, "run the same command again")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&signalError{os.Interrupt})
	if code := exit.CodeOf(ctx, context.Cause(ctx)); code != exit.Interrupted {
		t.Errorf("exit code %d", code)
	}
	g := &globals{Root: interruptedTree(t), Base: deploy.StandardBase, interruption: &interruption{}}
	if got := exit.HintOf(g.withInterruption(failure)); got != "run the same command again" {
		t.Errorf("a command that changes nothing: %q", got)
	}
	g.watchInterruption(recorded(newInstallCommand(g)))
	if got := exit.HintOf(g.withInterruption(failure)); !strings.HasPrefix(got, "an installation was interrupted") ||
		!strings.HasSuffix(got, "complete it: ./fate-installer --role host --party 10000") {
		t.Errorf("hint %q", got)
	}
	g.Root = t.TempDir()
	if got := exit.HintOf(g.withInterruption(failure)); got != "run the same command again" {
		t.Errorf("nothing was begun: %q", got)
	}
}
