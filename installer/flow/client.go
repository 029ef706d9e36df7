// Package flow speaks FATE-Flow's HTTP API: enough of it to ask for the version, to submit a job, to follow it and to
// read its log. It replaces the flow command-line client for tests, because that client exits with 0 whatever happened.
//
// Flow answers application errors with HTTP 200 and a non-zero retcode, so both are checked here.
package flow

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
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
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("fate_flow answered %s with retcode %d: %s", e.Path, e.Retcode, strings.TrimSpace(e.Message))
}

// Hint tells what the retcode usually means on a fresh installation.
func (e *Error) Hint() string {
	switch {
	case strings.Contains(e.Message, "max cores per job"):
		return "the job wants more cores than clustermanager.cores_per_node times the number of nodemanagers: pass a smaller --task-cores"
	case e.Retcode == RetcodeIncompatibleVersion:
		return "the two parties run FATE versions that do not work together: compare fate.env on both sides"
	case e.Retcode == RetcodeAuthentication:
		return "fate_flow authenticates its clients: fate_flow.http_app_key and http_secret_key must be the same in the cluster file and service_conf.yaml, and the clocks at most 60 s apart"
	case e.Retcode == RetcodePermission:
		return "permission is switched on in service_conf.yaml: grant it to this party"
	}
	return ""
}

type reply struct {
	Retcode int             `json:"retcode"`
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
		client = &http.Client{Timeout: 30 * time.Second}
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach fate_flow: %w", err)
	}
	return resp, nil
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
		return nil, fmt.Errorf("cannot understand fate_flow's answer to %s (HTTP status %s): %w", path, resp.Status, err)
	}
	if r.Retcode != RetcodeSuccess || resp.StatusCode != http.StatusOK {
		return nil, &Error{Path: path, Retcode: r.Retcode, Message: r.Retmsg}
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

// Submission is what Flow says of a job that it has accepted.
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
		"file": t.File, "table_name": t.Name, "namespace": t.Namespace, "head": 1, "partition": partitions, "id_delimiter": ",",
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
func (c *Client) Metric(ctx context.Context, job, role string, party int, evaluation, of, name string) (float64, error) {
	r, err := c.call(ctx, "/v1/tracking/component/metric/all", map[string]any{"job_id": job, "role": role, "party_id": party, "component_name": evaluation})
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

// Job states (fate_flow's JobStatus).
const (
	StatusWaiting = "waiting"
	StatusRunning = "running"
	StatusSuccess = "success"
)

// Finished reports whether a job in that state will not change any more.
func Finished(status string) bool { return status != StatusWaiting && status != StatusRunning }

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

// Stop asks Flow to cancel a job.
func (c *Client) Stop(ctx context.Context, job string) error {
	_, err := c.call(ctx, "/v1/job/stop", map[string]any{"job_id": job})
	return err
}

// LogLines downloads a job's logs and returns the lines of role's log files for party that keep accepts, with the name
// of the file (such as INFO.log) each is from.
func (c *Client) LogLines(ctx context.Context, job, role string, party int, keep func(line string) bool) ([]string, error) {
	const endpoint = "/v1/job/log/download"
	resp, err := c.post(ctx, endpoint, map[string]any{"job_id": job})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		_, err := decodeReply(endpoint, resp)
		if err == nil {
			err = fmt.Errorf("cannot download the log of job %s: fate_flow sent no archive", job)
		}
		return nil, err
	}
	return scanLogs(resp.Body, path.Join(role, fmt.Sprint(party)), keep)
}

// scanLogs reads a tar.gz of log files and returns the wanted lines of the files in a directory that ends with dir.
func scanLogs(archive io.Reader, dir string, keep func(string) bool) ([]string, error) {
	unzipped, err := gzip.NewReader(archive)
	if err != nil {
		return nil, fmt.Errorf("cannot read the job's log archive: %w", err)
	}
	var lines []string
	for members := tar.NewReader(unzipped); ; {
		header, err := members.Next()
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the job's log archive: %w", err)
		}
		if parent := path.Dir(path.Clean(header.Name)); parent != dir && !strings.HasSuffix(parent, "/"+dir) {
			continue
		}
		scanner := bufio.NewScanner(members)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			if keep(scanner.Text()) {
				lines = append(lines, path.Base(header.Name)+": "+scanner.Text())
			}
		}
		if err := scanner.Err(); err != nil {
			return nil, fmt.Errorf("cannot read %s in the job's log archive: %w", header.Name, err)
		}
	}
}
