package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/ochinchina/supervisord/faults"

	"fate-installer/supervisor"
)

// maxLogRead bounds how much of a log one call returns. Encoded it may be five times as long, and still fit into
// maxAnswerBytes.
const maxLogRead = 2 << 20

func (s *Server) openMainLog() (*os.File, error) {
	f, err := s.daemon.OpenLog()
	if err != nil {
		return nil, &Fault{faults.NoFile, "NO_FILE: " + err.Error()}
	}
	return f, nil
}

func (s *Server) openLog(c *call, stream string) (*os.File, error) {
	name, err := s.one(c.text(0))
	if err != nil {
		return nil, err
	}
	if err := s.reads(c.peer, name); err != nil {
		return nil, err
	}
	f, err := s.sup.OpenLog(name, stream)
	if err != nil {
		return nil, &Fault{faults.NoFile, "NO_FILE: " + err.Error()}
	}
	return f, nil
}

func (s *Server) readMainLog(c *call) (any, error) {
	f, err := s.openMainLog()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readPart(f, c.number(0), c.number(1))
}

func (s *Server) readStdout(c *call) (any, error) { return s.readLog(c, "stdout") }
func (s *Server) readStderr(c *call) (any, error) { return s.readLog(c, "stderr") }
func (s *Server) tailStdout(c *call) (any, error) { return s.tailLog(c, "stdout") }
func (s *Server) tailStderr(c *call) (any, error) { return s.tailLog(c, "stderr") }

func (s *Server) readLog(c *call, stream string) (any, error) {
	f, err := s.openLog(c, stream)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readPart(f, c.number(1), c.number(2))
}

// readPart is supervisor's readFile: a negative offset counts from the end and then takes length 0; otherwise length 0
// means up to the end.
func readPart(f *os.File, offset, length int64) (any, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	switch {
	case offset < 0 && length != 0 || length < 0:
		return nil, &Fault{faults.BadArguments, "BAD_ARGUMENTS"}
	case offset < 0:
		offset = max(0, size+offset)
		length = size - offset
	case length == 0:
		length = max(0, size-offset)
	}
	data, err := io.ReadAll(io.NewSectionReader(f, offset, min(length, maxLogRead)))
	if err != nil {
		return nil, err
	}
	return string(data), nil
}

