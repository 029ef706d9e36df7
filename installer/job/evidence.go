package job

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/flow"
	"fate-installer/installer/host"
	"fate-installer/installer/redact"
	"fate-installer/payload/count"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

// stateEvidence describes FATE-Flow's records of a job in sentences that the table of causes knows.
func (x *Inspector) stateEvidence(ctx context.Context, r *Report, jobs []flow.Job, tasks []flow.Task,
	now time.Time) []cause.Evidence {
	var out []cause.Evidence
	say := func(format string, args ...any) {
		out = append(out, cause.Evidence{Kind: cause.State, Where: "FATE-Flow's records", Text: fmt.Sprintf(format,
			args...)})
	}
	switch r.Status {
	case flow.StatusTimeout, flow.StatusCanceled:
		say("it is recorded as %s", r.Status)
	case flow.StatusWaiting:
		for _, text := range x.coreHolders(ctx, r) {
			say("%s", text)
		}
	}
	if x.noAnswer != nil {
		say("FATE-Flow does not answer: %v", x.noAnswer)
	}
	if stale := staleTasks(jobs, tasks, now); len(stale) > 0 {
		say("the job has ended, and %s still recorded as running: FATE-Flow was ended while it ran %s",
			count.Of(len(stale), "task is", "tasks are"), stale[0].Component)
	}
	return out
}

// coreHolders says what a waiting job waits for: jobs that have the cores of this party's pool, and earlier ones.
func (x *Inspector) coreHolders(ctx context.Context, r *Report) []string {
	var out []string
	holders, err := x.Jobs(ctx, map[string]any{"resource_in_use": true})
	if err != nil {
		r.Problems = append(r.Problems, "which jobs have the cores: "+redact.Printable(err.Error()))
	}
	pool := x.spec.Side.ClusterManager.CoresPerNode * len(x.spec.Side.NodeManager.IPs)
	used := 0
	var names []string
	for _, h := range holders {
		if string(h.ID) == r.Job || !bool(h.CoresInUse) || h.Cores == 0 {
			continue
		}
		used += h.Cores
		names = append(names, fmt.Sprintf("job %s (%s %s, %s)", h.ID, h.Role, h.Party, count.Of(h.Cores, "core")))
	}
	if used > 0 {
		out = append(out, fmt.Sprintf("%d of %d cores are in use (cores_per_node %d, nodemanagers %d) by %s", used,
			pool,
			x.spec.Side.ClusterManager.CoresPerNode, len(x.spec.Side.NodeManager.IPs), strings.Join(names, ", ")))
	}
	waiting, err := x.Jobs(ctx, map[string]any{"status": flow.StatusWaiting})
	if err != nil {
		return out
	}
	for _, w := range waiting {
		if string(w.ID) < r.Job && w.Role == w.InitiatorRole && w.Party == w.InitiatorParty {
			out = append(out, fmt.Sprintf("it waits for job %s, which was submitted before and waits as well", w.ID))
			break
		}
	}
	return out
}

// taskEvidence is the error reports of tasks: Python tracebacks. What is shown of each is the line that says why.
func (x *Inspector) taskEvidence(tasks []flow.Task) []cause.Evidence {
	const longest = 64 << 10
	var out []cause.Evidence
	for _, t := range tasks {
		if t.ErrorReport == "" {
			continue
		}
		report := t.ErrorReport[:min(len(t.ErrorReport), longest)]
		e := cause.Evidence{Kind: cause.Task, Where: "error report of its task", Role: t.Role, Party: string(t.Party),
			Component: t.Component}
		seen := map[string]bool{}
		for _, line := range append([]string{flow.Reason(report)}, cause.Lines(report)...) {
			line = strings.TrimSpace(line)
			if line == "" || seen[line] || !cause.Interesting(cause.Task, line) {
				continue
			}
			seen[line] = true
			e.Text = line
			out = append(out, e)
		}
	}
	return out
}

// hostEvidence lists the present faults of this host. It says something about a job only while the job runs, and
// shortly after.
func (x *Inspector) hostEvidence(ctx context.Context, r *Report, now time.Time) []cause.Evidence {
	const lately = 15 * time.Minute
	var out []cause.Evidence
	recent := r.Ended.IsZero() || now.Sub(r.Ended) < lately
	if recent {
		out = append(out, x.programEvidence(ctx, r)...)
		out = append(out, x.awayEvidence(ctx)...)
		out = append(out, x.diskEvidence()...)
	}
	return append(out, x.kernelEvidence(r)...)
}

