package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/state"
	"fate-installer/payload/count"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

type svcStatusOptions struct {
	Watch    bool
	AllHosts bool
	Interval time.Duration
}

func newSvcStatusCommand(g *globals) *cobra.Command {
	o := &svcStatusOptions{}
	cmd := &cobra.Command{
		Use:   "status [NAME...]",
		Short: "Show the state of the programs",
		Long: `Show for each program its state, whether it is ready, its process, how long it has been so, how often it was
restarted, its ports, its memory, and in one line why it is not ready.

RUNNING and ready are different things: a program runs when it has lived for startsecs, and is ready when its probe
got an answer and what it needs is there. The clustermanager is ready when every nodemanager of the party gets jobs and answers, FATE-Flow when one of
its workers does and its database does.

A program that needs another one which is not there is degraded: it goes on, and is ready again with that one. With -o json
it is "ready": false, "degraded": true, and "degraded_by" names what is missing. So is a program that writes to a file
system with less than 512 MiB free, or 5 % of one below 10 GiB; "low_space" says which. So are all programs when more than
90 % of a limit on processes and threads is in use (pids.max of the supervisor's control group and of those above,
threads-max, pid_max); "low_tasks" says which. When a command that changes the host was interrupted, "phase" says which,
and "interrupted" what completes it; root sees these.

Certificates of rollsite that end within 30 days, or cannot be used, are in a line below the table, and all of them are in
"certificates" with -o json; root sees these, too. One that has expired is as a program that is not ready: the exit code
is 3.

A host that makes backups by itself, or has ever made one, has a line about them, and "backups" with -o json: when the
last complete one was made, why a later one failed, and whether it is overdue. Root sees these, too; they do not change the
exit code.

A file system of data, logs or programs of which 80 % or more is in use is in a line below the table, and in "filling"
with -o json; the exit code does not depend on it. gc --dry-run shows what can be removed.

With --all-hosts it asks, over the network, every module of this party on every host, and shows which FATE-Flows are
registered in ZooKeeper.

EXIT STATUS
  0    all shown programs are ready
  1    unexpected error
  2    there is no such program
  3    some are not, or a certificate of rollsite has expired or cannot be used
  4    the supervisor is not running`,
		Example: `  fate-installer svc status
  fate-installer svc status mysql fateflow -o json
  fate-installer svc status --watch
  fate-installer svc status --all-hosts`,
		ValidArgsFunction: completeNames(g),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !o.AllHosts {
				return runSvcStatus(cmd.Context(), g, o, args)
			}
			if o.Watch || len(args) > 0 {
				return exit.With(errors.New("cannot narrow or repeat --all-hosts: it shows everything, once"),
					exit.Usage)
			}
			return runSvcStatusAllHosts(cmd.Context(), g)
		},
	}
	cmd.Flags().BoolVarP(&o.Watch, "watch", "w", false, "show it again and again until interrupted")
	cmd.Flags().BoolVar(&o.AllHosts, "all-hosts", false,
		"show every module of the party on every host, instead of this host's programs")
	cmd.Flags().DurationVar(&o.Interval, "interval", time.Second, "with --watch, refresh each `DURATION`")
	return cmd
}

