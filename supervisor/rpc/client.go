package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
)

// Client speaks to a daemon over its unix socket. It is safe for concurrent use.
type Client struct {
	socket             string
	username, password string
	http               *http.Client
	clean              func(lines []string) []string // nil: lines of logs are returned as they are
}

// NewClient returns a client of the daemon behind a socket. Nothing is connected before the first call.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: dialTimeout}
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Host is where a supervisor runs. It is live unless it is a tree of files only, and Path is where a file of it is for
// this process.
type Host interface {
	Live() bool
	Path(abs string) string
}

// ErrTree is the error of [ClientOf] for a tree of files.
var ErrTree = errors.New("cannot speak to a supervisor: in a directory tree nothing runs")

// ClientOf returns a client of the supervisor that listens on socket of a host. For a tree of files the error is
// [ErrTree]: what listens there on this machine is another supervisor.
func ClientOf(h Host, socket string) (*Client, error) {
	if !h.Live() {
		return nil, ErrTree
	}
	return NewClient(h.Path(socket)), nil
}

// Authenticate makes the client send a name and password, for a socket that asks for them.
func (c *Client) Authenticate(username string, password config.Password) {
	c.username, c.password = username, string(password)
}

// CleanLogs has f applied to the last lines of logs in everything that Status, Start, Stop, Restart and Why return.
// Programs print what they read, passwords too, and these lines go to consoles, reports and run logs.
func (c *Client) CleanLogs(f func(lines []string) []string) { c.clean = f }

func (c *Client) cleanStatus(st *supervisor.Status) {
	if c.clean != nil && st != nil {
		st.LastLog = c.clean(st.LastLog)
	}
}

// outcome calls a method that controls programs.
func (c *Client) outcome(ctx context.Context, method string, params ...any) (Outcome, error) {
	var out Outcome
	err := c.Call(ctx, &out, method, params...)
	for i := range out.Failed {
		c.cleanStatus(out.Failed[i].Status)
	}
	return out, err
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// NotRunningError says that no daemon answers on the socket.
type NotRunningError struct {
	Socket string
	Err    error
}

func (e *NotRunningError) Error() string {
	return fmt.Sprintf("the supervisor is not running: nothing answers on %s", e.Socket)
}
func (e *NotRunningError) Unwrap() error { return e.Err }

// Hint returns the next thing to try.
func (e *NotRunningError) Hint() string {
	return "systemctl start fate-supervisor, or in the foreground: fate-installer svc run"
}

// Timeouts of the client. A call that waits for programs, or for an event, takes as long as its context.
const (
	dialTimeout = 10 * time.Second // also while the daemon accepts nothing
	callTimeout = 60 * time.Second
)

// waits reports whether the answer to a method may take longer than callTimeout.
func waits(method string) bool {
	switch method {
	case "fate.start", "fate.stop", "fate.restart", "fate.update", "fate.events", "fate.upgrade", "fate.rotate",
		"system.multicall":
		return true
	}
	return strings.HasPrefix(method, "supervisor.st") // start and stop
}

// BusyError says that the daemon serves no further connection of this user.
type BusyError struct{ Text string }

func (e *BusyError) Error() string { return "cannot speak to the supervisor: " + e.Text }

// Hint returns the next thing to try.
func (e *BusyError) Hint() string {
	return "end what follows logs or waits for events (svc logs -f, supervisorctl tail -f), or run the command as " +
		"root, for whom connections are kept free"
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, body)
	if err != nil {
		return nil, err
	}
	if c.username != "" {
		req.SetBasicAuth(c.username, c.password)
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED):
		return nil, &NotRunningError{c.socket, err}
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("cannot speak to the supervisor: only root and the group of %s may", c.socket)
	case err != nil:
		return nil, fmt.Errorf("cannot speak to the supervisor: %w", err)
	case resp.StatusCode != http.StatusOK:
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		if resp.StatusCode == http.StatusServiceUnavailable {
			return nil, &BusyError{string(bytes.TrimSpace(text))}
		}
		return nil, fmt.Errorf("the supervisor refuses: %s", bytes.TrimSpace(text))
	}
	return resp, nil
}

// Call calls a method and puts its result into out, which may be nil.
func (c *Client) Call(ctx context.Context, out any, method string, params ...any) error {
	if !waits(method) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, callTimeout,
			fmt.Errorf("the supervisor has not answered %s for %s", method, callTimeout))
		defer cancel()
	}
	resp, err := c.request(ctx, http.MethodPost, "/RPC2", bytes.NewReader(encodeCall(method, params)))
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// Read before it is decoded, which takes longer: the supervisor waits for who reads, and not for ever.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes))
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("the supervisor's answer to %s is incomplete: %w", method, err)
	}
	v, err := decodeResponse(bytes.NewReader(body))
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	return fromPlain(v, out)
}

func words(names []string) []any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}

// Status returns the full status of the named programs; none means all.
func (c *Client) Status(ctx context.Context, names ...string) ([]supervisor.Status, error) {
	var out []supervisor.Status
	err := c.Call(ctx, &out, "fate.status", words(names))
	for i := range out {
		c.cleanStatus(&out[i])
	}
	return out, err
}

// Resolve returns the programs that names, groups and "all" stand for.
func (c *Client) Resolve(ctx context.Context, names ...string) ([]string, error) {
	var out []string
	err := c.Call(ctx, &out, "fate.resolve", words(names))
	return out, err
}

