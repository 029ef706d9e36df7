package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/redact"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

// diagnoseOptions are the flags of diagnose.
type diagnoseOptions struct {
	out string
}

// newDiagnoseCommand collects what a person without access to the host needs to help.
func newDiagnoseCommand(g *globals) *cobra.Command {
	opts := &diagnoseOptions{}
	cmd := &cobra.Command{
		Use:   "diagnose",
		Short: "Collect what is needed to find a fault, without passwords, in one file to hand on",
		Long: `Collect what is needed to find a fault in one tar.gz: versions, facts about the host, the result of all checks, what
install would repair, the state of every program and why it is not ready, the configuration as it is on the host, the
ends of the logs, and the journal. Passwords and private keys are taken out; README.txt in the file says how. It changes
nothing, and works on a half-finished installation, too. What could not be collected is listed: also a link, a pipe or a
hard link of another user's file in the place of a configuration file or a log, which is not read.

EXIT STATUS
  0    the file was written, perhaps without what could not be collected
  1    unexpected error
  2    wrong usage, nothing is installed here, or the file to write exists already`,
		Example: `  fate-installer diagnose
  fate-installer diagnose --out /tmp/for-support.tar.gz -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDiagnose(cmd.Context(), g, opts) },
	}
	cmd.Flags().StringVar(&opts.out, "out", "",
		"write to `FILE` (default: fate-diagnose-HOST-TIME.tar.gz in this directory)")
	return cmd
}

// diagnosis is a report on its way into an archive.
type diagnosis struct {
	g       *globals
	host    *host.Host
	layout  cluster.Layout
	redact  redact.Redactor
	name    string // of the directory inside the archive
	now     time.Time
	archive *tar.Writer

	diagnoseReport
}

// diagnoseReport is the JSON document of diagnose.
type diagnoseReport struct {
	File     string           `json:"file"`     // the archive that was written
	Contents []diagnosisEntry `json:"contents"` // the files in it, in their order
	Problems []string         `json:"problems"` // what could not be collected, and why
}

// diagnosisEntry is one file of the archive.
type diagnosisEntry struct {
	Name  string `json:"name"`  // its path in the archive's directory
	Bytes int    `json:"bytes"` // its size
}

func runDiagnose(ctx context.Context, g *globals, opts *diagnoseOptions) (err error) {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	defer h.Close()
	bare := deploy.NewInstallation(h, g.command(), console{g})
	if err := bare.NeedRoot("read everything that belongs to the installation"); err != nil {
		return err
	}
	if !h.Exists(bare.JournalPath()) && !h.Exists(bare.SiteFile()) {
		return exit.With(exit.Hint(fmt.Errorf("cannot diagnose: %w below %s", deploy.ErrNotInstalled, g.Base),
			"name the base directory with --base, or see what check says"), exit.Usage)
	}
	x := &diagnosis{
		g: g, host: h, layout: g.layout(), now: time.Now().UTC(),
		diagnoseReport: diagnoseReport{Contents: []diagnosisEntry{}, Problems: []string{}},
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "host"
	}
	x.name = fmt.Sprintf("fate-diagnose-%s-%s", machine, x.now.Format("20060102T150405Z"))
	file := opts.out
	if file == "" {
		file = x.name + ".tar.gz"
	}
	if err := x.write(ctx, file); err != nil {
		return fmt.Errorf("cannot write the diagnosis: %w", err)
	}
	return x.report(file)
}

// write makes the archive, readable by its owner only: it tells much about the host, even without passwords.
func (x *diagnosis) write(ctx context.Context, name string) error {
	file, err := createOut(name)
	if err != nil {
		return err
	}
	zipped := gzip.NewWriter(file)
	x.archive = tar.NewWriter(zipped)
	err = x.collect(ctx)
	return file.finish(errors.Join(err, x.archive.Close(), zipped.Close()))
}

func (x *diagnosis) report(file string) error {
	if x.g.Output == outputJSON {
		x.File = file
		return x.g.printJSON(x.diagnoseReport)
	}
	groups := map[string]int{}
	var order []string
	for _, e := range x.Contents {
		group, _, isDir := strings.Cut(e.Name, "/")
		if isDir {
			group += "/"
		}
		if groups[group] == 0 {
			order = append(order, group)
		}
		groups[group]++
	}
	x.g.printf("%s has, without passwords and keys:\n", file)
	for _, group := range order {
		if groups[group] > 1 {
			x.g.printf("  %-14s %s\n", group, count.Of(groups[group], "file"))
		} else {
			x.g.printf("  %s\n", group)
		}
	}
	for _, p := range x.Problems {
		x.g.printf("missing: %s\n", p)
	}
	return nil
}

// add puts a text into the archive. Whatever it is, known secrets are taken out here.
func (x *diagnosis) add(name, text string) error {
	text = x.redact.Known(text)
	header := &tar.Header{Name: x.name + "/" + name, Mode: 0o600, Size: int64(len(text)), ModTime: x.now,
		Typeflag: tar.TypeReg}
	if err := x.archive.WriteHeader(header); err != nil {
		return err
	}
	x.Contents = append(x.Contents, diagnosisEntry{name, len(text)})
	_, err := x.archive.Write([]byte(text))
	return err
}

// addJSON puts a document into the archive. It is taken for running text: its strings may quote anything.
func (x *diagnosis) addJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", name, err)
	}
	return x.add(name, x.redact.Text(string(data))+"\n")
}

// missing notes what could not be collected: half a picture is better than none.
func (x *diagnosis) missing(what string, err error) {
	x.Problems = append(x.Problems, x.redact.Text(fmt.Sprintf("%s: %v", what, err)))
}
