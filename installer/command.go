package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"
	"fate-installer/installer/state"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

// command is the running command, as operations on an installation see it.
func (g *globals) command() deploy.Command {
	return deploy.Command{
		Base: g.Base, User: g.User, Line: g.commandLine(), Program: g.program(), Sudo: g.withSudo(),
		OwnCluster: len(g.Config) > 0, Payload: g.Payload, Executable: g.executable, Parallel: g.parallel,
		Docs: g.docsOf,
		Log:  g.logger(),
		Client: func(h *host.Host, socket string, secrets ...cluster.Secret) (*rpc.Client, error) {
			return newClient(g, h, socket, secrets...)
		},
	}
}

// installation opens the machine, or the tree that --root names, with what is installed there. The caller closes it.
func (g *globals) installation() (*deploy.Installation, error) {
	h, err := g.openHost()
	if err != nil {
		return nil, err
	}
	return deploy.NewInstallation(h, g.command(), console{g}), nil
}

// openDeployment opens the installation, and what the command line asks for. The caller closes it.
func (g *globals) openDeployment(ctx context.Context, opts wantedOptions,
	needs deploy.Needs) (*deploy.Deployment, error) {
	i, err := g.installation()
	if err != nil {
		return nil, err
	}
	return deploy.Open(ctx, i, func() (deploy.Site, error) { return opts.asked(g) }, needs)
}

// decide refuses a command before anything else about the host is looked at: the files that would be looked at may be
// those that an interrupted command was changing.
func (g *globals) decide(c state.Command) error {
	i, err := g.installation()
	if err != nil {
		return err
	}
	defer i.Close()
	return i.Allows(c)
}

// console prints what operations do.
type console struct{ g *globals }

// Printf implements deploy.Reporter.
func (r console) Printf(format string, args ...any) { r.g.printf(format, args...) }

// Progressf implements deploy.Reporter.
func (r console) Progressf(format string, args ...any) { r.g.progressf(format, args...) }

// Advisef implements deploy.Reporter.
func (r console) Advisef(format string, args ...any) { r.g.advisef(format, args...) }

// Warning implements deploy.Reporter.
func (r console) Warning(text string) { r.g.errorf("warning: %s\n", text) }

// Notes implements deploy.Reporter.
func (r console) Notes(notes problem.Problems) { printNotes(r.g, notes) }

// CheckResults implements deploy.Reporter.
func (r console) CheckResults(results []preflight.CheckResult) { printProblems(r.g, results) }

// What is said of steps that could not be undone: their status in capitals.
//
//language:labels
const (
	_ = "LEFT"
	_ = "UNDO FAILED"
)

// UndoOutcome implements deploy.Reporter. Directories that data and logs are in are left because they are not empty,
// which is what an uninstall without --purge-data is asked for.
func (r console) UndoOutcome(o engine.UndoOutcome, data bool) {
	switch {
	case o.Status == engine.Undone:
		if !r.g.quiet {
			r.g.printf("  removed   %s\n", o.Title)
		}
	case o.Status == engine.Kept, data:
		r.g.printf("  kept      %s\n", o.Title)
	default:
		r.g.printf("  %s %s: %s\n", r.g.language.Padded(strings.ToUpper(string(o.Status)), 9), o.Title, o.Why)
	}
}

// StepsBegin implements deploy.Reporter.
func (r console) StepsBegin(unpacks int64) deploy.StepsView { return newRunView(r.g, unpacks) }

// WorkBegins implements deploy.Reporter.
func (r console) WorkBegins(title string, total int64) deploy.Bar {
	return longProgress(r.g, title, total)
}

// warnInterrupted says on the error output, which scripts do not parse, that a change of this host was interrupted. It
// returns which one, and what it has said.
func (g *globals) warnInterrupted() (state.Phase, string) {
	h, err := g.openHost()
	if err != nil {
		return "", "" // the command at hand says so
	}
	defer h.Close()
	phase, note := deploy.Interruption(h, g.layout())
	if note != "" {
		g.errorf("note: %s\n", note)
	}
	return phase, note
}

// commandLine is the running command as it can be repeated in a shell.
func (g *globals) commandLine() string { return g.calledAs(g.program()) }

// withSudo is the running command, for the same as root. The secure_path of sudo may lack the directory of the program,
// so that it has its whole path.
func (g *globals) withSudo() string {
	program, err := os.Executable()
	if err != nil {
		program = programPath()
	}
	return "sudo " + g.calledAs(supervisor.ShellWord(program))
}

// calledAs is the running command with the program in these words. No flag has a secret as its value; what looks like
// one, as the password of a URL, is left out.
func (g *globals) calledAs(program string) string {
	words := []string{program}
	for _, word := range supervisor.WithoutSecrets(g.args) {
		words = append(words, supervisor.ShellWord(word))
	}
	return strings.Join(words, " ")
}

// program is this program as a shell finds it.
func (g *globals) program() string {
	program, err := os.Executable()
	if err != nil || filepath.Dir(program) == "/usr/local/bin" {
		return "fate-installer"
	}
	return supervisor.ShellWord(program)
}

// openInstalled opens the installation for an act, which is refused where there is none. The caller closes it.
func (g *globals) openInstalled(ctx context.Context, act string) (*deploy.Deployment, error) {
	if err := requireInstalled(g, act); err != nil {
		return nil, err
	}
	return g.openDeployment(ctx, wantedOptions{}, deploy.Needs{})
}

// requireInstalled refuses an act on an installation where there is none.
func requireInstalled(g *globals, act string) error {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return exit.With(err, exit.Usage)
	}
	defer h.Close()
	if _, err := deploy.LoadSite(h, g.layout()); errors.Is(err, deploy.ErrNotInstalled) {
		return exit.With(exit.Hint(fmt.Errorf("cannot %s: %w below %s", act, err, g.Base),
			"install first, or name the base directory with --base"), exit.Usage)
	}
	return nil // another error is that of the act
}
