package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/redact"
	"fate-installer/supervisor/rpc"
)

const diagnoseReadme = `What fate-installer diagnose found on a host.

version.json   this program
site.json      what was asked for, with the cluster files
facts.json     the host; of processes that are not FATE's, no arguments
check.json     the preflight
plan.json      what install would repair
status.json    the programs, and why/ for those that are not ready
config/        the configuration as it is on the host
logs/          the ends of the logs, the newest first
journal        what was changed when, with hashes instead of contents
problems.txt   what could not be collected

Passwords and private keys were replaced by ` + redact.Hidden + `: every known password wherever it stood, and the
value of every setting whose name says that it is one. Key files are not in here.
`

// How much of the logs is taken: the end of each, and of the newest as much as a mail can carry.
const (
	logTail  = 64 << 10
	logTotal = 8 << 20
)

// How much is read of what the service user may write: no file of the configuration comes near the first, and no log
// directory of FATE's near the others.
const (
	configLimit   = 1 << 20
	logDirEntries = 20_000
	logDirDepth   = 16
	mostLogs      = 100_000
)

// collect fills the archive. Only what prevents writing it is an error.
func (x *diagnosis) collect(ctx context.Context) error {
	secrets, err := deploy.KnownSecrets(x.host, x.g.Base)
	if err != nil {
		// Without knowing the passwords nothing that might hold them can be handed on.
		x.missing("configuration and logs, since the passwords to take out are not known", err)
		return errors.Join(x.add("README.txt", diagnoseReadme), x.addVersion(), x.addProblems())
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
		func() error { return x.addDeployment(ctx, d) },
		func() error { return x.addPrograms(ctx) },
		func() error { return x.addConfig(d) },
		x.addLogs,
		x.addJournal,
		x.addProblems,
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

func (x *diagnosis) addVersion() error {
	return x.addJSON("version.json", map[string]string{"version": buildVersion(), "go": runtime.Version(),
		"platform": runtime.GOOS + "/" + runtime.GOARCH})
}

// addDeployment adds what an install would know before it begins.
func (x *diagnosis) addDeployment(ctx context.Context, d *deploy.Deployment) error {
	if d == nil {
		return nil
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
	results, err := d.Check(ctx, nil)
	if err != nil {
		return err
	}
	if err := x.addJSON("check.json", results); err != nil {
		return err
	}
	return x.addPlan(ctx, d)
}

func (x *diagnosis) addPlan(ctx context.Context, d *deploy.Deployment) error {
	survey, err := d.Survey(ctx)
	if err != nil {
		x.missing("what install would repair", err)
		return nil
	}
	return x.addJSON("plan.json", slices.DeleteFunc(survey, func(l engine.SurveyLine) bool {
		return l.Done &&
			l.Note == "" && l.Error == ""
	}))
}

// addPrograms adds what the supervisor says of its programs.
func (x *diagnosis) addPrograms(ctx context.Context) error {
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
	if err := x.addJSON("status.json", statuses); err != nil {
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
		if err := x.addJSON("why/"+s.Name+".json", chain); err != nil {
			return err
		}
	}
	return nil
}

// addConfig adds the files that are rendered for this host, as they are there now.
func (x *diagnosis) addConfig(d *deploy.Deployment) error {
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
		if err := x.add("config"+f.Path, x.redact.Settings(string(content))); err != nil {
			return err
		}
	}
	return nil
}

// logFile is a file below the log directory.
type logFile struct {
	path string
	info fs.FileInfo
}

// addLogs adds the ends of the logs, the newest first, as much as fits.
func (x *diagnosis) addLogs() error {
	var logs []logFile
	if err := x.findLogs(x.layout.Logs(), logDirDepth, &logs); err != nil {
		x.missing("logs", err)
	}
	slices.SortFunc(logs, func(a, b logFile) int {
		return cmp.Or(b.info.ModTime().Compare(a.info.ModTime()), strings.Compare(a.path, b.path))
	})
	total := 0
	for _, l := range logs {
		if total >= logTotal {
			x.Problems = append(x.Problems, "older logs: there are more than one mail can carry")
			break
		}
		text, err := x.logEnd(l)
		if err != nil {
			x.missing("log", err)
			continue
		}
		total += len(text)
		if err := x.add("logs"+strings.TrimPrefix(l.path, x.layout.Logs()), text); err != nil {
			return err
		}
	}
	return nil
}

// logEnd reads the end of a log, without secrets. By now it may be something else than what was listed.
func (x *diagnosis) logEnd(l logFile) (string, error) {
	f, err := x.host.OpenPlain(l.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := info.Size() - logTail - redact.TailOverlap
	text, err := io.ReadAll(io.NewSectionReader(f, max(0, from), logTail+redact.TailOverlap))
	if err != nil || from <= 0 {
		return x.redact.Text(string(text)), err
	}
	return x.redact.Tail(string(text)), nil
}

// findLogs lists the files with something in them that are not compressed, in directories nested at most depth deep.
func (x *diagnosis) findLogs(dir string, depth int, out *[]logFile) error {
	if depth == 0 {
		return fmt.Errorf("%s: directories are nested too deep", dir)
	}
	entries, err := x.host.ListPlain(dir, logDirEntries)
	if err != nil {
		return err
	}
	var errs []error
	if len(entries) == logDirEntries {
		errs = append(errs, fmt.Errorf("%s: only %d of its files were looked at", dir, logDirEntries))
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if len(*out) >= mostLogs {
			return errors.Join(append(errs, fmt.Errorf("%s: there are more than %d logs", dir, mostLogs))...)
		}
		if e.IsDir() {
			errs = append(errs, x.findLogs(path, depth-1, out))
			continue
		}
		if !e.Type().IsRegular() || strings.HasSuffix(path, ".gz") {
			continue
		}
		info, err := x.host.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
			continue
		}
		*out = append(*out, logFile{path, info})
	}
	return errors.Join(errs...)
}

func (x *diagnosis) addJournal() error {
	journal, err := x.host.ReadFile(filepath.Join(x.layout.State(), "journal"))
	if err != nil {
		x.missing("journal", err)
		return nil
	}
	return x.add("journal", x.redact.Text(string(journal)))
}

func (x *diagnosis) addProblems() error {
	if len(x.Problems) == 0 {
		return nil
	}
	return x.add("problems.txt", strings.Join(x.Problems, "\n")+"\n")
}
