package main

import (
	"context"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/problem"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

// checkOptions are the flags of check.
type checkOptions struct {
	fix   bool
	all   bool
	waive []string
	junit string
	wantedOptions
	report reportOptions
}

// newCheckCommand holds the host against what is to be installed on it.
func newCheckCommand(g *globals) *cobra.Command {
	opts := &checkOptions{}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check whether this host is ready, and say what to do where it is not",
		Long: `Check whether this host is ready for its share of the party: system, processors, memory, disk, limits, address, ports,
the reach of other hosts, and what earlier installations left. It logs in to an outside database server and looks whether
the account there has the rights that install needs, and names accounts of others on one of ours. All checks are made and everything found is shown at once,
each with a remedy. install makes the same checks first. A section shows what hardening guides and monitoring did to this
host, as found, not found, or not looked at and why.

A warning means that it works, but worse than it should; a refusal that it cannot work. --waive lets a refusal pass, with
a reason that is recorded. What is planned is not so yet, and install sees to it, unless os: in the cluster file or
--skip-os keeps it as it is; --fix does that part of install now. It is undone by uninstall.
` + reportHelp + `
EXIT STATUS
  0    nothing forbids the installation, though there may be warnings; the report is unchanged and signed by the key
  2    wrong usage or configuration
  3    refused
  4    payload damaged, its signature is wrong, or its revision is lower than the installed one: install refuses it, too;
       the report was changed, or is not signed by the key
  5    a remedy of --fix could not be carried out
  7    another run holds the lock
  8    the report has the digest that it names, but no signature of it was checked`,
		Example: `  ./fate-installer check --role host --party 10000
  ./fate-installer check --config cluster.yaml --fix
  ./fate-installer check --config cluster.yaml --waive port:3306='the old database stops tonight'
  ./fate-installer check --config cluster.yaml -o junit > preflight.xml
  ./fate-installer check --config cluster.yaml --junit preflight.xml -o json
  ./fate-installer check --config cluster.yaml --report check.html --report check.json --report-lang zh
  ./fate-installer check --config cluster.yaml --report check.json --report-key officer.key
  ./fate-installer check --verify-report check.json --pubkey officer.pub`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.report.verify != "" {
				return runVerifyReport(g, opts.report)
			}
			return runCheck(cmd.Context(), g, opts)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opts.fix, "fix", false, "do now what install would do to the operating system, then check again")
	f.BoolVar(&opts.all, "all", false, "show also the checks that passed")
	f.StringArrayVar(&opts.waive, "waive", nil, "let check `ID=reason` pass although it refuses this host; repeatable")
	f.StringVar(&opts.junit, "junit", "", "also write the results as JUnit XML to `FILE`")
	opts.wantedOptions.addFlags(f)
	opts.report.addFlags(cmd)
	return cmd
}

func runCheck(ctx context.Context, g *globals, opts *checkOptions) error {
	waivers, err := deploy.ParseWaivers(opts.waive)
	if err != nil {
		return err
	}
	if err := opts.report.check(); err != nil {
		return err
	}
	d, err := g.openDeployment(ctx, opts.wantedOptions, deploy.Needs{Peers: true})
	if err != nil {
		return err
	}
	defer d.Close()
	reporter, err := newReporter(g, d, opts.report, opts.junit)
	if err != nil {
		return err
	}
	if opts.fix && reporter.refusal == nil { // install, too, changes nothing then
		if err := d.Fix(ctx); err != nil {
			return err
		}
	}
	notes, err := d.NotesAhead()
	if err != nil {
		return err
	}
	results, err := d.Check(ctx, waivers)
	if err != nil {
		return err
	}
	if opts.junit != "" {
		if err := writeJUnit(opts.junit, results, reporter.refused()); err != nil {
			return err
		}
	}
	hardening := preflight.Hardening(d.Spec(), d.Facts(), d.IsInstalled())
	if err := reporter.write(results, hardening, notes); err != nil {
		return err
	}
	if err := printChecks(g, d.Headline(), notes, results, hardening, reporter.refused(), opts.all); err != nil {
		return err
	}
	reporter.announce(g)
	if reporter.refusal != nil {
		return reporter.refusal
	}
	if len(preflight.Refused(results)) > 0 {
		return exit.Silently(exit.Preflight)
	}
	return nil
}

