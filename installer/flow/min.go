package flow

import (
	"context"
	"fmt"
	"path"
	"time"
)

// Min is FATE's minimal test: hetero logistic regression and SecureBoost on a small data set whose columns are divided
// between guest and host, trained, judged by the area under the curve, and used to predict. It is the same as
// upstream's min_test_task does, through Flow's HTTP API, since upstream's clients exit with 0 whatever happened.
type Min struct {
	Guest, Host, Arbiter int // party ids; the same for all tests one party alone
	Data                 MinData
	Boost                bool // SecureBoost, too
	TaskCores            int
	Partitions           int
	Timeout              time.Duration // for everything
	Interval             time.Duration // between two looks at a job; 0 means one second
	Stopping             time.Duration // how long a job may take to stop when the time is over; 0 means one minute
	// OnStep gets what is begun; it may be nil.
	OnStep func(text string)
	Watcher
}

// MinData is a data set that FATE's examples bring, in the halves of guest and host.
type MinData struct {
	Name, guest, host string
	LeastAUC          float64 // what upstream expects of logistic regression; less gives a warning there, and here
	// Timeout is enough for the test on two cores with real Paillier encryption under load. Measured: 30 iterations of
	// hetero LR on 569 rows took 450 s to 742 s; an iteration's time grows with the rows.
	Timeout time.Duration
}

// The data sets of upstream's options fast and normal.
var (
	FastData   = MinData{"fast", "breast_hetero_guest", "breast_hetero_host", 0.98, time.Hour}
	NormalData = MinData{"normal", "default_credit_hetero_guest", "default_credit_hetero_host", 0.69, 24 * time.Hour}
)

// namespace is where upstream's tools put the data of the tests.
const namespace = "experiment"

// Tables are the halves of the data set, as files below the directory of FATE's examples.
func (d MinData) Tables(examples string) (guest, host Table) {
	table := func(name string) Table {
		return Table{Name: name, Namespace: namespace, File: path.Join(examples, "data", name+".csv")}
	}
	return table(d.guest), table(d.host)
}

// MinResult is the result of a successful minimal test.
type MinResult struct {
	Data     string        `json:"data"`       // the data set: fast or normal
	Models   []ModelResult `json:"models"`     // one for each algorithm
	Warnings []string      `json:"warnings"`   // what is not as it should be, as text
	Elapsed  time.Duration `json:"elapsed_ns"` // nanoseconds from the first submission to the end
}

// ModelResult is one algorithm's part in it.
type ModelResult struct {
	Algorithm  string  `json:"algorithm"`   // hetero_lr or hetero_secureboost
	TrainJob   string  `json:"train_job"`   // ID of the job that trained it
	PredictJob string  `json:"predict_job"` // ID of the job that predicted with it
	AUC        float64 `json:"auc"`         // of the training
}

const minTest = "min test"

// Upload fills a table on the Flow that c reaches. Each party has to do it with its own half.
func (m Min) Upload(ctx context.Context, c *Client, t Table) error {
	m.step("upload " + t.File + " as " + t.Namespace + "." + t.Name)
	s, err := c.Upload(ctx, t, m.partitions())
	if err != nil {
		return fmt.Errorf("cannot upload the data of the %s: %w", minTest, err)
	}
	w := m.watch(time.Now())
	w.role, w.party = "local", 0
	return w.await(ctx, c, s.Job)
}

// Run trains, judges and predicts on the guest's Flow. The tables have been uploaded on both sides.
func (m Min) Run(ctx context.Context, c *Client) (*MinResult, error) {
	started := time.Now()
	result := &MinResult{Data: m.Data.Name, Warnings: []string{}}
	algorithms := []algorithm{logisticRegression}
	if m.Boost {
		algorithms = append(algorithms, secureBoost)
	}
	for _, a := range algorithms {
		model, err := m.train(ctx, c, m.watch(started), a)
		if err != nil {
			return nil, err
		}
		if a.component == logisticRegression.component && model.AUC < m.Data.LeastAUC {
			result.Warnings = append(result.Warnings, fmt.Sprintf("the auc of %s is %.4f, less than the expected %.2f",
				a.name, model.AUC, m.Data.LeastAUC))
		}
		result.Models = append(result.Models, model)
	}
	result.Elapsed = time.Since(started)
	return result, nil
}

func (m Min) watch(started time.Time) watch {
	return watch{
		test: minTest, role: "guest", party: m.Guest, started: started, timeout: m.Timeout, interval: m.Interval,
		stopping: m.Stopping, watcher: m.Watcher,
	}
}

// train trains a model, reads how good it is, and predicts with it.
func (m Min) train(ctx context.Context, c *Client, w watch, a algorithm) (ModelResult, error) {
	result := ModelResult{Algorithm: a.name}
	m.step("train " + a.name)
	trained, err := w.submit(ctx, c, a.dsl(), m.conf(a))
	if err != nil {
		return result, err
	}
	result.TrainJob = trained.Job
	if result.AUC, err = c.Metric(ctx, trained.Job, "guest", m.Guest, evaluation, a.component, "auc"); err != nil {
		return result, fmt.Errorf("%s job %s ended well, but its result cannot be read: %w", minTest, trained.Job, err)
	}
	if result.AUC <= 0.5 {
		return result, &JobError{Test: minTest, Job: trained.Job, Status: StatusSuccess,
			Reason: fmt.Sprintf("the auc of %s is %.4f, no better than guessing", a.name, result.AUC)}
	}
	m.step(fmt.Sprintf("auc of %s is %.4f; predict with it", a.name, result.AUC))
	deployed, err := c.Deploy(ctx, trained.Model)
	if err != nil {
		return result, fmt.Errorf("cannot deploy the model of %s job %s: %w", minTest, trained.Job, err)
	}
	predicted, err := w.submit(ctx, c, map[string]any{}, m.predictConf(a, deployed))
	if err != nil {
		return result, err
	}
	result.PredictJob = predicted.Job
	return result, nil
}

func (m Min) step(text string) {
	if m.OnStep != nil {
		m.OnStep(text)
	}
}

func (m Min) partitions() int { return max(1, m.Partitions) }
