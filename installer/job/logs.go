package job

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/flow"
	"fate-installer/installer/redact"
)

// Bounds of what is read: the directories and files belong to the service user.
const (
	logFileTail    = 256 << 10 // of each log of the job
	sharedLogTail  = 4 << 20   // of each log that has lines of many jobs
	sessionTail    = 64 << 10  // of each output of a worker
	mostLogFiles   = 400       // of one job
	mostEntries    = 50_000    // of a directory
	mostLinesALog  = 40        // kept of each file, the last ones
	longestLogLine = 2000      // bytes
)

// logEvidence is the errors in the logs of a job: those that FATE-Flow and its tasks wrote, on this host or at the
// FATE-Flow that ran them, and those of eggroll on this host. The last lines of workers come apart.
func (x *Inspector) logEvidence(ctx context.Context, r *Report) (found,
	workers []cause.Evidence) {
	l := &logReader{x: x, report: r}
	l.flowLogs(x.spec.Layout.ComponentLogs("fateflow"))
	l.otherFlows(ctx)
	l.eggrollLogs(x.spec.Layout.ComponentLogs("eggroll"))
	l.elsewhere()
	return l.evidence, l.workers
}

// logReader collects evidence from files.
type logReader struct {
	x        *Inspector
	report   *Report
	evidence []cause.Evidence
	workers  []cause.Evidence // the last lines that workers printed, whatever they say
	files    int
}

func (l *logReader) problem(what string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	l.report.Problems = append(l.report.Problems, redact.Printable(l.x.redact.Text(what+": "+err.Error())))
}

// flowLogs reads the directory of the job below FATE-Flow's logs: files of the job as a whole, and one directory for
// each role, party and component.
func (l *logReader) flowLogs(logs string) {
	dir := path.Join(logs, l.report.Job)
	l.directory(dir, cause.Evidence{Kind: cause.Log}, isJobLog)
	for _, role := range l.subdirectories(dir) {
		for _, party := range l.subdirectories(path.Join(dir, role)) {
			at := path.Join(dir, role, party)
			e := cause.Evidence{Kind: cause.Log, Role: role, Party: party}
			l.directory(at, e, isJobLog)
			for _, component := range l.subdirectories(at) {
				e.Component = component
				l.directory(path.Join(at, component), e, isJobLog)
			}
		}
	}
}

// isJobLog picks the files that have errors: ERROR.log of tasks and their parents, what a task's process printed
// (..._std.log, std.log), and the scheduler's and detector's logs. INFO.log and DEBUG.log repeat them among much
// else.
func isJobLog(name string) bool {
	switch {
	case name == "ERROR.log", strings.HasSuffix(name, "_error.log"), strings.HasSuffix(name, "std.log"):
		return true
	case strings.HasPrefix(name, "fate_flow_detect"), strings.HasPrefix(name, "fate_flow_schedule"):
		return strings.HasSuffix(name, ".log")
	}
	return false
}

// subdirectories lists the directories in one. That one is missing is no problem: a host has the logs of what ran
// there.
func (l *logReader) subdirectories(dir string) []string {
	entries, err := l.x.host.ListPlain(dir, mostEntries)
	if err != nil {
		l.problem("logs", err)
		return nil
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out
}

// directory reads the wanted files of a directory.
func (l *logReader) directory(dir string, e cause.Evidence, want func(name string) bool) {
	entries, err := l.x.host.ListPlain(dir, mostEntries)
	if err != nil {
		l.problem("logs", err)
		return
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !want(entry.Name()) {
			continue
		}
		tail := int64(logFileTail)
		if e.Kind == cause.Session {
			tail = sessionTail
		}
		e.Where = path.Join(dir, entry.Name())
		l.file(e, tail, func(line string) bool { return cause.Interesting(e.Kind, line) })
	}
}

// file keeps the last wanted lines of a file.
func (l *logReader) file(e cause.Evidence, tail int64, keep func(line string) bool) {
	if l.files++; l.files > mostLogFiles {
		return
	}
	data, err := l.x.host.ReadTail(e.Where, tail)
	if err != nil {
		l.problem("log", err)
		return
	}
	lines := cause.Lines(string(data))
	if e.Kind == cause.Session {
		l.workerTail(e, lines)
	}
	l.lines(e, lines, keep)
}

// workerTail keeps the end of what a worker printed.
func (l *logReader) workerTail(e cause.Evidence, lines []string) {
	const most = 5
	lines = slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.TrimSpace(line) == "" })
	for _, line := range lines[max(0, len(lines)-most):] {
		e.Text = strings.ToValidUTF8(line[:min(len(line), longestLogLine)], "")
		l.workers = append(l.workers, e)
	}
}

