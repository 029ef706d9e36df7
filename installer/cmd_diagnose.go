package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/diagnosis"
	"fate-installer/installer/exit"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

// diagnoseOptions are the flags of diagnose.
type diagnoseOptions struct {
	out     string
	since   time.Duration
	maxSize string
	split   string
	analyze bool

	bound int64 // of the content, in bytes
	part  int64 // size of a part; 0: it is not split
}

// newDiagnoseCommand collects what a person without access to the host needs to help, and says what it shows.
func newDiagnoseCommand(g *globals) *cobra.Command {
	opts := &diagnoseOptions{}
	cmd := &cobra.Command{
		Use:   "diagnose [FILE]",
		Short: "Collect what is needed to find a fault, without passwords, in one file, or say what such a file shows",
		Long: `Collect what is needed to find a fault in one tar.gz: versions, facts about the host, the result of all checks, what
install would repair, which files were edited, the state of every program and why it is not ready, why jobs failed,
certificates, what the kernel killed, the configuration as it is on the host, the ends of the logs, and the journal.
Passwords and private keys are taken out; README.txt in the file says how. It changes nothing, and works on a
half-finished installation, too. What could not be collected is listed: also a link, a pipe or a hard link of another
user's file in the place of a configuration file or a log, which is not read.

The end of each log is taken, the newest logs first. --since takes the lines of that time instead, --max-size bounds
what the file holds before it is compressed, and what did not fit is listed. --split writes FILE.001, FILE.002 and so
on, for mail; cat joins them.

--analyze reads such a file, or its parts, on any Linux host, without root and without an installation, and says what is
wrong with the host that it is from: the most likely cause first, the lines that show it, and what to do. What the file
lacks, and what is damaged in it, is listed as not looked at. What to do is in this program's own words: text of the
file stands behind | alone. Nothing of the file is written to the disk. Without FILE it looks at this host.

EXIT STATUS
  0    the file was written, perhaps without what could not be collected; --analyze: nothing was found in what
       could be looked at
  1    unexpected error
  2    wrong usage, nothing is installed here, the file to write exists already, or the file to read does not
  3    --analyze: something was found
  4    --analyze: the file is damaged, a part of it is missing, it is no file of diagnose, or a newer one`,
		Example: `  fate-installer diagnose
  fate-installer diagnose --out /tmp/for-support.tar.gz -o json
  fate-installer diagnose --since 2h --max-size 50M --split 5M
  fate-installer diagnose --analyze
  ./fate-installer diagnose --analyze fate-diagnose-node1-20261129T142233Z.tar.gz
  ./fate-installer diagnose --analyze for-support.tar.gz.001 -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return exit.With(errors.New("name one file"), exit.Usage)
			case len(args) == 1 && !opts.analyze:
				return exit.With(exit.Hint(fmt.Errorf("unexpected argument %q", args[0]),
					"--analyze reads a file; --out names the one to write"), exit.Usage)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.check(cmd, len(args) > 0); err != nil {
				return exit.With(err, exit.Usage)
			}
			if opts.analyze {
				return runAnalyze(cmd.Context(), g, opts, strings.Join(args, ""))
			}
			return runDiagnose(cmd.Context(), g, opts)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.out, "out", "", "write to `FILE` (default: fate-diagnose-HOST-TIME.tar.gz in this directory)")
	f.DurationVar(&opts.since, "since", 0, "take the log lines of the last `DURATION`, such as 2h (default: the end of each log)")
	f.StringVar(&opts.maxSize, "max-size", "10M", "hold at most `SIZE` before compression; the newest log lines are kept")
	f.StringVar(&opts.split, "split", "", "write parts of at most `SIZE` bytes, such as 5M")
	f.BoolVar(&opts.analyze, "analyze", false, "say what is wrong with the host that FILE is from, or with this one")
	return cmd
}

// leastContent is the smallest bound of a bundle: the documents about a host take less.
const leastContent = 1 << 20

// check refuses flags that contradict each other, and sizes that cannot be used.
func (o *diagnoseOptions) check(cmd *cobra.Command, reads bool) (err error) {
	for _, flag := range []string{"out", "split", "since", "max-size"} {
		writes := flag == "out" || flag == "split"
		if cmd.Flags().Changed(flag) && (o.analyze && writes || reads) {
			return fmt.Errorf("cannot use --%s: --analyze writes no file, and takes all of the one that it reads", flag)
		}
	}
	if o.bound, err = count.ParseBytes(o.maxSize); err != nil {
		return fmt.Errorf("cannot use --max-size: %w", err)
	}
	if o.bound < leastContent || o.bound > diagnosis.MostContent {
		return fmt.Errorf("cannot use --max-size %s: it takes 1M to 256M", o.maxSize)
	}
	if o.part, err = count.ParseBytes(o.split); err != nil {
		return fmt.Errorf("cannot use --split: %w", err)
	}
	if cmd.Flags().Changed("split") && o.part < diagnosis.LeastPart {
		return fmt.Errorf("cannot use --split %s: a part has at least %d bytes", o.split, diagnosis.LeastPart)
	}
	return nil
}

// diagnoseReport is the JSON document of diagnose.
type diagnoseReport struct {
	File     string              `json:"file"`     // the archive that was written; parts are named after it
	Parts    []string            `json:"parts"`    // the files of an archive that was split
	Contents []diagnosisEntry    `json:"contents"` // the files in it, in their order
	LeftOut  []diagnosis.LeftOut `json:"left_out"` // files of which nothing or the end alone was taken
	Problems []string            `json:"problems"` // what could not be collected, and why
}

// diagnosisEntry is one file of the archive.
type diagnosisEntry struct {
	Name  string `json:"name"`  // its path in the archive's directory
	Bytes int    `json:"bytes"` // its size
}

func runDiagnose(ctx context.Context, g *globals, opts *diagnoseOptions) error {
	x, err := newCollector(g, opts)
	if err != nil {
		return err
	}
	defer x.host.Close()
	file := opts.out
	if file == "" {
		file = x.bundle.Name + ".tar.gz"
	}
	r, err := x.write(ctx, file)
	if err != nil {
		return fmt.Errorf("cannot write the diagnosis: %w", err)
	}
	return x.report(r)
}

// newCollector prepares a diagnosis of this host, which has to have an installation.
func newCollector(g *globals, opts *diagnoseOptions) (*collector, error) {
	h, err := g.openHost()
	if err != nil {
		return nil, err
	}
	bare := deploy.NewInstallation(h, g.command(), console{g})
	if err := bare.NeedRoot("read everything that belongs to the installation"); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	if !h.Exists(bare.JournalPath()) && !h.Exists(bare.SiteFile()) {
		return nil, errors.Join(exit.With(exit.Hint(fmt.Errorf("cannot diagnose: %w below %s", deploy.ErrNotInstalled,
			g.Base), "name the base directory with --base, or see what check says"), exit.Usage), h.Close())
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "host"
	}
	x := &collector{g: g, host: h, layout: g.layout(), opts: opts, machine: machine,
		bundle: &diagnosis.Bundle{Made: time.Now().UTC()}, problems: []string{}}
	x.bundle.Name = fmt.Sprintf("fate-diagnose-%s-%s", plainName(machine), x.bundle.Made.Format("20060102T150405Z"))
	return x, nil
}

// plainName is a name of a host as it can be part of a file's name.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, name[:min(len(name), 64)])
}

// write makes the archive, readable by its owner only: it tells much about the host, even without passwords.
func (x *collector) write(ctx context.Context, name string) (r diagnoseReport, err error) {
	first := name
	if x.opts.part > 0 {
		first = diagnosis.PartName(name, 1)
	}
	if err := checkOuts([]string{first}, nil); err != nil {
		return r, err
	}
	if err := x.collect(ctx); err != nil {
		return r, err
	}
	r = diagnoseReport{File: name, Parts: []string{}, Contents: []diagnosisEntry{}, LeftOut: x.bundle.Left,
		Problems: x.problems}
	for _, e := range x.bundle.Entries {
		r.Contents = append(r.Contents, diagnosisEntry{e.Name, len(e.Text)})
	}
	if x.opts.part > 0 {
		r.Parts, err = x.writeParts(name)
		return r, err
	}
	file, err := createOut(name)
	if err != nil {
		return r, err
	}
	return r, file.finish(x.bundle.WriteCompressed(file))
}

// writeParts writes the parts of the archive, all or none of them.
func (x *collector) writeParts(name string) (names []string, err error) {
	parts, err := x.bundle.Split(x.opts.part)
	if err != nil {
		return nil, err
	}
	var files []*outFile
	for i, part := range parts {
		names = append(names, diagnosis.PartName(name, i+1))
		file, err := createOut(names[i])
		if err == nil {
			files = append(files, file)
			_, err = file.Write(part)
		}
		if err != nil {
			for _, f := range files {
				err = errors.Join(err, f.finish(errors.New("the parts before it were removed")))
			}
			return nil, err
		}
	}
	for _, f := range files {
		err = errors.Join(err, f.finish(nil))
	}
	return names, err
}

func (x *collector) report(r diagnoseReport) error {
	if x.g.Output == outputJSON {
		return x.g.printJSON(r)
	}
	groups := map[string]int{}
	var order []string
	for _, e := range r.Contents {
		group, _, isDir := strings.Cut(e.Name, "/")
		if isDir {
			group += "/"
		}
		if groups[group] == 0 {
			order = append(order, group)
		}
		groups[group]++
	}
	x.g.printf("%s has, without passwords and keys:\n", r.File)
	for _, group := range order {
		if groups[group] > 1 {
			x.g.printf("  %-18s %s\n", group, count.Of(groups[group], "file"))
		} else {
			x.g.printf("  %s\n", group)
		}
	}
	for _, p := range r.Problems {
		x.g.printf("missing: %s\n", p)
	}
	x.reportLeftOut(r.LeftOut)
	if len(r.Parts) > 0 {
		x.g.printf("it is in %s: %s\n", count.Of(len(r.Parts), "part", "parts"), strings.Join(r.Parts, ", "))
	}
	return nil
}

// reportLeftOut says how much each of the bounds has left out.
func (x *collector) reportLeftOut(left []diagnosis.LeftOut) {
	var reasons []string
	files, bytes := map[string]int{}, map[string]int64{}
	for _, l := range left {
		if files[l.Why] == 0 {
			reasons = append(reasons, l.Why)
		}
		files[l.Why]++
		bytes[l.Why] += l.Bytes
	}
	for _, why := range reasons {
		x.g.printf("left out: %s (%s in %s)\n", why, count.Bytes(bytes[why]), count.Of(files[why], "file"))
	}
}