// programEvidence names the programs of this host that are not ready.
func (x *Inspector) programEvidence(ctx context.Context, r *Report) []cause.Evidence {
	client, err := rpc.ClientOf(x.host, x.spec.Layout.SupervisorSocket())
	if err != nil {
		return nil // it is a tree, in which nothing runs
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	statuses, err := client.Status(ctx)
	if err != nil {
		r.Problems = append(r.Problems, "the supervisor of this host does not answer: "+redact.Printable(err.Error()))
		return nil
	}
	var out []cause.Evidence
	for _, s := range statuses {
		if !s.Ready {
			out = append(out, programState(s))
		}
	}
	return out
}

// programState is what the supervisor says of a program that is not ready. One that lacks room answers, so that its
// file system is at fault and not the program.
func programState(s supervisor.Status) cause.Evidence {
	if strings.Contains(s.Why, "is nearly full") {
		return cause.Evidence{Kind: cause.Machine, Where: "the supervisor, of " + s.Name, Text: s.Why}
	}
	text := fmt.Sprintf("%s is %s: %s", s.Name, s.State, cmp.Or(s.Why, "not ready"))
	return cause.Evidence{Kind: cause.Program, Where: "the supervisor", Text: text}
}

// awayEvidence names what keeps jobs from running although every program of this host is ready: programs of this party
// on other hosts that take no connection, and a FATE-Flow without a free worker.
func (x *Inspector) awayEvidence(ctx context.Context) []cause.Evidence {
	if !x.host.Live() {
		return nil
	}
	var out []cause.Evidence
	for _, a := range ProgramsAway(ctx, x.spec) {
		out = append(out, cause.Evidence{Kind: cause.Program, Where: "from this host", Text: a.String()})
	}
	if err := AskFlowWorker(ctx, x.spec); err != nil {
		out = append(out, cause.Evidence{Kind: cause.Program, Where: "from this host", Text: err.Error()})
	}
	return out
}

// leastSpace is how much room a file system has at least that is not called full, in bytes and in files.
const leastSpace, leastFiles = 32 << 20, 256

func (x *Inspector) diskEvidence() []cause.Evidence {
	var out []cause.Evidence
	for _, dir := range []string{x.spec.Layout.Data(), x.spec.Layout.Logs(), x.spec.Layout.Project(), tempDir} {
		s, err := x.host.Space(dir)
		if err != nil {
			continue // a directory that is not there is on no disk
		}
		text := SpaceText(dir, s)
		if text != "" && !slices.ContainsFunc(out, func(e cause.Evidence) bool { return e.Text == text }) {
			out = append(out, cause.Evidence{Kind: cause.Machine, Where: "this host", Text: text})
		}
	}
	return out
}

// tempDir is used by tools of the system. Programs have a directory of their own below the base.
const tempDir = "/tmp"

// SpaceText says that the file system of a directory is full, or has less left than the reserve that the supervisor
// watches; blank: it has room.
func SpaceText(dir string, s host.Space) string {
	reserve := supervisor.Reserve(s.Size)
	switch {
	case s.Size == 0: // it has no limit of its own
		return ""
	case s.Free < leastSpace:
		return fmt.Sprintf("file system of %s is full: %s are free", dir, count.Bytes(int64(s.Free)))
	case s.Files > 0 && s.FilesFree < leastFiles:
		return fmt.Sprintf("file system of %s is full: %d more files can be made", dir, s.FilesFree)
	case s.Free < reserve && dir != tempDir:
		return fmt.Sprintf("file system of %s is nearly full: %s are free, below the reserve of %s", dir,
			count.Bytes(int64(s.Free)), count.Bytes(int64(reserve)))
	}
	return ""
}

// eggrollTools are the programs that eggroll's scripts stop and look for workers with.
var eggrollTools = []string{"ps", "kill", "xargs", "awk", "grep"}

// toolEvidence looks for eggroll's tools where the programs find them: in their PATH.
func (x *Inspector) toolEvidence() []cause.Evidence {
	if !x.spec.Runs(cluster.NodeManager) {
		return nil
	}
	var dirs []string
	for _, p := range render.Programs(x.spec) {
		if p.Name == "fate-nodemanager" {
			dirs = filepath.SplitList(p.Environment["PATH"])
		}
	}
	if len(dirs) == 0 {
		dirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
	}
	var out []cause.Evidence
	for _, tool := range eggrollTools {
		found := slices.ContainsFunc(dirs, func(dir string) bool {
			_, err := x.host.Stat(filepath.Join(dir, tool))
			return err == nil
		})
		if !found {
			out = append(out, cause.Evidence{Kind: cause.Machine, Where: "this host", Text: "the program " +
				tool + " is not on this host"})
		}
	}
	return out
}

// kernelEvidence lists the processes that the kernel killed for lack of memory while the job ran.
func (x *Inspector) kernelEvidence(r *Report) []cause.Evidence {
	if !x.host.Live() || r.Submitted.IsZero() {
		return nil
	}
	messages, err := x.host.KernelLog(func(text string) bool {
		return strings.Contains(text, "ut of memory: Killed process") || strings.Contains(text, "oom-kill:")
	})
	if err != nil {
		return nil // containers may not read it
	}
	until := r.Ended.Add(time.Minute)
	var out []cause.Evidence
	for _, m := range messages {
		if m.Time.Before(r.Submitted) || !r.Ended.IsZero() && m.Time.After(until) {
			continue
		}
		text := m.Time.Format(time.DateTime) + " " + m.Text
		out = append(out, cause.Evidence{Kind: cause.Machine, Where: "the kernel", Text: text})
	}
	return out
}
