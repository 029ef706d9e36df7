package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// subject is a command that is compared with others.
type subject struct {
	name    string
	archive string // that it reads; without it the subject is left out
	slow    bool
	argv    func(dir string) []string // dir is where to unpack to; it does not exist
}

// sample is one run of a command.
type sample struct {
	wall time.Duration
	cpu  time.Duration // of all its processes, in and for them
	peak int64         // bytes of the largest process
}

// once runs a command and takes its time from start to exit.
func once(ctx context.Context, argv []string) (sample, error) {
	var errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stderr = &errOut
	began := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if err != nil {
		return s, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, errOut.Bytes())
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.peak = usage.Maxrss << 10
	}
	return s, nil
}

// rounds runs the subjects in turn and returns the samples of each, by round. place names a new directory for each run;
// after is called with it when the clock has stopped.
func rounds(ctx context.Context, subjects []subject, o options, place func() string,
	after func(dir string) error) ([][]sample, error) {
	samples := make([][]sample, len(subjects))
	for round := range o.rounds {
		order := make([]int, len(subjects))
		for i := range order {
			order[i] = i
		}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, i := range order {
			if subjects[i].slow && round >= o.slowRounds {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, o.rounds, subjects[i].name)
			dir := place()
			got, err := once(ctx, subjects[i].argv(dir))
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], got)
			if err := after(dir); err != nil {
				return nil, err
			}
		}
	}
	return samples, nil
}

// scratch is a directory for output trees.
type scratch struct {
	dir string
	n   int
}

func newScratch(parent string) (*scratch, error) {
	dir, err := os.MkdirTemp(parent, "bench-payload-")
	if err != nil {
		return nil, fmt.Errorf("cannot make room for output: %w", err)
	}
	return &scratch{dir: dir}, nil
}

func (s *scratch) place() string {
	s.n++
	return filepath.Join(s.dir, fmt.Sprint(s.n))
}

func (s *scratch) remove() error { return os.RemoveAll(s.dir) }

// needRoom refuses to fill a file system.
func needRoom(dir string, bytes int64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("cannot look at the file system of %s: %w", dir, err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < bytes {
		return fmt.Errorf("cannot measure below %s: %d MB are free, it takes %d", dir, free>>20, bytes>>20)
	}
	return nil
}

func wallTime(s sample) float64 { return s.wall.Seconds() }
func cpuTime(s sample) float64  { return s.cpu.Seconds() }

// ratios divides a figure of each round by that of the same round of base.
func ratios(of, base []sample, figure func(sample) float64) []float64 {
	var out []float64
	for i := range min(len(of), len(base)) {
		out = append(out, figure(of[i])/figure(base[i]))
	}
	return out
}

// spread prints the median of values with the least and the greatest.
func spread(values []float64) string {
	sorted := slices.Sorted(slices.Values(values))
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(sorted), sorted[0], sorted[len(sorted)-1])
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func seconds(samples []sample) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, s.wall.Seconds())
	}
	return median(all)
}

func peak(samples []sample) int64 {
	var most int64
	for _, s := range samples {
		most = max(most, s.peak)
	}
	return most
}

// printExtraction prints one row for each subject: its time as a multiple of the first one's, how many times longer
// than the one called ours it takes, and the processor time, which depends less on what else the machine does.
func printExtraction(title string, subjects []subject, samples [][]sample, ours int) {
	fmt.Printf("%s\n\n| | median | %s = 1: median (range) | ours = 1 | processor time | peak memory "+
		"|\n|---|---|---|---|---|---|\n", title, subjects[0].name)
	for i, s := range subjects {
		base := samples[0]
		fmt.Printf("| %s | %.2f s | %s | %.2f | %.2f | %d MB |\n", s.name, seconds(samples[i]),
			spread(ratios(samples[i], base, wallTime)),
			median(ratios(samples[i], samples[ours], wallTime)), median(ratios(samples[i], base, cpuTime)),
			peak(samples[i])/1e6)
	}
	fmt.Println()
}