func (l *logReader) lines(e cause.Evidence, lines []string, keep func(line string) bool) {
	var kept []string
	for _, line := range lines {
		if len(line) > longestLogLine {
			line = strings.ToValidUTF8(line[:longestLogLine], "") + "..."
		}
		if keep(line) && !slices.Contains(kept, line) {
			kept = append(kept, line)
			kept = kept[max(0, len(kept)-mostLinesALog):]
		}
	}
	for _, line := range kept {
		e.Text = line
		l.evidence = append(l.evidence, e)
	}
}

// downloadTimeout is for the logs of a job from another host. The archive has its DEBUG.log files, too.
const downloadTimeout = 2 * time.Minute

// otherFlows asks the FATE-Flows on other hosts of this party for what they have of the job: any of them may have
// scheduled it, or run its tasks. Only addresses of the cluster file are asked, not those that a record names.
func (l *logReader) otherFlows(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	for _, ip := range l.x.spec.Side.FateFlow.IPs {
		if l.x.spec.Runs(cluster.FateFlow) && ip == l.x.spec.IP {
			continue
		}
		port := l.x.spec.Side.FateFlow.HTTPPort
		client := &flow.Client{
			BaseURL: "http://" + net.JoinHostPort(ip,
				strconv.Itoa(port)), Key: l.x.client.Key, HTTP: flow.NewHTTP(downloadTimeout),
		}
		l.download(ctx, client, ip)
	}
}

// download reads the logs of the job from a FATE-Flow on another host. One that has none answers with retcode 404.
func (l *logReader) download(ctx context.Context, client *flow.Client, ip string) {
	wanted := func(file string) bool { return isJobLog(path.Base(file)) }
	found, err := client.Logs(ctx, l.report.Job, wanted, func(line string) bool {
		return cause.Interesting(cause.Log,
			line)
	})
	var refused *flow.Error
	if errors.As(err, &refused) && refused.Retcode == http.StatusNotFound {
		return
	}
	if err != nil {
		l.problem("logs on "+ip, err)
		return
	}
	byFile := map[string][]string{}
	for _, line := range found {
		byFile[line.File] = append(byFile[line.File], line.Text)
	}
	for _, file := range slices.Sorted(maps.Keys(byFile)) {
		e := cause.Evidence{Kind: cause.Log, Where: ip + ":" + file}
		if m := taskLog().FindStringSubmatch(file); m != nil {
			e.Role, e.Party, e.Component = m[1], m[2], m[3]
		}
		l.lines(e, byFile[file], func(string) bool { return true })
	}
}

// taskLog is the path of a role's log or of a component's, below the job's directory.
var taskLog = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:^|/)(guest|host|arbiter|local)/(\d+)/(?:([^/]+)/)?[^/]+$`)
})

// eggrollLogs reads what eggroll's workers of the job printed, and the lines about the job in the logs of eggroll's
// programs.
func (l *logReader) eggrollLogs(logs string) {
	entries, err := l.x.host.ListPlain(logs, mostEntries)
	if err != nil {
		l.problem("eggroll's logs", err)
		return
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() && strings.HasPrefix(name, l.report.Job+"_") {
			component, role, party := sessionParts(name, l.report.Job)
			e := cause.Evidence{Kind: cause.Session, Component: component, Role: role, Party: party}
			l.directory(path.Join(logs, name), e, isWorkerOutput)
		}
	}
	// eggroll's session of its own programs is "eggroll"
	for _, dir := range []string{logs, path.Join(logs, "eggroll")} {
		l.programLogs(dir)
	}
}

// isWorkerOutput picks what eggroll's scripts and workers write into a session's directory.
func isWorkerOutput(name string) bool {
	return strings.HasPrefix(name, "bootstrap") || strings.HasPrefix(name, "egg_pair") || strings.HasSuffix(name,
		".err")
}

// sessionName is the name of a session: job, component, version, role and party, and for storage a suffix.
var sessionName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(.+?)_(\d+)_(guest|host|arbiter|local)_(\d+)(?:_.*)?$`)
})

