package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A command of these tests is this test binary with childMode in its environment.
const childMode = "HOST_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childMode) {
	case "":
		os.Exit(m.Run())
	case "echo":
		in, _ := io.ReadAll(os.Stdin)
		dir, _ := os.Getwd()
		fmt.Printf("args %q\nin %q\ndir %s\nenv %s\n", os.Args[1:], in, dir, strings.Join(os.Environ(), " "))
	case "fail":
		for i := range 8 {
			fmt.Fprintln(os.Stderr, "line", i)
		}
		os.Exit(3)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		select {}
	case "polite":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		fmt.Println("ready")
		<-stop
		fmt.Println("bye")
	}
	os.Exit(0)
}

func child(mode string, args ...string) Cmd {
	return Cmd{Args: append([]string{os.Args[0]}, args...), Env: []string{childMode + "=" + mode}}
}

func TestRun(t *testing.T) {
	c := child("echo", "a b", "$HOME;x")
	c.In = strings.NewReader("secret")
	var live bytes.Buffer
	c.Output = &live
	res, err := ExecRunner{}.Run(t.Context(), c)
	must(t, err)
	out := string(res.Stdout)
	for _, want := range []string{`args ["a b" "$HOME;x"]`, `in "secret"`, "dir /\n", "LC_ALL=C", "PATH=/usr/sbin:"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if strings.Contains(out, "GOPATH") || !strings.Contains(live.String(), out) {
		t.Errorf("the environment leaks, or the live output differs:\n%s", out)
	}
}

func TestRunReportsTheLastLines(t *testing.T) {
	res, err := ExecRunner{}.Run(t.Context(), child("fail"))
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || res.Code != 3 || !strings.Contains(exit.Stderr, "line 7") ||
		strings.Contains(exit.Stderr, "line 2") || !strings.Contains(err.Error(), "exited with status 3") {
		t.Errorf("%v", err)
	}
}

func TestRunOfWhatIsNotThere(t *testing.T) {
	for _, name := range []string{"no-such-program-at-all", "/no/such/program"} {
		_, err := ExecRunner{}.Run(t.Context(), Cmd{Args: []string{name}})
		var exit *ExitError
		if err == nil || errors.As(err, &exit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (ExecRunner{}).Run(t.Context(), Cmd{Args: []string{"no-such-program-at-all"}}); !errors.Is(err,
		ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := (ExecRunner{}).Run(t.Context(), Cmd{}); err == nil {
		t.Error("a command without a name ran")
	}
}

// TestRunIsInterrupted: SIGTERM first, and SIGKILL for who does not listen.
func TestRunIsInterrupted(t *testing.T) {
	for _, c := range []struct {
		mode, out string
		code      int
	}{{"polite", "ready\nbye\n", 0}, {"stubborn", "ready\n", 128 + int(syscall.SIGKILL)}} {
		t.Run(c.mode, func(t *testing.T) {
			why := errors.New("the user's request")
			ctx, cancel := context.WithCancelCause(t.Context())
			cmd := child(c.mode)
			cmd.Grace = time.Millisecond
			if c.mode == "polite" {
				cmd.Grace = time.Hour
			}
			cmd.Output = writerFunc(func(p []byte) { cancel(why) }) // it is ready
			res, err := ExecRunner{}.Run(ctx, cmd)
			if !errors.Is(err, why) || string(res.Stdout) != c.out || res.Code != c.code {
				t.Errorf("out %q, status %d, error %v", res.Stdout, res.Code, err)
			}
		})
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
