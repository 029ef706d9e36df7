package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/diagnosis"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/installer/redact"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"

	"github.com/rogpeppe/go-internal/diff"
)

const diagnoseReadme = `What fate-installer diagnose found on a host.

fate-installer diagnose --analyze FILE says what it shows.

bundle.json        when it was made, and what was left out
version.json       this program
versions.json      the versions that should be the same
state.json         what is installed, and whether a command was interrupted
site.json          what was asked for, with the cluster files
facts.json         the host; of processes that are not FATE's, no arguments
check.json         the preflight
plan.json          what install would repair
status.json        the programs, and why/ for those that are not ready
certificates.json  until when the certificates of rollsite are valid
kernel.json        processes that the kernel killed, and errors of disks
hosts.json         the clocks and versions of the party's other hosts
jobs.json          why jobs of the last day failed
history.json       who changed what
config/            the configuration as it is on the host
edits/             how it differs from what install writes
logs/              the ends of the logs, the newest first
journal            what was changed when, with hashes instead of contents
problems.txt       what could not be collected

Passwords and private keys were replaced by ` + redact.Hidden + `: every known password wherever it stood, and the
value of every setting whose name says that it is one. Key files are not in here.
`

// configLimit is how much is read of a file of the configuration, which the service user may write: none comes near it.
const configLimit = 1 << 20

// reservedSize is kept free of the bound of a bundle for what is written last.
const reservedSize = 64 << 10

// Why something was left out of a bundle.
const (
	leftNoRoom = "there was no room for it below --max-size"
	leftOlder  = "it is older than --since asks for"
	leftEnds   = "only the end of each log is taken without --since"
)

// collector fills a bundle with what is known of a host.
type collector struct {
	g       *globals
	host    *host.Host
	layout  cluster.Layout
	opts    *diagnoseOptions
	machine string // its name
	redact  redact.Redactor

	bundle   *diagnosis.Bundle
	problems []string // what could not be collected, and why
}

// add puts a text into the bundle, where there is room for it. Whatever it is, known secrets are taken out here.
func (x *collector) add(name, text string) error { return x.addChanged(name, text, time.Time{}) }

func (x *collector) addChanged(name, text string, changed time.Time) error {
	text = x.redact.Known(text)
	if int64(len(text)) > x.room() {
		x.leaveOut(name, int64(len(text)), leftNoRoom)
		return nil
	}
	x.bundle.Add(name, text, changed)
	return nil
}

// room is how many bytes can be added to the bundle.
func (x *collector) room() int64 { return x.opts.bound - reservedSize - x.bundle.Size() }

func (x *collector) leaveOut(name string, bytes int64, why string) {
	x.bundle.Left = append(x.bundle.Left, diagnosis.LeftOut{Name: name, Bytes: bytes, Why: why})
}

// addJSON puts a document into the bundle. It is taken for running text: its strings may quote anything.
func (x *collector) addJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", name, err)
	}
	return x.add(name, x.redact.Text(string(data))+"\n")
}

// missing notes what could not be collected: half a picture is better than none.
func (x *collector) missing(what string, err error) {
	x.problems = append(x.problems, x.redact.Text(fmt.Sprintf("%s: %v", what, err)))
}

// collect fills the bundle. Only what prevents making it is an error.
func (x *collector) collect(ctx context.Context) error {
	x.bundle.Left = []diagnosis.LeftOut{}
	secrets, err := deploy.KnownSecrets(x.host, x.g.Base)
	if err != nil {
		// Without knowing the passwords nothing that might hold them can be handed on.
		x.missing("configuration and logs, since the passwords to take out are not known", err)
		return errors.Join(x.add("README.txt", diagnoseReadme), x.addVersion(), x.addState(), x.addLast())
	}
	x.redact = redact.New(secrets)
	d, err := x.g.openDeployment(ctx, wantedOptions{}, deploy.Needs{})
	if err != nil {
		x.missing("site, facts, checks and configuration", err)
	} else {
		defer d.Close()
		x.redact = redact.New(append(secrets, d.Spec().AllSecrets()...))
	}
	for _, add := range []func() error{
		func() error { return x.add("README.txt", diagnoseReadme) },
		x.addVersion,
		x.addState,
		func() error { return x.addPrograms(ctx) },
		x.addCertificates,
		x.addKernel,
		func() error { return x.addDeployment(ctx, d) },
		func() error { return x.addHosts(ctx, d) },
		func() error { return x.addJobs(ctx, d) },
		x.addHistory,
		func() error { return x.addConfig(d) },
		x.addJournal,
		x.addLogs,
		x.addLast,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := add(); err != nil {
			return err
		}
	}
	return nil
}

func (x *collector) addVersion() error {
	return x.addJSON("version.json", map[string]string{"version": buildVersion(), "go": runtime.Version(),
		"platform": runtime.GOOS + "/" + runtime.GOARCH})
}

