package diagnosis

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/supervisor"
	"fate-installer/supervisor/config"
)

// programStatus is a program with the answer to why it is not ready.
type programStatus struct {
	supervisor.Status
	why []supervisor.Finding
}

const statusName = "status.json"

// readStatus reads the states of the programs.
func (x *analysis) readStatus() {
	list, known := document[[]supervisor.Status](x, statusName)
	x.known = known
	if !x.known {
		if x.about.Live && x.bundle.entry(statusName) == nil && x.bundle.entry("facts.json") != nil {
			x.Missing = append(x.Missing, fmt.Sprintf("%s (the bundle has no %s)", "the states of the programs",
				statusName))
		}
		return
	}
	for _, st := range list {
		if len(x.status) == mostPrograms {
			x.known = false
			break
		}
		// A name becomes part of commands.
		if config.ValidName(st.Name) != nil || strings.HasPrefix(st.Name, "-") {
			x.known = false
			continue
		}
		p := programStatus{Status: st}
		p.why, _ = document[[]supervisor.Finding](x, "why/"+st.Name+".json")
		x.status = append(x.status, p)
	}
	if !x.known {
		x.Missing = append(x.Missing, fmt.Sprintf("some programs of %s: their names cannot be, or there are too many",
			statusName))
	}
}

// Bounds of what is looked at of programs.
const (
	mostPrograms  = 1000
	mostLastLines = 50   // of the last lines that one wrote
	mostLastBytes = 1000 // of one of them
	mostEdits     = 1000
)

// allReady reports whether every program is ready, so that what logs say of others that did not answer is over.
func (x *analysis) allReady() bool {
	return x.known && !slices.ContainsFunc(x.status, func(p programStatus) bool { return !p.Ready })
}

// programs names those at which the trouble begins; with each the others that are not ready because of it.
func (x *analysis) programs() {
	for _, p := range x.status {
		if p.Ready || x.stopped() {
			continue
		}
		if p.LowSpace != "" || strings.Contains(p.Why, "is nearly full") {
			x.foundCause("disk-nearly-full", Fault, x.saidState(p, p.LowSpace))
			continue
		}
		if p.LowTasks != "" {
			x.foundCause("limit-reached", Fault, x.saidState(p, p.LowTasks))
			continue
		}
		root := p.root()
		if root.Name != "" && root.Name != p.Name && slices.ContainsFunc(x.status, func(o programStatus) bool {
			return o.Name == root.Name && !o.Ready
		}) {
			continue // it is not at fault itself
		}
		x.program(p, root)
	}
}

// saidOf is a sentence about a program, at the place of its status.
func (x *analysis) saidOf(p programStatus, format string, args ...any) Evidence {
	return x.said(statusName, fmt.Sprintf("%q: %q", "name", p.Name), fmt.Sprintf(format, args...))
}

// saidState is what the supervisor says of a program, or else why it is not ready.
func (x *analysis) saidState(p programStatus, otherwise string) Evidence {
	return x.saidOf(p, "%s is in state %s: %s", p.Name, p.State, cmp.Or(p.Why, otherwise, "not ready"))
}

// root is where the trouble of the program begins.
func (p programStatus) root() supervisor.Finding {
	if len(p.why) == 0 {
		return supervisor.Finding{}
	}
	return p.why[len(p.why)-1]
}

// program explains one at which the trouble begins.
func (x *analysis) program(p programStatus, root supervisor.Finding) {
	file := "why/" + p.Name + ".json"
	f := Finding{ID: "program-not-ready", Severity: Fault, Title: "a program is not ready",
		Explanation: "It runs, and does not do its work yet. Programs that need it are not ready either.",
		Remedy:      fmt.Sprintf("fate-installer svc why %s, on the host", supervisor.ShellWord(p.Name)),
		Evidence:    []Evidence{x.saidState(p, root.Text)}}
	switch {
	case len(root.Ports) > 0:
		f.ID, f.Title = "port-taken", "a port that a program needs is taken"
		f.Explanation = "Another process holds the port, so that the program cannot start."
		f.Remedy = supervisor.PortHeld(root.Ports[0].Port)
	case root.Name != "" && root.Name != p.Name:
		f.ID, f.Title = "host-away", "a program on another host does not answer"
		f.Explanation = "Programs of this host need it. Nothing has to be done on this host."
		f.Remedy = "look there: fate-installer svc status, and a firewall in between"
		f.Evidence = append(f.Evidence, x.said(file, fmt.Sprintf("%q", root.Name), fmt.Sprintf("%s: %s",
			root.Name, root.Text)))
	case p.State == supervisor.Stopped && !p.Wanted:
		f.ID, f.Title = "program-stopped", "a program was stopped"
		f.Explanation = "It was stopped by a command, and stays so until it is started. Programs that need it are " +
			"not ready."
		f.Remedy = fmt.Sprintf("fate-installer svc start %s", supervisor.ShellWord(p.Name))
	case slices.Contains([]supervisor.State{supervisor.Fatal, supervisor.Backoff, supervisor.Exited}, p.State):
		f.ID, f.Title = "program-fails", "a program ends each time it is started"
		f.Explanation = "The supervisor starts it again, later each time, and gives it up when it cannot be started at all."
	}
	if x.here && root.Advice != "" {
		f.Remedy = root.Advice
	}
	if at := strings.LastIndex(root.Exit, " at "); at > 0 {
		f.Evidence = append(f.Evidence, x.said(file, root.Exit, fmt.Sprintf("the last process of %s ended at %s: %s",
			p.Name, root.Exit[at+len(" at "):], root.Exit[:at])))
	}
	if n := len(root.LastLog); n > 0 {
		last := root.LastLog[n-1]
		f.Evidence = append(f.Evidence, quotes(file, last))
	}
	for _, o := range x.status {
		if len(f.Evidence) < 2*mostEvidence && !o.Ready && o.Name != p.Name && o.root().Name == p.Name {
			f.Evidence = append(f.Evidence, x.saidState(o, ""))
		}
	}
	x.found(f)
	x.lastLines(p, root, file)
	if p.Exit != nil && p.Exit.OOM {
		x.foundCause("out-of-memory", Fault, x.saidOf(p, "the last process of %s ended at %s: %s", p.Name,
			p.Exit.At.UTC().Format(time.DateTime), p.Exit))
	}
}