func sessionParts(session, job string) (component, role, party string) {
	m := sessionName().FindStringSubmatch(strings.TrimPrefix(session, job+"_"))
	if m == nil {
		return "", "", ""
	}
	return m[1], m[3], m[4]
}

// programLogs reads the lines about the job in the logs that eggroll's programs share between jobs.
func (l *logReader) programLogs(dir string) {
	entries, err := l.x.host.ListPlain(dir, mostEntries)
	if err != nil {
		l.problem("eggroll's logs", err)
		return
	}
	about := l.aboutJob()
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || info.ModTime().Before(l.report.Submitted) ||
			strings.HasSuffix(entry.Name(), ".gz") {
			continue
		}
		e := cause.Evidence{Kind: cause.Eggroll, Where: path.Join(dir, entry.Name())}
		l.file(e, sharedLogTail, about)
	}
}

var otherID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\b\d{20,23}`)
})

// aboutJob picks the lines that name the job and look like an error, and those that name no job, were written while it
// ran and show a known cause. Further lines of a message, which have no time of their own, go with it.
func (l *logReader) aboutJob() func(line string) bool {
	current := false
	return func(line string) bool {
		if strings.Contains(line, l.report.Job) {
			current = true
			return cause.Interesting(cause.Eggroll, line)
		}
		if stamp := cause.Stamp().FindString(line); stamp != "" {
			current = !otherID().MatchString(cause.Stamp().ReplaceAllString(line, "")) && l.during(stamp)
		}
		return current && slices.ContainsFunc(cause.Find([]cause.Evidence{{Kind: cause.Eggroll, Text: line}}),
			func(f cause.Finding) bool {
				return cause.OfAnyJob(f.ID)
			})
	}
}

// during reports whether a time of a log lies in the time of the job.
func (l *logReader) during(stamp string) bool {
	const slack = 30 * time.Second
	at, err := cause.ParseStamp(stamp, time.Local)
	if err != nil || at.Before(l.report.Submitted.Add(-time.Second)) {
		return false
	}
	return l.report.Ended.IsZero() || at.Before(l.report.Ended.Add(slack))
}

// elsewhere names the hosts whose logs cannot be read from here.
func (l *logReader) elsewhere() {
	var nodes []string
	for _, ip := range l.x.spec.Side.NodeManager.IPs {
		if ip != l.x.spec.IP {
			nodes = append(nodes, ip)
		}
	}
	if len(nodes) > 0 {
		l.report.Problems = append(l.report.Problems,
			fmt.Sprintf("workers on %s have their logs there: fate-installer job why %s on that host reads them",
				strings.Join(nodes, ", "), l.report.Job))
	}
	if f := l.report.Failed; f != nil && !f.Here {
		l.report.Problems = append(l.report.Problems, fmt.Sprintf("the logs of party %s are there: fate-installer "+
			"job why %s on a host of its FATE-Flow reads them",
			f.Party, l.report.Job))
	} else if f == nil && flow.Finished(l.report.Status) && !l.initiatorIsHere() {
		l.report.Problems = append(l.report.Problems, fmt.Sprintf("no task of party %d has failed by itself; the "+
			"initiator, %s, has the reports of all parties: fate-installer job why %s there",
			l.x.spec.PartyID, l.report.Initiator, l.report.Job))
	}
}

// initiatorIsHere reports whether this party submitted the job, and so has the reports of all parties.
func (l *logReader) initiatorIsHere() bool {
	_, party, _ := strings.Cut(l.report.Initiator, " ")
	return party == fmt.Sprint(l.x.spec.PartyID) || strings.HasPrefix(l.report.Initiator, "local ")
}
