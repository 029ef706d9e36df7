package main

import (
	"context"
	"encoding/json"
	"fmt"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/state"

	"github.com/spf13/cobra"
)

// newPlanCommand shows what install would do.
func newPlanCommand(g *globals) *cobra.Command {
	opts := &installOptions{dryRun: true}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what install would do, step by step, and change nothing",
		Long: `Show what install would do on this host, step by step. The steps are the very ones that install carries out; each is
checked against the host, so on a finished host the plan is empty. A summary comes first: what is unpacked, how long that
takes, which programs are started, and what of the operating system changes.

--out writes the plan to a file for a review. install --plan FILE refuses when the host, the appliance, the cluster file or
a step is another one than in the file.

EXIT STATUS
  0    the plan was printed
  2    wrong usage or configuration
  4    payload damaged or missing`,
		Example: `  ./fate-installer plan --role host --party 10000
  ./fate-installer plan --config cluster.yaml --brief
  ./fate-installer plan --config cluster.yaml --out plan.json
  ./fate-installer install --config cluster.yaml --plan plan.json
  ./fate-installer plan --config cluster.yaml -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runPlan(cmd.Context(), g, opts) },
	}
	opts.addWanted(cmd.Flags())
	cmd.Flags().BoolVar(&opts.brief, "brief", false, "show the summary without the steps")
	cmd.Flags().StringVar(&opts.out, "out", "", "also write the plan to a new `FILE`, for install --plan")
	return cmd
}

func runPlan(ctx context.Context, g *globals, opts *installOptions) error {
	d, err := g.openDeployment(ctx, opts.wantedOptions, deploy.Needs{Payload: true})
	if err != nil {
		return err
	}
	defer d.Close()
	return printPlan(ctx, g, d, opts)
}

// planReport is the JSON document of plan and of install --dry-run.
type planReport struct {
	deploy.Verdict
	Todo  int           `json:"todo"`  // number of steps that would change something
	Steps engine.Survey `json:"steps"` // every step of the plan, in its order
	Notes []string      `json:"notes"` // about the configuration, as text
}

func printPlan(ctx context.Context, g *globals, d *deploy.Deployment, opts *installOptions) error {
	request, err := opts.request(g)
	if err != nil {
		return err
	}
	p, err := d.Preview(ctx, request)
	if err != nil {
		return err
	}
	if opts.out != "" {
		if err := writePlanFile(opts.out, d.PlanFile(p.Survey)); err != nil {
			return err
		}
	}
	if g.Output == outputJSON {
		return g.printJSON(planReport{p.Verdict, p.Survey.Todo(), p.Survey, p.Notes.Texts()})
	}
	g.printf("%s\n", d.Headline())
	printNotes(g, p.Notes)
	printVerdict(g, p.Verdict)
	device := g.device(g.Stdout)
	summarize(p.Survey, d.Brought()).write(g.Stdout, device, len(p.Survey))
	if !opts.brief {
		writeSteps(g.Stdout, device, p.Survey)
	}
	return nil
}

func printVerdict(g *globals, v deploy.Verdict) {
	if v.Interrupted != "" {
		g.printf("note: %s\n", v.Interrupted)
	}
	switch {
	case v.Refused != "":
		g.printf("refused: %s\n", v.Refused)
	case v.Command == string(state.Upgrade):
		g.printf("upgrade: %s; install refuses this, run %s upgrade\n", v.Replaces(), g.program())
	}
}

// writePlanFile writes a new plan file, mode 0600: it tells how the host is set up.
func writePlanFile(name string, p deploy.PlanFile) error {
	out, err := createOut(name)
	if err != nil {
		return fmt.Errorf("cannot write the plan: %w", err)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := out.finish(enc.Encode(p)); err != nil {
		return fmt.Errorf("cannot write the plan: %w", err)
	}
	return nil
}