// lastLines looks for causes in what a program that failed wrote last, and in what the supervisor says of it.
func (x *analysis) lastLines(p programStatus, root supervisor.Finding, file string) {
	var lines []logLine
	for _, line := range slices.Backward(root.LastLog[max(0, len(root.LastLog)-mostLastLines):]) {
		line = line[:min(len(line), mostLastBytes)]
		lines = append(lines, logLine{Evidence: quotes(file, line), kind: cause.Log})
	}
	for _, text := range []string{p.Why, root.Text, p.Error} {
		e := x.saidOf(p, "%s", text[:min(len(text), longestLine)])
		lines = append(lines, logLine{Evidence: e, kind: cause.Program})
	}
	for _, f := range findCauses(lines) {
		if !saysNotReady(f.ID) {
			x.foundCause(f.ID, Fault, f.evidence...)
		}
	}
}

// quoted is a text as it stands in a JSON document.
func quoted(text string) string {
	q := fmt.Sprintf("%q", text)
	return q[1 : len(q)-1]
}

// saysNotReady are the causes which say no more than that a program is not ready.
func saysNotReady(id string) bool {
	return slices.Contains([]string{"database-away", "zookeeper-away", "eggroll-away", "rollsite-away", "flow-away",
		"node-away", "peer-unreachable"}, id)
}

// restarts names programs that ended by themselves a short while ago, and work by now; and those that run an older
// definition.
func (x *analysis) restarts() {
	for _, p := range x.status {
		if p.Ready && p.Restarts > 0 && p.Exit != nil && !p.Exit.Expected && x.lately(p.Exit.At) {
			e := x.saidOf(p, "%s was started again without being asked, %d times; its last process ended at %s UTC: %s",
				p.Name, p.Restarts, p.Exit.At.UTC().Format(time.DateTime), p.Exit)
			if p.Exit.OOM {
				x.foundCause("out-of-memory", Warning, e)
				continue
			}
			x.found(Finding{"program-restarted", Warning, "a program ended by itself and was started again",
				"Jobs that ran while it was away have failed.",
				fmt.Sprintf("its last lines before the end say why: fate-installer svc logs %s, on the host",
					supervisor.ShellWord(p.Name)),
				append([]Evidence{e}, x.lastLog(p)...)})
		}
		if p.Changed {
			x.found(Finding{"definition-outdated", Warning, "a program runs an older definition than the one in force",
				"Its file was changed after it was started.",
				fmt.Sprintf("fate-installer svc restart %s", supervisor.ShellWord(p.Name)),
				[]Evidence{x.saidOf(p, "%s runs an older definition", p.Name)}})
		}
	}
}

func (x *analysis) lastLog(p programStatus) []Evidence {
	n := len(p.LastLog)
	if n == 0 {
		return nil
	}
	return []Evidence{quotes(statusName, p.LastLog[n-1])}
}

// edits names the files that are not as they were rendered.
func (x *analysis) edits() {
	edits := x.bundle.below(EditsDir)
	for _, e := range edits[:min(len(edits), mostEdits)] {
		name := strings.TrimSuffix(strings.TrimPrefix(e.Name, EditsDir), ".diff")
		f := Finding{"file-edited", Warning, "a file of the configuration was edited by hand",
			"It is not as install renders it for this host. Programs work with what is in it.",
			"keep the change in the cluster file where that has a key for it; fate-installer install puts the file right, " +
				"and keeps an edit of a file that operators may edit",
			[]Evidence{{File: e.Name, Text: name, Said: true}}}
		i := -1
		for line := range strings.Lines(e.Text) {
			i++
			added, header := strings.HasPrefix(line, "+"), strings.HasPrefix(line, "+++") || strings.HasPrefix(line, "---")
			if header || !added && (f.Evidence[0].Line > 0 || !strings.HasPrefix(line, "-")) {
				continue
			}
			f.Evidence[0] = Evidence{File: e.Name, Line: i + 1, Text: strings.TrimSpace(line)}
			if added {
				break
			}
		}
		if x.readByFailing(name) {
			f.Severity = Fault
		}
		x.found(f)
	}
}

// readByFailing reports whether a program that is not ready has its settings in a file, as far as the name tells.
func (x *analysis) readByFailing(file string) bool {
	for _, p := range x.status {
		if p.Ready || p.State == supervisor.Stopped && !p.Wanted {
			continue
		}
		short := strings.TrimPrefix(p.Name, "fate-")
		if strings.Contains(file, short) || slices.Contains(strings.Fields(readers[path.Base(file)]), short) {
			return true
		}
	}
	return false
}

// readers are the programs that read files whose names do not say it.
var readers = map[string]string{
	"eggroll.properties": "clustermanager nodemanager rollsite", "route_table.json": "rollsite",
	"service_conf.yaml": "fateflow", "my.cnf": "mysql", "zoo.cfg": "zookeeper", "application.properties": "fateboard",
}