func runSvcStatus(ctx context.Context, g *globals, o *svcStatusOptions, names []string) error {
	phase, interrupted := g.warnInterrupted()
	return withSupervisor(ctx, g, func(ctx context.Context, c *rpc.Client) error {
		for {
			statuses, err := c.Status(ctx, names...)
			if err != nil {
				return err
			}
			if o.Watch && isTerminal(g.Stdout) {
				fmt.Fprint(g.Stdout, "\x1b[H\x1b[2J") // home, clear
			}
			r := svcStatusReport{Programs: statuses, Phase: phase, Interrupted: interrupted}
			r.now = time.Now()
			r.lookAtCertificates(g, names, r.now)
			r.lookAtBackups(g, names, r.now)
			r.lookAtDisks(g, names)
			if err := printStatuses(g, r); err != nil {
				return err
			}
			if !o.Watch {
				return statusCode(r)
			}
			select {
			case <-time.After(o.Interval):
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// statusCode ends the command with 3 when a program that is shown is not ready, or a certificate lets no message
// through.
func statusCode(r svcStatusReport) error {
	if slices.ContainsFunc(r.Programs, func(st supervisor.Status) bool { return !st.Ready }) ||
		slices.ContainsFunc(r.Certificates, keys.Certificate.Bad) {
		return exit.Silently(exit.Preflight)
	}
	return nil
}

// svcStatusReport is the JSON document of svc status. With --watch there is one for each look.
type svcStatusReport struct {
	Programs    []supervisor.Status `json:"programs"`              // the programs that were named, or all
	Phase       state.Phase         `json:"phase,omitempty"`       // of the host, when a change was interrupted
	Interrupted string              `json:"interrupted,omitempty"` // how far it had come, and what completes it

	Certificates []keys.Certificate `json:"certificates"` // that rollsite uses on this host; none without TLS
	// why certificates are not known; those of the array are
	CertificatesProblem string `json:"certificates_problem,omitempty"`

	// of this host, for root, unless programs are named: how they are
	Backups *backupReport `json:"backups,omitempty"`
	// why they are not known
	BackupsProblem string `json:"backups_problem,omitempty"`

	// file systems of data, logs and programs of which 80 % or more is in use; not looked for when programs are named
	Filling []fillingDisk `json:"filling,omitempty"`

	now    time.Time // of the look
	hidden bool      // only root may read the certificates, as members of the group know
}

func printStatuses(g *globals, r svcStatusReport) error {
	if g.Output == outputJSON {
		r.Programs = append([]supervisor.Status{}, r.Programs...) // not null
		r.Certificates = append([]keys.Certificate{}, r.Certificates...)
		return g.printJSON(r)
	}
	if err := writeStatuses(g, r.Programs); err != nil {
		return err
	}
	if err := g.writeCertificates(r); err != nil {
		return err
	}
	if err := g.writeBackups(r); err != nil {
		return err
	}
	g.writeDisks(r.Filling)
	return nil
}

func writeStatuses(g *globals, statuses []supervisor.Status) error {
	t := g.newTable("NAME", "STATE", "READY", "PID", "SINCE", "RESTARTS", "PORTS", "MEMORY", "WHY")
	for _, st := range statuses {
		t.row(displayName(&st), string(st.State), readyText(&st), orDash(st.PID), shortDuration(since(&st)),
			strconv.Itoa(st.Restarts), joinInts(st.Ports), memoryText(st.Memory), whyText(&st))
	}
	return t.flush()
}

// since is how long a running program's process has run, or another program has been in its state.
func since(st *supervisor.Status) time.Duration {
	if st.State == supervisor.Running && st.UpSeconds > 0 {
		return st.Up()
	}
	return st.InState()
}

func displayName(st *supervisor.Status) string {
	if st.Group != st.Name && st.Group != "" {
		return st.Group + ":" + st.Name
	}
	return st.Name
}

func whyText(st *supervisor.Status) string {
	why := st.Why
	if st.Changed {
		why = strings.TrimPrefix(why+"; its definition has changed: fate-installer svc update", "; ")
	}
	if why == "" {
		why = strings.Join(st.Notes, "; ")
	}
	return why
}

// readyText says whether a program works: "degraded" is one that lacks only what other programs do.
func readyText(st *supervisor.Status) string {
	if st.Degraded {
		return "degraded"
	}
	return yesNo(st.Ready)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func joinInts(ns []int) string {
	if len(ns) == 0 {
		return "-"
	}
	words := make([]string, len(ns))
	for i, n := range ns {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

func memoryText(n int64) string {
	if n == 0 {
		return "-"
	}
	if n < 1<<30 {
		return strconv.FormatInt((n+1<<19)>>20, 10) + " MiB" // a tenth of it means nothing
	}
	return count.Bytes(n)
}

// shortDuration shows a time span in its two largest units: 12s, 3m20s, 5h2m, 8d3h.
func shortDuration(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}
