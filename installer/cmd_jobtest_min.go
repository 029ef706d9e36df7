package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/flow"
	"fate-installer/installer/host"
	"fate-installer/installer/job"

	"github.com/spf13/cobra"
)

// minOptions are the flags of test min.
type minOptions struct {
	jobTestOptions
	arbiter    int
	data       string
	boost      bool
	uploadOnly bool
	noUpload   bool
}

// newMinCommand trains and predicts.
func newMinCommand(g *globals) *cobra.Command {
	opts := &minOptions{}
	cmd := &cobra.Command{
		Use:   "min",
		Short: "Run the minimal test: train, evaluate and predict with two models",
		Long: `Run FATE's minimal test on the installed party: hetero logistic regression and SecureBoost on a small data set whose
columns are divided between guest and host. Each is trained, evaluated by its AUC, and used to predict.

Without --guest and --host both sides are this party. With another party, first run it there with --upload, which puts
the host's half of the data into that party's storage, then here on the guest's host.

The data comes with FATE's examples: fast has 569 rows and takes 5 to 20 minutes on two cores, normal has 30000 and takes
hours. Components are shown as they start and end; when a job fails, what is printed is what fate-installer job why says.

EXIT STATUS
  0    both models were trained and predict; an auc below what upstream expects is a warning
  1    a job failed, did not end in time, or a model is no better than guessing
  2    wrong usage, or nothing is installed here, or FATE is older than 1.7
  130  interrupted; the job was stopped`,
		Example: `  fate-installer test min
  fate-installer test min --upload                        # on the host's host, once
  fate-installer test min --guest 9999 --host 10000       # on the guest's host
  fate-installer test min --data normal --sbt=false --timeout 2h`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runMin(cmd.Context(), g, opts) },
	}
	f := cmd.Flags()
	opts.addFlags(f, 0)
	f.Lookup("timeout").Usage = "`time` the test may take (default 1h with the data fast, 24h with normal)"
	f.IntVar(&opts.arbiter, "arbiter", 0, "arbiter's party `id` (default: the host's)")
	f.StringVar(&opts.data, "data", "fast", "data `set`: fast or normal")
	takesWords(f, "data", flow.FastData.Name, flow.NormalData.Name)
	f.BoolVar(&opts.boost, "sbt", true, "train SecureBoost, too")
	f.BoolVar(&opts.uploadOnly, "upload", false,
		"only upload the host's half of the data, for another party's test with this one")
	f.BoolVar(&opts.noUpload, "no-upload", false, "use the data that an earlier test has uploaded")
	cmd.MarkFlagsMutuallyExclusive("upload", "no-upload")
	return cmd
}

func runMin(ctx context.Context, g *globals, opts *minOptions) error {
	spec, err := installed(g)
	if err != nil {
		return err
	}
	if err := minRunsOn(spec); err != nil {
		return exit.With(err, exit.Usage)
	}
	client, err := job.FlowClient(spec)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	test := flow.Min{Boost: opts.boost, TaskCores: opts.taskCores, Partitions: 4}
	test.Guest, test.Host = opts.parties(spec)
	test.Arbiter = opts.arbiter
	if test.Arbiter == 0 {
		test.Arbiter = test.Host
	}
	if test.Data, err = minData(opts.data); err != nil {
		return exit.With(err, exit.Usage)
	}
	if test.Timeout = opts.timeout; test.Timeout == 0 {
		test.Timeout = test.Data.Timeout
	}
	view := newTaskView(g)
	defer view.clear()
	test.OnStep = func(text string) {
		view.clear()
		g.printf("%s\n", text)
	}
	test.Watcher = view.watcher("min test")
	g.printf("guest %d, host %d, arbiter %d, through %s\n", test.Guest, test.Host, test.Arbiter, client.BaseURL)
	if err := checkJobsCanRun(ctx, g, spec); err != nil {
		return err
	}
	var result *flow.MinResult
	err = whileProgramsRun(ctx, g, func(ctx context.Context) (err error) {
		result, err = opts.run(ctx, spec, test, client)
		return err
	})
	view.clear()
	if err != nil {
		return explained(ctx, g, view, diagnosed(ctx, g, spec, err))
	}
	return printMin(g, opts, result)
}

// run uploads the halves that are this party's, and, unless that was all, trains.
func (o *minOptions) run(ctx context.Context, spec *cluster.Spec, test flow.Min, client *flow.Client) (*flow.MinResult,
	error) {
	guest, host := test.Data.Tables(path.Join(spec.Layout.Fate(), "examples"))
	var upload []flow.Table
	switch {
	case o.noUpload:
	case o.uploadOnly:
		upload = []flow.Table{host}
	case test.Host == test.Guest:
		upload = []flow.Table{guest, host}
	default:
		upload = []flow.Table{guest}
	}
	if err := haveData(spec, upload); err != nil {
		return nil, err
	}
	for _, t := range upload {
		if err := test.Upload(ctx, client, t); err != nil {
			return nil, err
		}
	}
	if o.uploadOnly {
		return nil, nil
	}
	return test.Run(ctx, client)
}

// haveData says which file is missing before Flow does in its own words. Flow reads on its own host, so that another
// host cannot tell.
func haveData(spec *cluster.Spec, tables []flow.Table) error {
	if !spec.Runs(cluster.FateFlow) {
		return nil
	}
	h, err := host.New("/", nil)
	if err != nil {
		return err
	}
	defer h.Close()
	for _, t := range tables {
		if !h.Exists(t.File) {
			return exit.Hint(fmt.Errorf("cannot upload %s: the file is not there", t.File),
				"the examples belong to FATE's own package: see that the appliance's component fate has examples/data")
		}
	}
	return nil
}

// minRunsOn refuses releases whose components have other names.
func minRunsOn(spec *cluster.Spec) error {
	if spec.Layout.Flat {
		return exit.Hint(
			errors.New("cannot run the minimal test on FATE 1.5 and 1.6: their jobs have other components"),
			"run FATE's own as user "+spec.User+": source "+spec.Layout.InitEnv()+
				"; cd examples/scripts; python upload_default_data.py -m 1; cd ../min_test_task; python run_task.py "+
				"-m 1 -gid GUEST -hid HOST -aid HOST -f fast")
	}
	return nil
}

func minData(name string) (flow.MinData, error) {
	for _, d := range []flow.MinData{flow.FastData, flow.NormalData} {
		if d.Name == name {
			return d, nil
		}
	}
	return flow.MinData{}, fmt.Errorf("cannot use data set %q: --data takes fast or normal", name)
}

// minUploadOutput is the JSON document of test min --upload.
type minUploadOutput struct {
	Uploaded bool `json:"uploaded"` // always true: an upload that failed is an error
}

func printMin(g *globals, opts *minOptions, result *flow.MinResult) error {
	if opts.uploadOnly {
		if g.Output == outputJSON {
			return g.printJSON(minUploadOutput{true})
		}
		g.printf("uploaded; now run the test on the guest's host\n")
		return nil
	}
	if g.Output == outputJSON {
		return g.printJSON(result)
	}
	for _, w := range result.Warnings {
		g.printf("warning: %s\n", w)
	}
	for _, m := range result.Models {
		g.printf("%s: auc %.4f, predicts (jobs %s, %s)\n", m.Algorithm, m.AUC, m.TrainJob, m.PredictJob)
	}
	g.printf("passed in %s\n", result.Elapsed.Round(time.Second))
	return nil
}
