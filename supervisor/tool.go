package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/process"
)

// DependantsVar is the environment variable of a probe's command with the identities of the processes that the programs
// which depend on this one have on this host. What a probe has kept of earlier processes is not true of these.
const DependantsVar = "SUPERVISOR_DEPENDANTS"

// runTool runs a probe's command as the program would run: same user, environment, directory and limits, and with
// [DependantsVar]. The error ends with what the command wrote.
func (sup *Supervisor) runTool(ctx context.Context, p *config.Program, argv []string) error {
	probe := p.Clone()
	if probe.Environment == nil {
		probe.Environment = make(map[string]string)
	}
	probe.Environment[DependantsVar] = sup.dependantProcesses(p.Name)
	said, err := sup.runCommand(ctx, &probe, argv)
	if said = strings.TrimSpace(said); err != nil && said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// dependantProcesses identifies the processes of the programs that depend on one: their names, process IDs and start
// times.
func (sup *Supervisor) dependantProcesses(name string) string {
	var out []string
	for _, s := range sup.services() {
		s.mu.Lock()
		if s.run.proc != nil && slices.Contains(s.prog.DependsOn, name) {
			out = append(out, fmt.Sprintf("%s:%d:%d", s.prog.Name, s.run.proc.ID.PID, s.run.proc.ID.Start))
		}
		s.mu.Unlock()
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// maxToolOutput bounds what is kept of the output of a command.
const maxToolOutput = 64 << 10

// runCommand runs a command in the way the program would run and returns what it wrote.
func (sup *Supervisor) runCommand(ctx context.Context, p *config.Program, argv []string) (string, error) {
	acct, err := account.Lookup(p.User)
	if err != nil {
		return "", err
	}
	tool := *p
	tool.Command = argv
	spec, _, err := sup.shimSpec(&tool, acct)
	if err != nil {
		return "", err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer outR.Close()
	exited := make(chan process.Exit, 1)
	sh, err := sup.processes().Start(outW, outW, func(st process.Exit) { exited <- st })
	outW.Close()
	if err != nil {
		return "", err
	}
	defer sup.reaper.Forget(sh.Tree.ID.PID)
	if _, err := sh.Execute(spec); err != nil { // the notes are those of the program itself
		return "", err
	}
	said := make(chan string, 1)
	go func() {
		data, _ := io.ReadAll(io.LimitReader(outR, maxToolOutput))
		said <- string(data)
	}()
	var st process.Exit
	select {
	case st = <-exited:
		if st.Signal != 0 || st.Code != 0 {
			err = errors.New((&ExitInfo{Known: true, Code: st.Code, Signal: signalText(st.Signal)}).String())
		}
	case <-ctx.Done():
		err = fmt.Errorf("%s did not end in time", argv[0])
	}
	_ = sh.Tree.SignalGroup(unix.SIGKILL) // what it forked must not outlive it
	if ctx.Err() != nil && st == (process.Exit{}) {
		select {
		case <-exited:
		case <-time.After(time.Second): // it is in an uninterruptible wait
		}
	}
	_ = outR.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	return <-said, err
}

func signalText(sig syscall.Signal) string {
	if sig == 0 {
		return ""
	}
	return signalName(sig)
}
