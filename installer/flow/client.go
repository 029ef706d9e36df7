// Package flow speaks FATE-Flow's HTTP API: enough of it to ask for the version, to submit a job, to follow it and to
// read its log. It replaces the flow command-line client for tests, because that client exits with 0 whatever happened.
//
// Flow answers application errors with HTTP 200 and a non-zero retcode, so both are checked here.
package flow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Client calls one FATE-Flow instance.
type Client struct {
	// BaseURL is the instance's HTTP address, such as http://192.168.0.1:9380. Flow binds its configured host only,
	// so 127.0.0.1 does not work.
	BaseURL string
	// Key signs the requests to a Flow that authenticates its clients.
	Key Key
	// HTTP is the client to use; nil means one with a time limit of 30 s, Flow's own limit for remote calls.
	HTTP *http.Client
}

// Retcodes of Flow that a caller may want to tell apart (fate_flow/settings.py, class RetCode).
const (
	RetcodeSuccess             = 0
	RetcodeIncompatibleVersion = 107
	RetcodePermission          = 108
	RetcodeAuthentication      = 109
)

// Error is Flow's refusal of a request it understood.
type Error struct {
	Path    string
	Retcode int
	Message string // all of it: a refused submission quotes tracebacks of every party
	Job     string // the job that a refused submission has left behind as failed; blank: none
}

func (e *Error) Error() string {
	return fmt.Sprintf("fate_flow answered %s with retcode %d: %s", e.Path, e.Retcode, Explain(e.Message))
}

// Hint tells what the retcode usually means on a fresh installation.
func (e *Error) Hint() string {
	switch {
	case strings.Contains(e.Message, "max cores per job"):
		return "the job wants more cores than clustermanager.cores_per_node times the number of nodemanagers: pass a " +
			"smaller --task-cores"
	case e.Retcode == RetcodeIncompatibleVersion:
		return "the two parties run FATE versions that do not work together: compare fate.env on both sides"
	case e.Retcode == RetcodeAuthentication:
		return "fate_flow authenticates its clients: fate_flow.http_app_key and http_secret_key must be the same in " +
			"the cluster file and service_conf.yaml, and the clocks at most 60 s apart"
	case e.Retcode == RetcodePermission:
		return "permission is switched on in service_conf.yaml: grant it to this party"
	}
	return ""
}

type reply struct {
	Retcode *int            `json:"retcode"` // in every answer of FATE-Flow
	Retmsg  string          `json:"retmsg"`
	JobID   string          `json:"jobId"`
	Data    json.RawMessage `json:"data"`
}

// maxReply bounds what is read of an answer: the largest real ones are a few hundred kilobytes.
const maxReply = 16 << 20

func (c *Client) post(ctx context.Context, path string, body any) (*http.Response, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BaseURL+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	c.Key.sign(req, encoded, time.Now())
	client := c.HTTP
	if client == nil {
		client = NewHTTP(30 * time.Second)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach fate_flow: %w", err)
	}
	return resp, nil
}

// NewHTTP makes a client whose requests end within timeout. It uses no proxy: FATE-Flow is a host of the cluster, and
// the proxy of the operator's shell leads out of it.
func NewHTTP(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{Proxy: nil, IdleConnTimeout: 90 * time.Second}}
}

func (c *Client) call(ctx context.Context, path string, body any) (*reply, error) {
	resp, err := c.post(ctx, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return decodeReply(path, resp)
}

func decodeReply(path string, resp *http.Response) (*reply, error) {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("cannot read fate_flow's answer to %s: %w", path, err)
	}
	var r reply
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("cannot understand fate_flow's answer to %s (HTTP status %s): %w",
			path, resp.Status, err)
	}
	if r.Retcode == nil { // from another service on its port, as a proxy: no answer is not "no job"
		return nil, fmt.Errorf("cannot understand fate_flow's answer to %s (HTTP status %s): it has no retcode",
			path, resp.Status)
	}
	if *r.Retcode != RetcodeSuccess || resp.StatusCode != http.StatusOK {
		return nil, &Error{Path: path, Retcode: *r.Retcode, Message: r.Retmsg, Job: r.JobID}
	}
	return &r, nil
}

// Version returns the FATE version the instance reports.
func (c *Client) Version(ctx context.Context) (string, error) {
	r, err := c.call(ctx, "/v1/version/get", map[string]string{"module": "FATE"})
	if err != nil {
		return "", err
	}
	var data struct{ FATE string }
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return "", fmt.Errorf("cannot understand fate_flow's version: %w", err)
	}
	return data.FATE, nil
}

// Submission is Flow's answer about a job that it has accepted.
type Submission struct {
	Job   string
	Model Model // that a training job makes
}

