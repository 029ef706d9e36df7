// Command payload compares appliance files with the tools an operator would otherwise unpack software with, in one
// run and on the same tree, and prints tables in Markdown. Times of different machines, and of different runs, cannot
// be compared; ratios within one run can.
//
//	go run ./scripts/bench/payload -program bin/fate-installer
//
// The tree is made of Debian packages, some 1.4 GB, which apt fetches as it is configured on this machine. Packages and
// archives are kept in the cache, some 7 GB, since the slowest compressors take ten minutes each; -clean removes them,
// and -quick does without those compressors. While it runs, up to 30 GB more are used. Runs alternate, each round in
// the opposite order of the one before. Trees on a tmpfs are removed after each run; on a disk they stay until the end,
// since removing one slows down the next for minutes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"fate-installer/scripts/cache"
)

// options are the values of the command line.
type options struct {
	program    string
	memory     string
	disk       string
	rounds     int
	slowRounds int
	xz         bool
	quick      bool
	clean      bool
}

func main() {
	var o options
	flag.StringVar(&o.program, "program", "bin/fate-installer", "our `program`")
	flag.StringVar(&o.memory, "memory", "/dev/shm", "`directory` on a tmpfs to unpack to")
	flag.StringVar(&o.disk, "disk", "", "`directory` on a disk to unpack to (default: the cache)")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each command is run")
	flag.IntVar(&o.slowRounds, "slow-rounds", 3, "how often those are run that take ten times as long")
	flag.BoolVar(&o.xz, "xz", false, "also build and measure an appliance compressed with xz")
	flag.BoolVar(&o.quick, "quick", false,
		"do not make what is compressed with xz or zstd -19, and leave it out unless it is there")
	flag.BoolVar(&o.clean, "clean", false, "remove what is cached, and measure nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := cache.Dir("bench")
	if err != nil {
		return err
	}
	if o.clean {
		return os.RemoveAll(dir)
	}
	if o.disk == "" {
		o.disk = dir
	}
	program, err := exec.LookPath(o.program)
	if err != nil {
		return fmt.Errorf("cannot measure: %w (make build makes it)", err)
	}
	if o.program, err = filepath.Abs(program); err != nil {
		return err
	}
	t, err := prepareTree(ctx, dir, os.Stderr)
	if err != nil {
		return err
	}
	s, err := prepareSet(ctx, dir, t, o, os.Stderr)
	if err != nil {
		return err
	}
	if err := s.compare(ctx, o.memory); err != nil {
		return err
	}
	if err := s.warm(); err != nil {
		return err
	}
	if err := printMachine(s); err != nil {
		return err
	}
	for _, measure := range []func(context.Context, *set, options) error{measureMemory, measureDisk,
		measureFile, measureSizes} {
		if err := measure(ctx, s, o); err != nil {
			return err
		}
	}
	return nil
}
