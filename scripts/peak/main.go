// Command peak measures how much memory the fuzz targets of the module take: each runs its seeds, the inputs that
// fuzzing has found before, and hostile inputs made here, in a process with a memory limit, and fails when the most
// memory it had resident is above a bound. What a parser at the boundary is given must not cost root gigabytes.
//
//	peak [-limit MiB] [-target REGEXP] [DIRECTORY]
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// goLimit is GOMEMLIMIT of the measured processes: below it Go's collector leaves garbage alone, which would count.
const goLimit = "64MiB"

// addressSpace is the limit of the address space of the measured processes, in bytes: Go reserves some gigabytes.
const addressSpace = 8 << 30

// targetTime is how long a target may take for all its inputs.
const targetTime = 3 * time.Minute

func main() {
	limit := flag.Int64("limit", 192, "fail above that many `MiB` resident")
	only := flag.String("target", "", "only targets whose name matches this `regexp`")
	flag.Parse()
	if err := run(flag.Arg(0), *limit, *only); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(dir string, limit int64, only string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if dir == "" {
		dir = "."
	}
	targets, err := findTargets(dir)
	if err != nil {
		return err
	}
	if err := limitAddressSpace(); err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "peak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	var failed []error
	built, measured := "", 0
	for _, t := range targets {
		if !match.MatchString(t.name) {
			continue
		}
		program := filepath.Join(temp, "test")
		if built != t.dir {
			build := exec.Command("go", "test", "-c", "-o", program, ".")
			build.Dir = t.dir
			if out, err := build.CombinedOutput(); err != nil {
				return fmt.Errorf("cannot build the tests of %s: %w\n%s", t.dir, err, out)
			}
			built = t.dir
		}
		peak, err := t.measure(program, filepath.Join(temp, "corpus"))
		measured++
		switch {
		case err != nil:
			failed = append(failed, err)
			fmt.Printf("peak %s %s FAILED\n", t.dir, t.name)
		case peak > limit<<20:
			failed = append(failed, fmt.Errorf("%s of %s had %d MiB resident, more than %d MiB", t.name,
				t.dir, peak>>20, limit))
			fallthrough
		default:
			fmt.Printf("peak %s %s %d MiB\n", t.dir, t.name, peak>>20)
		}
	}
	if measured == 0 {
		failed = append(failed, errors.New("no fuzz target was found"))
	}
	return errors.Join(failed...)
}

// limitAddressSpace holds for this process and those it starts.
func limitAddressSpace() error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &now); err != nil {
		return err
	}
	now.Cur = min(now.Cur, addressSpace)
	return syscall.Setrlimit(syscall.RLIMIT_AS, &now)
}

// measure runs a target with the hostile inputs and returns the most memory that one of its processes had resident, in
// bytes.
func (t target) measure(program, corpus string) (int64, error) {
	if err := os.RemoveAll(corpus); err != nil {
		return 0, err
	}
	if err := t.writeCorpus(filepath.Join(corpus, t.name)); err != nil {
		return 0, err
	}
	// With -fuzz the inputs run in a worker, which is a process of its own; 1x ends after them and one more.
	c := exec.Command(program, "-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.fuzzcachedir="+corpus,
		"-test.fuzztime=1x", "-test.fuzzminimizetime=1x", "-test.parallel=1", "-test.timeout="+targetTime.String())
	c.Dir = t.dir
	c.Env = append(os.Environ(), "GOMEMLIMIT="+goLimit, "GOMAXPROCS=2")
	out, err := c.CombinedOutput()
	if err != nil {
		text := strings.TrimSpace(string(out))
		return 0, fmt.Errorf("%s of %s: %w\n%s", t.name, t.dir, err, text[max(0, len(text)-4000):])
	}
	usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, errors.New("the system does not tell how much memory a process had")
	}
	return usage.Maxrss << 10, nil // with the processes it has waited for
}
