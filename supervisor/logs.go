package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/logfile"
)

// rotateEvery is how often sizes are looked at. A log may exceed its limit by what its program writes in that time.
const rotateEvery = time.Second

// logs lists the log files of a program.
func (s *service) logs() []logfile.File {
	s.mu.Lock()
	p, run, pid := s.prog, s.run, s.runningPID()
	s.mu.Unlock()
	if run.paths.Out == "" && run.paths.Err == "" {
		return nil // it has not run yet
	}
	var out []logfile.File
	if run.paths.Out != "" {
		out = append(out, logfile.File{Path: run.paths.Out, User: run.acct, PID: pid, Held: run.outMark.File,
			Limits: logfile.Limits{
				Max: p.StdoutLogfileMaxBytes, Backups: p.StdoutLogfileBackups, Compress: p.LogCompress,
				Total: p.LogTotalMaxBytes,
			}})
	}
	if run.paths.Err != "" && run.paths.Err != run.paths.Out {
		out = append(out, logfile.File{Path: run.paths.Err, User: run.acct, PID: pid, Held: run.errMark.File,
			Limits: logfile.Limits{
				Max: p.StderrLogfileMaxBytes, Backups: p.StderrLogfileBackups, Compress: p.LogCompress,
				Total: p.LogTotalMaxBytes,
			}})
	}
	return out
}

// rotateLogs looks after the logs of all programs until the supervisor is closed. One goroutine does it all, so that
// compressing never takes more than one processor.
func (sup *Supervisor) rotateLogs() {
	for sleep(sup.ctx, rotateEvery) {
		for _, s := range sup.services() {
			logs := s.logs()
			sup.followDisplaced(s, logs)
			for _, l := range logs {
				limit := l.Limits.Threshold()
				if limit <= 0 {
					continue
				}
				info, err := os.Lstat(l.Path)
				if err != nil || !info.Mode().IsRegular() || info.Size() <= limit {
					continue
				}
				if err := sup.rotate(l); err != nil {
					sup.log.Error().Str("program", s.status.Load().Name).Err(err).Msg("cannot rotate the log")
				}
			}
		}
	}
}

// RotateLogs rotates a program's logs now, whatever their size.
func (sup *Supervisor) RotateLogs(name string) error {
	s := sup.service(name)
	if s == nil {
		return &UnknownError{name}
	}
	var errs []error
	for _, l := range s.logs() {
		errs = append(errs, sup.rotate(l))
	}
	return errors.Join(errs...)
}

// rotate rotates a log, one at a time: a request may come while the supervisor rotates the same log by itself.
func (sup *Supervisor) rotate(l logfile.File) error {
	sup.rotating.Lock()
	defer sup.rotating.Unlock()
	return l.Rotate()
}

// followDisplaced looks after the logs of a program whose paths lead to other files, and notes them in its status.
func (sup *Supervisor) followDisplaced(s *service, logs []logfile.File) {
	var notes []string
	var errs []error
	for _, l := range logs {
		note, kept, err := func() (string, int64, error) {
			sup.rotating.Lock()
			defer sup.rotating.Unlock()
			kept, known := s.keptOf[l.Held]
			if !known {
				kept = -1
			}
			return l.Displaced(kept)
		}()
		if note == "" {
			delete(s.keptOf, l.Held)
			continue
		}
		if s.keptOf == nil {
			s.keptOf = map[beneath.FileID]int64{}
		}
		s.keptOf[l.Held] = kept
		notes, errs = append(notes, note), append(errs, err)
	}
	if s.looks++; s.looks%ownLogsEvery == 1 {
		s.ownGone = s.ownLogsRemoved()
	}
	notes = append(notes, s.ownGone...)
	if slices.Equal(notes, s.logNotes) {
		return
	}
	s.event(func() { s.logNotes = notes })
	for _, note := range notes {
		sup.log.Warn().Str("program", s.status.Load().Name).AnErr("error", errors.Join(errs...)).Msg(note)
	}
}

// ownLogsEvery is how many looks at the logs there are for one at the descriptors of a program, of which it may have
// thousands.
const ownLogsEvery = 5

// ownLogsRemoved says which logs that the program opens by itself were removed while it holds them: nothing but the
// program can open them again.
func (s *service) ownLogsRemoved() []string {
	s.mu.Lock()
	patterns, pid := s.prog.LogFiles, s.runningPID()
	s.mu.Unlock()
	if pid == 0 || len(patterns) == 0 {
		return nil
	}
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		name, gone := strings.CutSuffix(target, " (deleted)")
		if err != nil || !gone || !slices.ContainsFunc(patterns,
			func(p string) bool { m, _ := filepath.Match(p, name); return m }) {
			continue
		}
		note := fmt.Sprintf("%s was removed while the program holds it, and takes room without a name until the "+
			"program is restarted", name)
		if !slices.Contains(out, note) {
			out = append(out, note)
		}
	}
	return out
}
