// Command install measures an installation of a whole party on a lab host, and prints a table in Markdown:
//
//   - the run that changes nothing, compared with the first run;
//   - what the installer adds to the time in which the database is initialised and the programs start, as far as these
//     make the run as long as it is;
//   - the memory that the installer needs.
//
// It takes root and the demo's appliance, as make demo does:
//
//	go run ./scripts/bench/install -runs 3
//
// Times of different machines cannot be compared; ratios can.
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
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"fate-installer/scripts/demo/appliance"
	"fate-installer/scripts/lab/lab"
)

func main() {
	lab.Main()
	program := flag.String("program", "bin/fate-installer", "the `program` to put the payload behind")
	runs := flag.Int("runs", 3, "`how` often a party is installed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *program, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

const (
	hostName  = "bench"
	address   = "192.168.0.1"
	installer = "/root/fate-installer"
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
}

func run(ctx context.Context, program string, runs int) (err error) {
	if os.Geteuid() != 0 {
		return fmt.Errorf("cannot boot a lab host: this takes root")
	}
	if out, err := exec.CommandContext(ctx, "make", "-s", "build").CombinedOutput(); err != nil {
		return fmt.Errorf("make build: %w: %s", err, out)
	}
	file, err := appliance.Build(ctx, program, appliance.MariaDB, os.Stderr)
	if err != nil {
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
	all := make([]measured, runs)
	for i := range all {
		if all[i], err = measure(ctx, l); err != nil {
			return err
		}
	}
	report(all)
	return nil
}

// measure installs a party, runs the same command again, and removes everything.
func measure(ctx context.Context, l *lab.Lab) (measured, error) {
	var m measured
	first, memory, err := install(ctx, l)
	if err != nil {
		return m, err
	}
	m.first, m.overhead, m.memory = first.elapsed(), first.overhead(), memory
	again, memory, err := install(ctx, l)
	if err != nil {
		return m, err
	}
	if again.Changed != 0 {
		return m, fmt.Errorf("the second run changed %d things", again.Changed)
	}
	m.again, m.memory = again.elapsed(), max(m.memory, memory)
	return m, l.Run(ctx, hostName, lab.Cmd{Args: []string{installer, "uninstall", "--purge-data", "--yes"}})
}

// installReport is the part of install's JSON document that matters here.
type installReport struct {
	Changed  int      `json:"changed"`
	Elapsed  float64  `json:"elapsed_seconds"`
	Critical []string `json:"critical_path"`
	Steps    []struct {
		ID      string        `json:"id"`
		Elapsed time.Duration `json:"elapsed_ns"`
	} `json:"steps"`
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

// watched runs the installer and prints, at the end, the most memory it had: a host of the lab has no other tool for
// it.
const watched = `%s install --role host --party 10000 -o json >/root/out.json 2>/root/err.txt & pid=$!
most=0
while read -r name value _ 2>/dev/null </proc/$pid/stat && [ -d /proc/$pid ]; do
	while read -r name value _; do
		if [ "$name" = VmHWM: ] && [ "$value" -gt $most ]; then most=$value; fi
	done </proc/$pid/status 2>/dev/null
	sleep 0.05
	kill -0 $pid 2>/dev/null || break
done
wait $pid || { cat /root/err.txt >&2; exit 1; }
echo $most
cat /root/out.json
`

func install(ctx context.Context, l *lab.Lab) (report installReport, memory float64, err error) {
	var out bytes.Buffer
	script := fmt.Sprintf(watched, installer)
	if err := l.Run(ctx, hostName, lab.Cmd{Args: []string{"sh", "-c", script}, Stdout: &out,
		Stderr: os.Stderr}); err != nil {
		return report, 0, fmt.Errorf("cannot install: %w", err)
	}
	line, document, _ := strings.Cut(out.String(), "\n")
	kibibytes, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	if err != nil {
		return report, 0, fmt.Errorf("cannot read the memory from %q: %w", line, err)
	}
	if err := json.Unmarshal([]byte(document), &report); err != nil {
		return report, 0, fmt.Errorf("cannot read the report of %s: %w", filepath.Base(installer), err)
	}
	return report, kibibytes / 1024, nil
}

// report prints the medians.
func report(all []measured) {
	median := func(of func(measured) float64) float64 {
		var values []float64
		for _, m := range all {
			values = append(values, of(m))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	first := median(func(m measured) float64 { return m.first.Seconds() })
	again := median(func(m measured) float64 { return m.again.Seconds() })
	noop := median(func(m measured) float64 { return 100 * m.again.Seconds() / m.first.Seconds() })
	overhead := median(func(m measured) float64 { return 100 * m.overhead.Seconds() / m.first.Seconds() })
	memory := median(func(m measured) float64 { return m.memory })
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	row := func(what, value, bound string, kept bool) {
		verdict := "kept"
		if !kept {
			verdict = "NOT KEPT"
		}
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t|\n", what, value, bound, verdict)
	}
	fmt.Printf("medians of %d installations of a party with all modules (stand-ins for FATE's own parts)\n\n", len(all))
	fmt.Fprintf(w, "| what\t| measured\t| bound\t| \t|\n|---\t|---\t|---\t|---\t|\n")
	fmt.Fprintf(w, "| first run\t| %.1f s\t| \t| \t|\n", first)
	row("run that changes nothing", fmt.Sprintf("%.2f s", again), fmt.Sprintf("< %.0f s", longestSecond.Seconds()),
		again < longestSecond.Seconds())
	row("the same, of the first run", fmt.Sprintf("%.1f %%", noop), fmt.Sprintf("< %.0f %%", mostOfFirst),
		noop < mostOfFirst)
	row("the installer's own part of the first run", fmt.Sprintf("%.1f %%", overhead),
		fmt.Sprintf("< %.0f %%", mostOverhead), overhead < mostOverhead)
	row("most memory of the installer", fmt.Sprintf("%.0f MiB", memory), fmt.Sprintf("< %.0f MiB", mostMemory),
		memory < mostMemory)
	w.Flush()
}
