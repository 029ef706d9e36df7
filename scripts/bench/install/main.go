// Command install measures an installation of a whole party on a lab host, and prints tables in Markdown:
//
//   - the run that changes nothing, compared with the first run; what the installer adds to the time in which the
//     database is initialised and the programs start; the memory that the installer needs;
//   - when each step began and ended, and which of them made the run as long as it was;
//   - the lower bound, ours, and the way of AnsibleFATE with the same payload (see bound.go).
//
// It takes root and the demo's appliance, as make demo does:
//
//	go run ./scripts/bench/install -runs 3
//
// With -against another appliance is installed in turns with the first, and the ratios of the pairs are printed, also
// of the first and the second job. What compiled python code saves:
//
//	go run ./scripts/bench/install -runs 5 -against no-compile
//
// Times of different machines cannot be compared, nor those of a machine that does other work; ratios of pairs can.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"fate-installer/scripts/cache"
	"fate-installer/scripts/demo/appliance"
	"fate-installer/scripts/lab/lab"
)

func main() {
	lab.Main()
	program := flag.String("program", "bin/fate-installer", "the `program` to put the payload behind")
	runs := flag.Int("runs", 3, "`how` often a party is installed")
	file := flag.String("appliance", "", "the appliance `file` to install (default: the demo's, built with -program)")
	against := flag.String("against", "",
		"another appliance `file` to install in turns, or no-compile: the demo's without compiled python code")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *program, *file, *against, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

const (
	hostName  = "bench"
	address   = "192.168.0.1"
	installer = "/root/fate-installer"
	other     = "/root/other"
	// Bounds that the product is held to.
	mostOfFirst   = 3.0   // per cent of the first run, for one that changes nothing
	mostOverhead  = 10.0  // per cent of the first run
	mostMemory    = 200.0 // MiB
	longestSecond = time.Second
)

// measured is one installation.
type measured struct {
	first, again time.Duration
	overhead     time.Duration // of the first, without the components' own work on its critical path
	memory       float64       // MiB, the most of both
	processor    time.Duration // of the first
	jobs         [2]time.Duration
	steps        installReport // of the first
}

func run(ctx context.Context, program, file, against string, runs int) (err error) {
	if os.Geteuid() != 0 {
		return fmt.Errorf("cannot boot a lab host: this takes root")
	}
	scratch, err := os.MkdirTemp("", "bench-install-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if file, against, err = appliances(ctx, program, file, against, scratch); err != nil {
		return err
	}
	hosts, err := lab.ParseHosts([]string{hostName + "=" + address})
	if err != nil {
		return err
	}
	l, err := lab.Up(ctx, lab.Config{Name: fmt.Sprintf("bench%d", os.Getpid()), Hosts: hosts, Log: os.Stderr})
	if err != nil {
		return err
	}
	defer func() {
		if down := l.Down(context.WithoutCancel(ctx)); err == nil {
			err = down
		}
	}()
	if err := l.CopyTo(ctx, file, hostName, installer); err != nil {
		return err
	}
	if against != "" {
		if err := l.CopyTo(ctx, against, hostName, other); err != nil {
			return err
		}
	}
	return bench{ctx: ctx, lab: l, scratch: scratch, pairs: against != ""}.run(runs)
}

// appliances builds those that are not given.
func appliances(ctx context.Context, program, file, against, dir string) (first, second string, err error) {
	if file != "" && against != noCompile {
		return file, against, nil
	}
	if out, err := exec.CommandContext(ctx, "make", "-s", "build").CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("make build: %w: %s", err, out)
	}
	if file == "" {
		if file, err = appliance.Build(ctx, program, appliance.MariaDB, os.Stderr); err != nil {
			return "", "", err
		}
	}
	if against != noCompile {
		return file, against, nil
	}
	demo, err := cache.Dir("demo")
	if err != nil {
		return "", "", err
	}
	out := filepath.Join(dir, noCompile)
	if text, err := exec.CommandContext(ctx, program, "bundle", "build", "--no-compile", "--out", out, "--lock",
		filepath.Join(demo, "demo-mariadb.lock.yaml")).CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("cannot build the other appliance: %w: %s", err, text)
	}
	return file, out, nil
}

// noCompile stands for the demo's appliance without compiled python code.
const noCompile = "no-compile"

// bench is a benchmark on a host that is up.
type bench struct {
	ctx     context.Context
	lab     *lab.Lab
	scratch string // a directory on the machine
	pairs   bool   // there is another appliance
}

// run installs the appliances in turns, and at last the first one again, on which the bounds are measured.
func (b bench) run(runs int) error {
	var ours, others []measured
	for i := range runs {
		turns := []string{installer}
		if b.pairs {
			turns = []string{installer, other}
		}
		if i%2 == 1 { // what the first leaves in the machine's caches helps each as often
			slices.Reverse(turns)
		}
		for _, file := range turns {
			m, err := b.measure(file)
			if err != nil {
				return err
			}
			if file == installer {
				ours = append(ours, m)
			} else {
				others = append(others, m)
			}
			fmt.Fprintf(os.Stderr, "%s: first run %.1f s, jobs %.1f s and %.1f s\n", filepath.Base(file),
				m.first.Seconds(), m.jobs[0].Seconds(), m.jobs[1].Seconds())
		}
	}
	report(ours)
	if b.pairs {
		reportPairs(ours, others)
	}
	reportSteps(ours[len(ours)-1].steps)
	if _, _, err := b.install(installer); err != nil {
		return err
	}
	return b.reportBounds(ours)
}

