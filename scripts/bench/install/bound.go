package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"fate-installer/scripts/lab/lab"
)

// The scripts print lines of a name, a time in seconds, and what a program depends on.
//
// bound.sh measures what no installer can be faster than: the bytes of all components at the speed of tar, each
// program's start alone, warm, with what it depends on ready, the processor time of both, and the making of the
// database alone.
//
// ansible.sh goes the way of AnsibleFATE: archives unpacked one after the other, wheels installed and compiled by the
// carried python, programs started by the python supervisor in the order of its roles and each waited for until its
// port is open; and then what its playbooks do not wait for, that eggroll gives work to the nodemanager.
var (
	//go:embed bound.sh
	boundScript string
	//go:embed ansible.sh
	ansibleScript string
)

// programs are those of a party with the port of each, in the order of AnsibleFATE's roles, which is one in which each
// comes after what it depends on.
const programs = `fate-mysql 3306
fate-clustermanager 4670
fate-nodemanager 4671
fate-rollsite 9370
fate-fateflow 9380
fate-fateboard 8080`

// reportBounds measures the lower bound and the way of AnsibleFATE on the host where the party is installed, and prints
// them with ours. The party is stopped afterwards.
func (b bench) reportBounds(ours []measured) error {
	bound, err := b.times(boundScript)
	if err != nil {
		return err
	}
	chain, path := longestChain(bound)
	made := bound.of("database") // all that waits for each other waits for it
	chain += made
	median := spreadOf(ours, func(m measured) float64 { return m.first.Seconds() }).median
	database := spreadOf(ours, func(m measured) float64 { return m.steps.database().Seconds() }).median
	fmt.Printf("\nthe lower bound, ours, and the way of AnsibleFATE, with the same payload on the same host\n\n")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "| \t| time\t| of ours\t| \t|\n|---\t|---\t|---\t|---\t|\n")
	row := func(what string, seconds float64, parts string) {
		fmt.Fprintf(w, "| %s\t| %.1f s\t| %.2f\t| %s\t|\n", what, seconds, seconds/median, parts)
	}
	tar, processor, cores := bound.of("tar"), bound.of("processor"), float64(runtime.NumCPU())
	row("lower bound", max(tar, chain, processor/cores), fmt.Sprintf("the longest of: tar -xf %.1f s; what waits "+
		"for each other, each alone and warm, programs until the port is open: database made %.1f + %s = %.1f s; the "+
		"processor time of tar and all starts, %.1f s, on %.0f processors = %.1f s", tar, made, path, chain, processor,
		cores, processor/cores))
	row("ours", median, fmt.Sprintf("until all programs work, the nodemanager is given work; the database is made in "+
		"%.1f s of it", database))
	if err := b.copySupervisor(); err != nil {
		fmt.Fprintf(w, "| AnsibleFATE's way\t| \t| \t| not measured: %v\t|\n", err)
		return nil
	}
	theirs, err := b.times(ansibleScript)
	if err != nil {
		return err
	}
	total, text := database, fmt.Sprintf("until all ports are open: database %.1f s", database)
	for _, p := range theirs {
		if p.name == "nodemanager" {
			continue
		}
		total += p.seconds
		text += fmt.Sprintf(", %s %.1f s", p.name, p.seconds)
	}
	row("AnsibleFATE's way", total, text)
	row("and until a job can run", total+theirs.of("nodemanager"), fmt.Sprintf("the nodemanager is given work %.1f s "+
		"later, which its playbooks do not wait for", theirs.of("nodemanager")))
	return nil
}

// database is the time of the steps in which the database is made. AnsibleFATE makes it with the same programs.
func (r installReport) database() (sum time.Duration) {
	for _, s := range r.Steps {
		if strings.HasPrefix(s.ID, "database") {
			sum += s.Elapsed
		}
	}
	return sum
}

// part is a time that a script has measured.
type part struct {
	name    string
	seconds float64
	needs   []string // of a program
}

type parts []part

// of is the sum of the parts of a name.
func (all parts) of(name string) (sum float64) {
	for _, p := range all {
		if p.name == name {
			sum += p.seconds
		}
	}
	return sum
}

// longestChain is the longest series of starts of which each depends on the one before.
func longestChain(all parts) (longest float64, path string) {
	ends, paths := map[string]float64{}, map[string]string{}
	for _, p := range all { // what a program needs comes before it
		if !strings.HasPrefix(p.name, "fate-") {
			continue
		}
		before := ""
		for _, n := range p.needs {
			if ends[n] > ends[before] {
				before = n
			}
		}
		ends[p.name] = ends[before] + p.seconds
		paths[p.name] = strings.TrimPrefix(paths[before]+" + ", " + ") + fmt.Sprintf("%s %.1f", p.name, p.seconds)
		if ends[p.name] > longest {
			longest, path = ends[p.name], paths[p.name]
		}
	}
	return longest, path
}

// times runs a script on the host and reads what it has measured.
func (b bench) times(script string) (parts, error) {
	var out, errOut bytes.Buffer
	if err := b.lab.Run(b.ctx, hostName, lab.Cmd{Args: []string{"bash", "-c", script}, Stdout: &out,
		Env: []string{"ADDRESS=" + address, "PROGRAMS=" + programs}, Stderr: &errOut}); err != nil {
		return nil, fmt.Errorf("cannot measure the bounds: %s%s", out.String(), errOut.String())
	}
	var all parts
	for line := range strings.Lines(out.String()) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			return nil, fmt.Errorf("cannot read what was measured: %q", line)
		}
		seconds, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			return nil, fmt.Errorf("cannot read what was measured: %w", err)
		}
		all = append(all, part{fields[0], seconds, fields[2:]})
	}
	return all, nil
}

// copySupervisor brings the machine's python supervisor to the host, where the carried python runs it.
func (b bench) copySupervisor() error {
	const packages = "/usr/lib/python3/dist-packages"
	archive := filepath.Join(b.scratch, "supervisor.tar")
	if out, err := exec.CommandContext(b.ctx, "tar", "-C", packages, "-cf", archive, "supervisor",
		"pkg_resources").CombinedOutput(); err != nil {
		return fmt.Errorf("the machine has no python supervisor: %s", bytes.TrimSpace(out))
	}
	if err := b.lab.CopyTo(b.ctx, archive, hostName, "/root/supervisor.tar"); err != nil {
		return err
	}
	return b.on("sh", "-c",
		"rm -rf /root/supervisor; mkdir /root/supervisor && tar -C /root/supervisor -xf /root/supervisor.tar")
}
