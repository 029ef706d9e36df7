package main

import (
	"context"

	"fate-installer/installer/engine"

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
	d, err := openDeployment(ctx, g, opts.wantedOptions, true)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.useKeys(opts.keys); err != nil {
		return err
	}
	return d.printPlan(ctx, opts)
}

// planReport is the JSON document of plan and of install --dry-run.
type planReport struct {
	planVerdict
	Todo  int           `json:"todo"`  // number of steps that would change something
	Steps engine.Survey `json:"steps"` // every step of the plan, in its order
	Notes []string      `json:"notes"` // about the configuration, as text
}

func (d *deployment) printPlan(ctx context.Context, opts *installOptions) error {
	survey, err := d.survey(ctx, opts.part(), opts.forceConfig)
	if err != nil {
		return err
	}
	verdict, err := d.planVerdict()
	if err != nil {
		return err
	}
	if opts.out != "" {
		if err := writePlanFile(opts.out, d.planFile(survey)); err != nil {
			return err
		}
	}
	if d.g.Output == outputJSON {
		return d.g.printJSON(planReport{verdict, survey.Todo(), survey, noteTexts(d.notes())})
	}
	d.g.printf("%s\n", d.headline())
	printNotes(d.g, d.notes())
	verdict.print(d.g)
	device := deviceOf(d.g.Stdout)
	d.summarize(survey).write(d.g.Stdout, device, len(survey))
	if !opts.brief {
		writeSteps(d.g.Stdout, device, survey)
	}
	return nil
}