// addDeployment adds what an install would know before it begins.
func (x *collector) addDeployment(ctx context.Context, d *deploy.Deployment) error {
	if d == nil {
		return nil
	}
	results, err := d.Check(ctx, nil)
	if err != nil {
		return err
	}
	if err := x.addJSON("check.json", append([]preflight.CheckResult{}, results...)); err != nil {
		return err
	}
	site := d.Site()
	site.Sources = slices.Clone(site.Sources)
	for i := range site.Sources {
		site.Sources[i].Data = x.redact.Settings(site.Sources[i].Data)
	}
	if err := x.addJSON("site.json", site); err != nil {
		return err
	}
	facts := *d.Facts()
	facts.Processes = slices.Clone(facts.Processes)
	for i, p := range facts.Processes {
		if len(p.Args) > 0 && !strings.HasPrefix(p.Exe, x.layout.Projects()+"/") {
			facts.Processes[i].Args = p.Args[:1] // others' passwords may be among the rest
		}
	}
	if err := x.addJSON("facts.json", facts); err != nil {
		return err
	}
	return errors.Join(x.addVersions(d), x.addPlan(ctx, d))
}

func (x *collector) addPlan(ctx context.Context, d *deploy.Deployment) error {
	survey, err := d.Survey(ctx)
	if err != nil {
		x.missing("what install would repair", err)
		return nil
	}
	survey = slices.DeleteFunc(survey, func(l engine.SurveyLine) bool {
		return l.Done && l.Note == "" && l.Error == ""
	})
	return x.addJSON("plan.json", append([]engine.SurveyLine{}, survey...))
}

// addPrograms adds what the supervisor says of its programs.
func (x *collector) addPrograms(ctx context.Context) error {
	client, err := rpc.ClientOf(x.host, x.layout.SupervisorSocket())
	if err != nil {
		return nil // it is a tree, in which nothing runs
	}
	defer client.Close()
	client.CleanLogs(x.redact.Lines)
	statuses, err := client.Status(ctx)
	if err != nil {
		x.missing("state of the programs", err)
		return nil
	}
	if err := x.addJSON("status.json", append([]supervisor.Status{}, statuses...)); err != nil {
		return err
	}
	for _, s := range statuses {
		if s.Ready {
			continue
		}
		chain, err := client.Why(ctx, s.Name)
		if err != nil {
			x.missing("why "+s.Name+" is not ready", err)
			continue
		}
		if err := x.addJSON("why/"+s.Name+".json", append(chain, missingElsewhere(ctx, x.g, chain)...)); err != nil {
			return err
		}
	}
	return nil
}

// addConfig adds the files that are rendered for this host, as they are there now, and how they differ from what
// install writes.
func (x *collector) addConfig(d *deploy.Deployment) error {
	if d == nil {
		return nil
	}
	files, err := render.Files(d.Spec())
	if err != nil {
		x.missing("configuration", err)
		return nil
	}
	for _, f := range files {
		if filepath.Dir(f.Path) == x.layout.Keys() {
			continue
		}
		content, err := x.host.ReadPlain(f.Path, configLimit)
		if err != nil {
			x.missing("configuration", err)
			continue
		}
		there := x.redact.Settings(string(content))
		if err := x.add("config"+f.Path, there); err != nil {
			return err
		}
		rendered := x.redact.Settings(string(f.Content))
		if string(content) == string(f.Content) {
			continue
		}
		text := string(diff.Diff("install"+f.Path, []byte(rendered), "host"+f.Path, []byte(there)))
		if text == "" {
			text = "the files differ in a value that is not shown\n"
		}
		if err := x.add(diagnosis.EditsDir+f.Path+".diff", text); err != nil {
			return err
		}
	}
	return nil
}

func (x *collector) addJournal() error {
	journal, err := x.host.ReadFile(filepath.Join(x.layout.State(), "journal"))
	if err != nil {
		x.missing("journal", err)
		return nil
	}
	text := x.redact.Text(string(journal))
	if most := x.room() / 4; int64(len(text)) > most { // the newest lines; logs need room, too
		end := endOfLines(text, most)
		x.leaveOut("journal", int64(len(text)-len(end)), leftNoRoom)
		text = end
	}
	return x.add("journal", text)
}

// addLast adds what is known when all else was added.
func (x *collector) addLast() error {
	if len(x.problems) > 0 {
		text := strings.Join(x.problems, "\n") + "\n"
		x.bundle.Add("problems.txt", x.redact.Known(text[:min(len(text), reservedSize/8)]), time.Time{})
	}
	_, zone := time.Now().Zone()
	about := diagnosis.About{Schema: diagnosis.Schema, Made: x.bundle.Made, Zone: zone, Host: x.machine, Base: x.g.Base,
		Version: buildVersion(), Live: x.host.Live(), MaxSize: x.opts.bound, LeftOut: x.bundle.Left}
	if x.opts.since > 0 {
		about.Since = x.opts.since.String()
	}
	const most = 150 // the largest; the numbers of all are in the report of the command
	if len(about.LeftOut) > most {
		about.LeftOut = slices.SortedStableFunc(slices.Values(about.LeftOut), func(a, b diagnosis.LeftOut) int {
			return int(min(max(b.Bytes-a.Bytes, -1), 1))
		})[:most]
	}
	data, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return err
	}
	x.bundle.Add(diagnosis.AboutName, x.redact.Text(string(data))+"\n", time.Time{})
	return nil
}