// Model names a trained model.
type Model struct {
	ID      string `json:"model_id"`
	Version string `json:"model_version"`
}

// Submit starts a job.
func (c *Client) Submit(ctx context.Context, dsl, runtimeConf any) (*Submission, error) {
	return c.start(ctx, "/v1/job/submit", map[string]any{"job_dsl": dsl, "job_runtime_conf": runtimeConf})
}

// start calls an endpoint that answers with the job it has started.
func (c *Client) start(ctx context.Context, endpoint string, body any) (*Submission, error) {
	r, err := c.call(ctx, endpoint, body)
	if err != nil {
		return nil, err
	}
	if r.JobID == "" {
		return nil, errors.New("fate_flow accepted the job but gave no job id")
	}
	var data struct {
		Model Model `json:"model_info"`
	}
	if len(r.Data) > 0 {
		if err := json.Unmarshal(r.Data, &data); err != nil {
			return nil, fmt.Errorf("cannot understand what fate_flow says of job %s: %w", r.JobID, err)
		}
	}
	return &Submission{r.JobID, data.Model}, nil
}

// Table names a table of a party's storage, and the file on the host of its Flow that fills it.
type Table struct {
	Name, Namespace string
	File            string // absolute
}

// Upload has Flow read a CSV file with a header line on its own host into a table, in place of what is there under the
// name. It starts a job, of role local and party 0.
func (c *Client) Upload(ctx context.Context, t Table, partitions int) (*Submission, error) {
	return c.start(ctx, "/v1/data/upload", map[string]any{
		"file": t.File, "table_name": t.Name, "namespace": t.Namespace, "head": 1, "partition": partitions,
		"id_delimiter":   ",",
		"use_local_data": 0, // the file is on Flow's host; otherwise it would be in the request
		"drop":           1,
	})
}

// Deploy makes a trained model one that jobs can predict with, and returns it.
func (c *Client) Deploy(ctx context.Context, m Model) (Model, error) {
	r, err := c.call(ctx, "/v1/model/deploy", m)
	if err != nil {
		return Model{}, err
	}
	var deployed Model
	if err := json.Unmarshal(r.Data, &deployed); err != nil || deployed.Version == "" {
		return Model{}, fmt.Errorf("cannot understand which model fate_flow has deployed: %s", r.Data)
	}
	return deployed, nil
}

// Metric returns a number that an evaluation component of a finished job has found about the output of another one,
// such as its auc.
func (c *Client) Metric(ctx context.Context, job, role string, party int, evaluation, of, name string) (float64,
	error) {
	r, err := c.call(ctx, "/v1/tracking/component/metric/all",
		map[string]any{"job_id": job, "role": role, "party_id": party, "component_name": evaluation})
	if err != nil {
		return 0, err
	}
	// namespace of the metrics (train, validate, predict) -> what was evaluated -> pairs of a name and a value
	var data map[string]map[string]struct{ Data [][]any }
	if err := json.Unmarshal(r.Data, &data); err != nil {
		return 0, fmt.Errorf("cannot understand the metrics of job %s: %w", job, err)
	}
	for _, evaluated := range data {
		for _, pair := range evaluated[of].Data {
			if len(pair) != 2 || pair[0] != name {
				continue
			}
			if value, ok := pair[1].(float64); ok {
				return value, nil
			}
		}
	}
	return 0, fmt.Errorf("cannot find the metric %s of %s in job %s", name, of, job)
}

// States of jobs and tasks (fate_flow/entity/run_status.py). A task that has nothing to do passes.
const (
	StatusReady    = "ready"
	StatusWaiting  = "waiting"
	StatusRunning  = "running"
	StatusSuccess  = "success"
	StatusPass     = "pass"
	StatusFailed   = "failed"
	StatusCanceled = "canceled"
	StatusTimeout  = "timeout"
)

// Finished reports whether a job or task in that state will not change any more.
func Finished(status string) bool {
	switch status {
	case StatusReady, StatusWaiting, StatusRunning:
		return false
	}
	return true
}

// Status returns a job's state as one role of it sees it.
func (c *Client) Status(ctx context.Context, job, role string, party int) (string, error) {
	r, err := c.call(ctx, "/v1/job/query", map[string]any{"job_id": job, "role": role, "party_id": party})
	if err != nil {
		return "", err
	}
	var rows []struct {
		Status string `json:"f_status"`
	}
	if err := json.Unmarshal(r.Data, &rows); err != nil {
		return "", fmt.Errorf("cannot understand the state of job %s: %w", job, err)
	}
	if len(rows) == 0 {
		return "", fmt.Errorf("cannot find job %s: fate_flow does not know it", job)
	}
	return rows[0].Status, nil
}
