package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/cause"
	"fate-installer/installer/redact"
)

// How much of a log is taken: its end, and with --since as much as a program writes in a busy hour.
const (
	logTail      = 64 << 10
	logSinceTail = 16 << 20
)

// How much is looked at of the log directory, which the service user may write: no log directory of FATE's comes near
// it.
const (
	logDirEntries = 20_000
	logDirDepth   = 16
	mostLogs      = 100_000
)

// logFile is a file below the log directory.
type logFile struct {
	path string
	info fs.FileInfo
}

// addLogs adds the ends of the logs, the newest first, as much as fits.
func (x *collector) addLogs() error {
	var logs []logFile
	if err := x.findLogs(x.layout.Logs(), logDirDepth, &logs); err != nil {
		x.missing("logs", err)
	}
	slices.SortFunc(logs, func(a, b logFile) int {
		return cmp.Or(b.info.ModTime().Compare(a.info.ModTime()), strings.Compare(a.path, b.path))
	})
	for _, l := range logs {
		name := "logs" + strings.TrimPrefix(l.path, x.layout.Logs())
		if x.opts.since > 0 && x.bundle.Made.Sub(l.info.ModTime()) > x.opts.since {
			x.leaveOut(name, l.info.Size(), leftOlder)
			continue
		}
		most := int64(logTail)
		if x.opts.since > 0 {
			most = logSinceTail
		}
		why := leftEnds
		if room := x.room(); room < most {
			most, why = room, leftNoRoom
		}
		if most < leastLog && most < l.info.Size() {
			x.leaveOut(name, l.info.Size(), leftNoRoom)
			continue
		}
		text, err := x.logEnd(l, most)
		if err != nil {
			x.missing("log", err)
			continue
		}
		if cut := l.info.Size() - int64(len(text)); cut > 0 && l.info.Size() > most {
			x.leaveOut(name, cut, why)
		}
		if err := x.addChanged(name, x.since(name, text), l.info.ModTime()); err != nil {
			return err
		}
	}
	return nil
}

// leastLog is the least of a longer log that is worth taking, in bytes.
const leastLog = 4 << 10

// logEnd reads the end of a log, without secrets, at most so many bytes. By now it may be something else than what was
// listed.
func (x *collector) logEnd(l logFile, most int64) (string, error) {
	f, err := x.host.OpenPlain(l.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := info.Size() - most - redact.TailOverlap
	text, err := io.ReadAll(io.NewSectionReader(f, max(0, from), most+redact.TailOverlap))
	if err != nil {
		return "", err
	}
	clean := ""
	if from <= 0 {
		clean = x.redact.Text(string(text))
	} else {
		clean = x.redact.Tail(string(text))
	}
	if int64(len(clean)) > most { // of the overlap, too, only whole lines that fit are taken
		clean = endOfLines(clean, most)
	}
	return clean, nil
}

// endOfLines is the end of a text, at most so many bytes, from the beginning of a line on where there is one.
func endOfLines(text string, most int64) string {
	text = text[int64(len(text))-most:]
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return text
}

// since leaves out the lines of a log that are older than --since asks for: all before the first that is not. Lines
// without a time go with the one before them.
func (x *collector) since(name, text string) string {
	if x.opts.since == 0 {
		return text
	}
	from := x.bundle.Made.Add(-x.opts.since)
	at, stamped := 0, false
	for line := range strings.Lines(text) {
		if stamp := cause.StampOf(line); stamp != "" {
			t, err := cause.ParseStamp(stamp, time.Local)
			if err == nil && !t.Before(from.Add(-time.Second)) {
				stamped = true
				break
			}
			stamped = stamped || err == nil
		}
		at += len(line)
	}
	if !stamped || at == 0 { // it has no times: how old its lines are is not known
		return text
	}
	x.leaveOut(name, int64(at), leftOlder)
	return text[at:]
}

// findLogs lists the files with something in them that are not compressed, in directories nested at most depth deep.
func (x *collector) findLogs(dir string, depth int, out *[]logFile) error {
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