// measure installs a party, runs two jobs and the same command again, and removes everything.
func (b bench) measure(file string) (measured, error) {
	var m measured
	first, used, err := b.install(file)
	if err != nil {
		return m, err
	}
	m.first, m.overhead, m.processor, m.steps = first.elapsed(), first.overhead(), used.processor, first
	for i := range m.jobs {
		began := time.Now()
		if err := b.on(file, "test", "toy"); err != nil {
			return m, err
		}
		m.jobs[i] = time.Since(began)
	}
	again, usedAgain, err := b.install(file)
	if err != nil {
		return m, err
	}
	if again.Changed != 0 {
		return m, fmt.Errorf("the second run changed %d things", again.Changed)
	}
	m.again, m.memory = again.elapsed(), max(used.memory, usedAgain.memory)
	return m, b.on(file, "uninstall", "--purge-data", "--yes")
}

// on runs a program on the host.
func (b bench) on(args ...string) error {
	var out bytes.Buffer
	if err := b.lab.Run(b.ctx, hostName, lab.Cmd{Args: args, Stdout: &out, Stderr: &out}); err != nil {
		return fmt.Errorf("%w: %s", err, out.String())
	}
	return nil
}

// installReport is the part of install's JSON document that matters here.
type installReport struct {
	Changed  int          `json:"changed"`
	Elapsed  float64      `json:"elapsed_seconds"`
	Critical []string     `json:"critical_path"`
	Steps    []stepReport `json:"steps"`

	outside outside
}

type stepReport struct {
	ID      string        `json:"id"`
	Start   time.Duration `json:"start_ns"` // since the run began
	Elapsed time.Duration `json:"elapsed_ns"`
}

func (r installReport) elapsed() time.Duration {
	return time.Duration(r.Elapsed * float64(time.Second))
}

// overhead is the time of the run without the steps on its critical path in which components do their own work: the
// database is made and filled with its schemas, and the programs start.
func (r installReport) overhead() time.Duration {
	left := r.elapsed()
	for _, s := range r.Steps {
		own := slices.ContainsFunc([]string{"database-init:", "database:", "start:"},
			func(kind string) bool { return strings.HasPrefix(s.ID, kind) })
		if own && slices.Contains(r.Critical, s.ID) {
			left -= s.Elapsed
		}
	}
	return left
}

// watched runs the installer and prints, at the end, a line with the most memory it had, the processor time that the
// host needed, when it began, and the host's zone; its document in a line; when the steps began, from the
// journal; and what the supervisor has logged. A host of the lab has no other tool for it.
const watched = `used() { while read -r name value; do
	if [ "$name" = usage_usec ]; then echo "$value"; fi
done </sys/fs/cgroup/cpu.stat; }
before=$(used)
began=$(date +%%s.%%N)
%s install --role host --party 10000 -o json >/root/out.json 2>/root/err.txt & pid=$!
most=0
while read -r name value _ 2>/dev/null </proc/$pid/stat && [ -d /proc/$pid ]; do
	while read -r name value _; do
		if [ "$name" = VmHWM: ] && [ "$value" -gt $most ]; then most=$value; fi
	done </proc/$pid/status 2>/dev/null
	sleep 0.2
	kill -0 $pid 2>/dev/null || break
done
wait $pid || { cat /root/err.txt >&2; exit 1; }
echo $most $(($(used) - before)) $began $(date +%%z)
tr -d '\n' </root/out.json; echo
grep '"op":"run"' /data/projects/common/fate-installer/journal | tail -n 1
cat /data/logs/supervisord/supervisord.log
`

// usage is what an installation needed of the host.
type usage struct {
	memory    float64 // MiB, the most of the installer
	processor time.Duration
}

func (b bench) install(file string) (report installReport, used usage, err error) {
	var out bytes.Buffer
	script := fmt.Sprintf(watched, file)
	if err := b.lab.Run(b.ctx, hostName, lab.Cmd{Args: []string{"sh", "-c", script}, Stdout: &out,
		Stderr: os.Stderr}); err != nil {
		return report, used, fmt.Errorf("cannot install: %w", err)
	}
	line, rest, _ := strings.Cut(out.String(), "\n")
	var kibibytes, micros int64
	var began float64
	var zone string
	if _, err := fmt.Sscan(line, &kibibytes, &micros, &began, &zone); err != nil {
		return report, used, fmt.Errorf("cannot read what the host measured from %q: %w", line, err)
	}
	document, rest, _ := strings.Cut(rest, "\n")
	if err := json.Unmarshal([]byte(document), &report); err != nil {
		return report, used, fmt.Errorf("cannot read the report of %s: %w", filepath.Base(file), err)
	}
	journal, log, _ := strings.Cut(rest, "\n")
	if err := report.place(began, journal, log, zone); err != nil {
		return report, used, err
	}
	return report, usage{float64(kibibytes) / 1024, time.Duration(micros) * time.Microsecond}, nil
}
