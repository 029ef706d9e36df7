package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/installer/exit"
)

// A signal ends a command that waits for input which never comes, from standard input or the other end of a pipe.
func TestWaitForInputEnds(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"config", "check", "--config", "-"},
		{"config", "check", "--config", fifo},
		{"install", "--config", fifo},
		{"bundle", "build", "--lock", fifo, "--out", filepath.Join(t.TempDir(), "out")},
		{"bundle", "keygen", "--password-file", fifo, "--out", filepath.Join(t.TempDir(), "key")},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		waits := make(chan struct{})
		reader, writer := io.Pipe()
		var errs strings.Builder
		stdin := readerFunc(func(p []byte) (int, error) { close(waits); return reader.Read(p) })
		g := &globals{Stdin: stdin, Stdout: io.Discard, Stderr: &errs}
		ended := make(chan int, 1)
		go func() { ended <- execute(ctx, g, append([]string{"--root", t.TempDir()}, args...)) }()
		if args[len(args)-1] == "-" {
			<-waits
		}
		interrupt()
		select {
		case code := <-ended:
			if code != exit.Interrupted || !strings.Contains(errs.String(), "interrupted") {
				t.Errorf("%q: exit code %d: %s", args, code, &errs)
			}
		case <-time.After(time.Minute):
			t.Errorf("%q does not end", args)
		}
		_ = writer.Close()
	}
}

type readerFunc func([]byte) (int, error)

// Read implements [io.Reader].
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
