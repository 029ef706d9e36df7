package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/audit"
	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor"

	"github.com/spf13/cobra"
)

// historyOf is the record of who changed what on this host.
func historyOf(l cluster.Layout) audit.Log { return audit.Open(deploy.HistoryDir(l)) }

// changesHost marks a command that changes the host, for the history. One that speaks to the supervisor needs no mark:
// the supervisor records what it is asked for.
const changesHost = "changes-host"

// changesWith names the flags with which alone a command that changes the host does so.
const changesWith = "changes-host-with"

// recordedWith is recorded for a command that only looks when it has none of the flags.
func recordedWith(cmd *cobra.Command, flags ...string) *cobra.Command {
	recorded(cmd).Annotations[changesWith] = strings.Join(flags, " ")
	return cmd
}

// onlyLooks reports whether a command that may change the host is called so that it does not.
func onlyLooks(cmd *cobra.Command) bool {
	given := func(name string, value string) bool {
		f := cmd.Flags().Lookup(name)
		return f != nil && f.Value.String() == value
	}
	with := strings.Fields(cmd.Annotations[changesWith])
	return given("dry-run", "true") || given("fix", "false") ||
		len(with) > 0 && !slices.ContainsFunc(with, cmd.Flags().Changed)
}

func recorded(cmd *cobra.Command) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[changesHost] = "yes"
	return cmd
}

// mayChangeHost reports whether a command is marked so. The bare command installs, unless it prints its help.
func mayChangeHost(cmd *cobra.Command) bool {
	return !cmd.HasParent() || cmd.Annotations[changesHost] != ""
}

// recording is the entry in the history of a command that runs. On a host where nothing is installed yet it begins as
// soon as the installation has made its directory: a refused installation leaves nothing.
type recording struct {
	began  time.Time // by the boot clock
	g      *globals
	log    audit.Log
	mu     sync.Mutex
	entry  audit.Entry
	before []byte        // printed before the entry could begin
	out    *audit.Writer // nil before that
	failed error         // why it cannot be recorded
}

// maxBefore bounds what is kept in memory until the entry begins, in bytes.
const maxBefore = 64 << 10

// record begins the entry of a command that changes the host, and keeps what it prints from now on.
func (g *globals) record(cmd *cobra.Command) {
	install := !cmd.HasParent() && (g.Role != "" || len(g.Config) > 0) // without a command
	if cmd.Annotations[changesHost] == "" && !install || g.inTree() || os.Geteuid() != 0 {
		return
	}
	if onlyLooks(cmd) {
		return
	}
	now, who := time.Now(), supervisor.RequesterOf(os.Getuid(), os.Getpid())
	r := &recording{g: g, log: historyOf(g.layout()), began: bootClock(), entry: audit.Entry{
		ID: audit.NewID(now), Began: now, UID: who.UID, User: who.User, Login: who.Login, PID: who.PID,
		Command: supervisor.CommandText(os.Args), Version: version,
	}}
	g.recording = r
	g.Stdout, g.Stderr = &teeWriter{g.Stdout, r}, &teeWriter{g.Stderr, r}
	r.begin()
}

// begin writes the entry, unless there is no place for it yet.
func (r *recording) begin() {
	if r.out != nil || r.failed != nil {
		return
	}
	err := r.log.Append(r.entry)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		r.out, err = r.log.NewOutput(r.entry.ID)
	}
	if err != nil {
		r.failed = err
		return
	}
	_, _ = r.out.Write(r.before)
	r.before = nil
}

func (r *recording) keep(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
	switch {
	case r.out != nil:
		_, _ = r.out.Write(p)
	case len(r.before)+len(p) <= maxBefore:
		r.before = append(r.before, p...)
	}
}

// lost says why what the command does is not recorded; nil: it is.
func (r *recording) lost() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil && r.out == nil {
		return errors.New("there is no history")
	}
	return r.failed
}

// end writes how the command ended.
func (r *recording) end(code int, err error) {
	if failed := r.finish(code, err); failed != nil {
		// What is written to standard error is to be recorded, too: this must not hold the lock.
		r.g.errorf("warning: this command is not in the history: %v\n", failed)
	}
}

// finish ends the entry, and returns why the command is not recorded.
func (r *recording) finish(code int, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin()
	if r.out == nil {
		return r.failed
	}
	_ = r.out.Close()
	e := audit.Entry{ID: r.entry.ID, UID: r.entry.UID, Ended: time.Now(), Exit: &code, Result: audit.Done,
		Seconds: bootClock().Sub(r.began).Seconds()}
	if code != exit.OK {
		e.Result = audit.Failed
	}
	if err != nil {
		e.Error = err.Error()
	}
	if err := r.log.Append(e); err != nil && !errors.Is(err, fs.ErrNotExist) { // a purge has removed it
		r.failed = err
	}
	return r.failed
}

// teeWriter writes to a stream, and to the history.
type teeWriter struct {
	io.Writer
	recording *recording
}

func (t *teeWriter) Write(p []byte) (int, error) {
	t.recording.keep(p)
	return t.Writer.Write(p)
}

// recordRequest is how the supervisor of a layout records what its clients ask for.
func recordRequest(l cluster.Layout, failed func(error)) func(r supervisor.Requester,
	action string) (done func(error)) {
	log := historyOf(l)
	add := func(e audit.Entry) {
		// without an installation there is no history
		if err := log.Append(e); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed(err)
		}
	}
	return func(r supervisor.Requester, action string) func(error) {
		now, began := time.Now(), bootClock()
		e := audit.Entry{ID: audit.NewID(now), Began: now, UID: r.UID, User: r.User, Login: r.Login, PID: r.PID,
			Command: r.Command, Action: "supervisor: " + action}
		add(e)
		return func(err error) {
			end := audit.Entry{ID: e.ID, UID: e.UID, Ended: time.Now(), Result: audit.Done,
				Seconds: bootClock().Sub(began).Seconds()}
			if err != nil {
				end.Result, end.Error = audit.Failed, err.Error()
			}
			if errors.Is(err, context.Canceled) {
				end.Error = "the client went away; the request goes on"
			}
			add(end)
		}
	}
}