// tailLog is supervisor's tailFile: [bytes, offset, overflow].
func (s *Server) tailLog(c *call, stream string) (any, error) {
	offset, length := c.number(1), c.number(2)
	f, err := s.openLog(c, stream)
	if err != nil {
		var fault *Fault
		if errors.As(err, &fault) && fault.Code == faults.NoFile {
			return []any{"", 0, false}, nil
		}
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size, overflow := info.Size(), false
	length = min(max(0, length), maxLogRead)
	if offset < 0 || offset > size {
		offset = size
	}
	if size > offset+length {
		overflow = true
		offset = max(0, size-length)
	}
	data, err := io.ReadAll(io.NewSectionReader(f, offset, length))
	if err != nil {
		return nil, err
	}
	return []any{string(data), size, overflow}, nil
}

func (s *Server) clearLogs(c *call) (any, error) {
	name, err := s.one(c.text(0))
	if err != nil {
		return nil, err
	}
	return true, s.ofOwner(c.peer, s.sup.ClearLogs)(name)
}

func (s *Server) clearAllLogs(c *call) (any, error) {
	return s.eachProgram(s.all(), func(*supervisor.Status) bool { return true }, s.ofOwner(c.peer, s.sup.ClearLogs)),
		nil
}

// ofOwner is do for the programs of the peer only.
func (s *Server) ofOwner(p peer, do func(name string) error) func(name string) error {
	return func(name string) error {
		if err := s.owns(p, name); err != nil {
			return err
		}
		return do(name)
	}
}

// How a followed log is read.
const (
	followInterval = 100 * time.Millisecond
	followHead     = 1024 // bytes shown before, as supervisor does
	maxTailLines   = 100_000
	maxTailBytes   = 64 << 20
)

// serveLog streams a program's log: its end, then what is added, until the client goes. With ?follow=0 only the end;
// ?lines=N says how much of an end.
func (s *Server) serveLog(w http.ResponseWriter, r *http.Request) {
	name, err := s.one(r.PathValue("name"))
	stream := r.PathValue("stream")
	if stream == "" {
		stream = "stdout"
	}
	if err != nil || stream != "stdout" && stream != "stderr" {
		http.Error(w, "there is no such program or stream", http.StatusNotFound)
		return
	}
	p, _ := r.Context().Value(peerKey{}).(peer)
	if err := s.reads(p, name); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	s.streamLog(w, r, func() (*os.File, error) { return s.sup.OpenLog(name, stream) })
}

func (s *Server) serveMainLog(w http.ResponseWriter, r *http.Request) {
	p, _ := r.Context().Value(peerKey{}).(peer)
	if err := operators.allowed(p, "/mainlogtail"); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	s.streamLog(w, r, s.openMainLog)
}

func (s *Server) streamLog(w http.ResponseWriter, r *http.Request, open func() (*os.File, error)) {
	f, err := open()
	if err != nil {
		http.Error(w, "there is no log: "+err.Error(), http.StatusNotFound)
		return
	}
	t := &tail{open: open, f: f, w: w, control: http.NewResponseController(w)}
	defer func() { t.f.Close() }()
	w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = t.control.SetReadDeadline(time.Time{}) // the request has been read; its connection may now be silent for long
	if text := r.URL.Query().Get("lines"); text != "" {
		lines, err := strconv.Atoi(text)
		if err != nil || lines < 0 {
			http.Error(w, "lines is not a number", http.StatusBadRequest)
			return
		}
		t.pos = lastLines(f, min(lines, maxTailLines))
	} else if info, err := f.Stat(); err == nil {
		t.pos = max(0, info.Size()-followHead)
	}
	ctx := r.Context()
	for t.copy() == nil && r.URL.Query().Get("follow") != "0" {
		if !pause(ctx, followInterval) {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tail follows a log file through truncation and replacement.
type tail struct {
	open    func() (*os.File, error)
	f       *os.File
	pos     int64
	w       http.ResponseWriter
	control *http.ResponseController
}

// copy sends what was added since the last time.
func (t *tail) copy() error {
	info, err := t.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < t.pos {
		t.pos = 0 // truncated
	}
	out := pace(t.w, 0)
	n, err := io.Copy(out, io.NewSectionReader(t.f, t.pos, info.Size()-t.pos))
	t.pos += n
	if err != nil {
		return err
	}
	if f, err := t.open(); err == nil {
		if now, err := f.Stat(); err == nil && !os.SameFile(info, now) {
			t.f.Close()
			t.f, t.pos = f, 0
		} else {
			f.Close()
		}
	}
	out.renew()
	return t.control.Flush()
}

// lastLines finds where the last n lines of a file begin, or its last maxTailBytes: a file without an end of a line may
// have any length and use no space.
func lastLines(f *os.File, n int) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	const block = 64 << 10
	buf := make([]byte, block)
	end := info.Size()
	if end == 0 {
		return 0
	}
	// The newline that ends the last line begins no further one.
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, end-1); err == nil && last[0] != '\n' {
		n--
	}
	if n < 0 {
		return end
	}
	least := max(0, info.Size()-maxTailBytes)
	for end > least {
		from := max(least, end-block)
		part := buf[:end-from]
		if _, err := f.ReadAt(part, from); err != nil {
			return 0
		}
		for i := bytes.LastIndexByte(part, '\n'); i >= 0; i = bytes.LastIndexByte(part[:i], '\n') {
			if n == 0 {
				return from + int64(i) + 1
			}
			n--
		}
		end = from
	}
	return least
}
