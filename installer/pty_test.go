package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pty opens a terminal that is so many columns wide. What is written to the returned file can be read with the
// function, which ends the terminal.
func pty(t *testing.T, columns int) (terminal *os.File, read func() string) {
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
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine has no terminals: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	text := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(master) // ends with an error when the other end is closed
		text <- strings.ReplaceAll(string(all), "\r\n", "\n")
	}()
	return terminal, func() string {
		terminal.Close()
		return <-text
	}
}

// onTerminal executes a command line on a terminal of so many columns and returns what it shows.
func onTerminal(t *testing.T, columns int, args ...string) string {
	t.Helper()
	terminal, read := pty(t, columns)
	g := &globals{Stdin: strings.NewReader(""), Stdout: terminal, Stderr: terminal}
	execute(context.Background(), g, args)
	return read()
}