// checkReport is the JSON document of check.
type checkReport struct {
	Host     string                  `json:"host"`     // what this host is going to be, for people
	Refused  int                     `json:"refused"`  // number of checks that refuse the host
	Warnings int                     `json:"warnings"` // number of checks that warn
	Planned  int                     `json:"planned"`  // number of checks that install puts right by itself
	Checks   []preflight.CheckResult `json:"checks"`   // every check, in a stable order
	Notes    []string                `json:"notes"`    // about the configuration, as text

	// why install refuses the appliance, as text; blank: it does not
	Appliance string               `json:"appliance_refused,omitempty"`
	Hardening []preflight.Hardened `json:"hardening"` // what hardening guides and monitoring did to this host
}

func printChecks(g *globals, headline string, notes problem.Problems, results []preflight.CheckResult,
	hardening []preflight.Hardened, refused string, all bool) error {
	number := countStatus(results)
	switch g.Output {
	case outputJUnit:
		return encodeJUnit(g.Stdout, results, refused)
	case outputJSON:
		return g.printJSON(checkReport{
			headline, number[preflight.StatusRefused], number[preflight.StatusWarning],
			number[preflight.StatusPlanned], results,
			notes.Texts(), refused, hardening,
		})
	}
	g.printf("%s\n", headline)
	printNotes(g, notes)
	g.printf("\n")
	if all {
		t := g.newTable("STATUS", "CHECK", "MEASURED", "WANTED")
		for _, r := range results {
			t.row(string(r.Status), r.ID, r.Measured, r.Wanted)
		}
		if err := t.flush(); err != nil {
			return err
		}
		g.printf("\n")
	}
	printProblems(g, results)
	printHardening(g, hardening)
	g.printf("%s: %d ok, %d planned, %s, %d refused, %d waived, %d skipped\n", count.Of(len(results), "check"),
		number[preflight.StatusOK],
		number[preflight.StatusPlanned], count.Of(number[preflight.StatusWarning], "warning"),
		number[preflight.StatusRefused],
		number[preflight.StatusWaived], number[preflight.StatusSkipped])
	return nil
}

// printHardening shows what hardening guides and monitoring did to this host, also where that is nothing.
func printHardening(g *globals, hardening []preflight.Hardened) {
	if len(hardening) == 0 {
		return
	}
	g.printf("\nhardening of this host:\n")
	colon := g.language.Colon()
	for _, h := range hardening {
		detail := g.text(h.Detail)
		switch {
		case detail == "":
			detail = g.text(h.LookedAt)
		case h.Finding == preflight.NotLookedAt:
			detail = g.text(h.LookedAt) + colon + detail
		}
		g.raw(g.device(g.Stdout).Labelled(14, string(h.Finding), h.ID+colon+detail) + "\n")
	}
	g.printf("\n")
}

// printProblems shows what is not as it should be, each with its remedy on a line of its own. The remedy is not
// wrapped, so that a command in it can be copied.
func printProblems(g *globals, results []preflight.CheckResult) {
	for _, r := range results {
		switch {
		case r.Status == preflight.StatusWaived:
			printLabelled(g, 8, string(r.Status), r.ID+g.language.Colon()+g.word(r.Measured))
			g.printf("         waived: %s\n", r.Reason)
		case r.Status == preflight.StatusOK && r.Shown:
			printLabelled(g, 8, string(r.Status), r.ID+g.language.Colon()+g.word(r.Measured))
		case r.Bad(), r.Status == preflight.StatusPlanned && !g.quiet:
			printLabelled(g, 8, string(r.Status), g.language.Sprintf("%v: %v; wanted: %v", r.ID, g.word(r.Measured),
				g.word(r.Wanted)))
			g.raw("         -> " + g.advice(r.Remedy) + "\n")
		}
	}
}

// printLabelled prints a status word, as wide as width, and a text that is wrapped to the right of it.
func printLabelled(g *globals, width int, status, text string) {
	g.raw(g.device(g.Stdout).Labelled(width, status, text) + "\n")
}

func countStatus(results []preflight.CheckResult) map[preflight.Status]int {
	number := map[preflight.Status]int{}
	for _, r := range results {
		number[r.Status]++
	}
	return number
}