// Start starts programs and what they depend on. With wait it returns when each is ready or has failed.
func (c *Client) Start(ctx context.Context, names []string, wait bool) (Outcome, error) {
	return c.outcome(ctx, "fate.start", words(names), wait)
}

// StartServing is as Start with wait, but returns when the programs that depend on them can start.
func (c *Client) StartServing(ctx context.Context, names []string) (Outcome, error) {
	var out Outcome
	err := c.Call(ctx, &out, "fate.start", words(names), true, true)
	return out, err
}

// RestartServing is as Restart with wait and without dependants, but returns when the programs that depend on them can
// start.
func (c *Client) RestartServing(ctx context.Context, names []string) (Outcome, error) {
	var out Outcome
	err := c.Call(ctx, &out, "fate.restart", words(names), false, true, true)
	return out, err
}

// Stop stops programs.
func (c *Client) Stop(ctx context.Context, names []string, wait bool) (Outcome, error) {
	return c.outcome(ctx, "fate.stop", words(names), wait)
}

// StopWithDependants is as Stop, and stops those that need the programs, too. The outcome names them all.
func (c *Client) StopWithDependants(ctx context.Context, names []string, wait bool) (Outcome, error) {
	return c.outcome(ctx, "fate.stop", words(names), wait, true)
}

// Restart restarts programs, and with dependants those that depend on them and are up.
func (c *Client) Restart(ctx context.Context, names []string, dependants, wait bool) (Outcome, error) {
	return c.outcome(ctx, "fate.restart", words(names), dependants, wait)
}

// Update makes the daemon read its configuration again and apply it, to the named groups or to all.
func (c *Client) Update(ctx context.Context, groups ...string) (supervisor.Changes, error) {
	var out supervisor.Changes
	err := c.Call(ctx, &out, "fate.update", words(groups))
	return out, err
}

// Why explains why a program is not ready, from it to the root cause.
func (c *Client) Why(ctx context.Context, name string) ([]supervisor.Finding, error) {
	var out []supervisor.Finding
	err := c.Call(ctx, &out, "fate.why", name)
	for i := range out {
		if c.clean != nil {
			out[i].LastLog = c.clean(out[i].LastLog)
		}
	}
	return out, err
}

// LastEvent returns the number of the latest event, to go on from.
func (c *Client) LastEvent(ctx context.Context) (uint64, error) {
	_, last, err := c.events(ctx, -1, 0)
	return last, err
}

// Events returns the events after a number, waiting up to a minute for one, and the number to go on from.
func (c *Client) Events(ctx context.Context, after uint64, wait time.Duration) ([]supervisor.Event, uint64, error) {
	return c.events(ctx, int64(after), wait)
}

func (c *Client) events(ctx context.Context, after int64, wait time.Duration) ([]supervisor.Event, uint64, error) {
	var out struct {
		Events []supervisor.Event `json:"events"`
		Last   uint64             `json:"last"`
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait+callTimeout,
		fmt.Errorf("the supervisor has not answered fate.events for %s", wait+callTimeout))
	defer cancel()
	err := c.Call(ctx, &out, "fate.events", after, wait.Seconds())
	return out.Events, out.Last, err
}

// Shutdown ends the daemon; keep leaves the programs running.
func (c *Client) Shutdown(ctx context.Context, keep bool) error {
	return c.Call(ctx, nil, "fate.shutdown", keep)
}

// upgradeTimeout bounds the wait for a new version to answer.
const upgradeTimeout = 30 * time.Second

// Upgrade makes the daemon execute a new version of itself, and returns when that answers; "" is the file it was
// started from.
func (c *Client) Upgrade(ctx context.Context, path string) error {
	before, err := c.began(ctx)
	if err == nil {
		err = c.Call(ctx, nil, "fate.upgrade", path)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, upgradeTimeout)
	defer cancel()
	for {
		// A connection to the old version ends with it, at any moment: one more reason to ask again.
		c.Close()
		now, err := c.began(ctx)
		if err == nil && now != before {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the new version does not answer: the supervisor's log says why"), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *Client) began(ctx context.Context) (string, error) {
	var at string
	err := c.Call(ctx, &at, "fate.began")
	return at, err
}

// PID returns the daemon's process id.
func (c *Client) PID(ctx context.Context) (int, error) {
	var pid int
	err := c.Call(ctx, &pid, "supervisor.getPID")
	return pid, err
}

// Log copies the last lines of a program's log to w ("stdout" or "stderr"), and with follow what is added until the
// context ends.
func (c *Client) Log(ctx context.Context, w io.Writer, name, stream string, lines int, follow bool) error {
	query := url.Values{"lines": {strconv.Itoa(lines)}}
	if !follow {
		query.Set("follow", "0")
	}
	resp, err := c.request(ctx, http.MethodGet, "/logtail/"+url.PathEscape(name)+"/"+stream+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil && ctx.Err() == nil {
		return fmt.Errorf("cannot follow the log of %s: %w", name, err)
	}
	return nil
}

// Rotate rotates the logs of programs now, whatever their size.
func (c *Client) Rotate(ctx context.Context, names []string) error {
	return c.Call(ctx, nil, "fate.rotate", words(names))
}

// Metrics copies the daemon's metrics in Prometheus's text format to w.
func (c *Client) Metrics(ctx context.Context, w io.Writer) error {
	resp, err := c.request(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}
