// Command supervisor compares the supervisor with Debian's supervisor and ochinchina/supervisord, in one run and with
// the same programs, and prints a table in Markdown. Times of different machines cannot be compared; ratios can.
//
//	go run ./scripts/bench/supervisor -fate bin/fate-installer -ochinchina /path/to/supervisord
//
// What is not installed is left out. Nothing outside a temporary directory is touched.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "child" {
		child(os.Args[2])
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "listen" {
		listen(os.Args[2])
		return
	}
	var o options
	flag.StringVar(&o.fate, "fate", "bin/fate-installer", "our `program`")
	flag.StringVar(&o.debian, "debian", "supervisord", "Debian's supervisord")
	flag.StringVar(&o.ochinchina, "ochinchina", "", "ochinchina's supervisord")
	flag.IntVar(&o.kills, "kills", 200, "how many times a program is killed")
	flag.IntVar(&o.many, "many", 1000, "how many programs the large configuration has")
	flag.DurationVar(&o.idle, "idle", 30*time.Second, "how long idle processor time is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// child is the program under supervision: it notes when it came to life, then does nothing.
func child(path string) {
	now := time.Now().UnixNano()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		os.Exit(1)
	}
	fmt.Fprintf(f, "%d %d\n", os.Getpid(), now)
	f.Close()
	time.Sleep(24 * time.Hour)
}

// listen is a program with a port.
func listen(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		if c, err := l.Accept(); err == nil {
			c.Close()
		}
	}
}

type options struct {
	fate, debian, ochinchina string
	kills, many              int
	idle                     time.Duration
}

// result is one row of the table, a cell for each supervisor.
type result struct {
	what  string
	cells []string
}

func run(ctx context.Context, o options) error {
	subjects := o.subjects()
	if len(subjects) == 0 {
		return fmt.Errorf("none of the programs to measure is there")
	}
	rows := []result{
		{what: "kill -9 of a program to its next start, median"}, {what: "… 99th percentile"}, {what: "… slowest"},
		{what: "status of 20 programs by the command line, median"},
		{what: "resident memory of the daemon, 20 programs"},
		{what: fmt.Sprintf("processor time while idle, 20 programs (ours: with a TCP probe each), over %s", o.idle)},
		{what: fmt.Sprintf("start %d programs", o.many)},
		{what: fmt.Sprintf("resident memory of the daemon, %d programs", o.many)},
		{what: fmt.Sprintf("stop %d programs", o.many)},
	}
	for _, s := range subjects {
		fmt.Fprintln(os.Stderr, "measuring", s.name)
		cells, err := measure(ctx, s, o)
		if err != nil {
			return fmt.Errorf("cannot measure %s: %w", s.name, err)
		}
		for i := range rows {
			rows[i].cells = append(rows[i].cells, cells[i])
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%d processors, load at the end %s\n\n| |", runtime.NumCPU(),
		strings.Join(strings.Fields(string(load))[:3], " "))
	for _, s := range subjects {
		fmt.Printf(" %s |", s.name)
	}
	fmt.Printf("\n|---|%s\n", strings.Repeat("---|", len(subjects)))
	for _, r := range rows {
		fmt.Printf("| %s | %s |\n", r.what, strings.Join(r.cells, " | "))
	}
	return nil
}

func (o options) subjects() []subject {
	var out []subject
	if path, err := exec.LookPath(o.fate); err == nil {
		out = append(out, fate(path))
	}
	if path, err := exec.LookPath(o.debian); err == nil {
		out = append(out, debian(path))
	}
	if path, err := exec.LookPath(o.ochinchina); err == nil && o.ochinchina != "" {
		out = append(out, ochinchina(path))
	}
	return out
}
