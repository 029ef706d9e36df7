package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"fate-installer/installer/host/beneath"
	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
	"fate-installer/supervisor/process"
)

// How readiness is asked for.
const (
	firstProbeAfter  = 20 * time.Millisecond
	probeAttempt     = 5 * time.Second // one attempt; a probe that hangs is a probe that failed
	readyAgainFactor = 10              // once ready, this many ready_intervals apart
	readyLostAfter   = 3               // failures in a row that take readiness away again
	probeBodyMax     = 64 << 10

	// What part of the time that a program has not been ready it may be noticed late. A port that is closed costs
	// nothing to ask.
	commandShare = 10
	connectShare = 50
)

// watchReadiness starts the probes of the run at hand. They end when it does.
func (s *service) watchReadiness() {
	ctx, cancel := context.WithCancel(s.sup.ctx)
	s.run.cancel = cancel
	p, number := s.prog.Clone(), s.run.number
	if p.HasReadiness() {
		probe := s.sup.readiness(&p, s.run.paths, s.run.acct, s.run.outMark, s.run.errMark)
		proc := *s.run.proc
		s.run.again = make(chan struct{}, 1)
		again := s.run.again
		s.sup.background(func() { s.probeReadiness(ctx, &p, &proc, number, probe, again) })
		timeout := time.AfterFunc(p.ReadyTimeout-time.Since(s.run.started), func() { s.readyOverdue(number) })
		context.AfterFunc(ctx, func() { timeout.Stop() })
	}
	if p.HasLiveness() {
		s.sup.background(func() { s.probeLiveness(ctx, &p, number) })
	}
}

func (s *service) probeReadiness(
	ctx context.Context, p *config.Program, proc *process.Tree, number uint64,
	probe func(context.Context) (bool, error), again <-chan struct{},
) {
	began := time.Now()
	wait, failed, ready := probePause(0, 0, p.ReadyInterval), 0, false
	for {
		asked, ok := sleepUntil(ctx, wait, again)
		if !ok {
			return
		}
		if asked {
			ready, failed, began = false, 0, time.Now()
		}
		asks := time.Now()
		attempt, cancel := context.WithTimeout(ctx, probeAttempt)
		listens, err := probe(attempt)
		cancel()
		if listens && !ready {
			if err2 := answersItself(proc, p); err2 != nil {
				listens, err = false, err2
			}
		}
		if ctx.Err() != nil {
			return
		}
		if len(again) > 0 {
			continue // the answer is older than the reason to ask
		}
		switch {
		case err == nil:
			failed, ready, wait = 0, true, readyAgainFactor*p.ReadyInterval
		case ready && failed+1 < readyLostAfter:
			failed++
			wait = p.ReadyInterval
			continue
		case ready:
			ready, wait = false, p.ReadyInterval
		default:
			share := time.Duration(commandShare)
			if !listens && (p.ReadyTCP != "" || p.ReadyHTTP != nil) {
				share = connectShare
			}
			wait = probePause(asks.Sub(began)/share, time.Since(asks), p.ReadyInterval)
		}
		s.probed(number, listens, err)
	}
}

// probePause is the time until the next attempt at a program that is not ready, and is to be noticed at most late after
// it is. An attempt that takes long, as one that starts a command, takes a sixth of the time at most: the processor is
// what the program needs to become ready.
func probePause(late, took, interval time.Duration) time.Duration {
	return min(max(firstProbeAfter, late, 5*took), interval)
}

func (s *service) probeLiveness(ctx context.Context, p *config.Program, number uint64) {
	failed := 0
	for sleep(ctx, p.LivenessInterval) {
		if !s.status.Load().Serving {
			failed = 0
			continue
		}
		attempt, cancel := context.WithTimeout(ctx, p.LivenessTimeout)
		err := s.sup.ask(attempt, p, p.LivenessTCP, p.LivenessHTTP, p.LivenessExec)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failed = 0
			continue
		}
		if failed++; failed == p.LivenessThreshold {
			failed = 0
			s.livenessFailed(number, err)
		}
	}
}

// sleep reports false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	_, ok := sleepUntil(ctx, d, nil)
	return ok
}

// sleepUntil is sleep that a token in early ends; asked reports that it did.
func sleepUntil(ctx context.Context, d time.Duration, early <-chan struct{}) (asked, ok bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return false, true
	case <-early:
		return true, true
	case <-ctx.Done():
		return false, false
	}
}

// readiness returns the program's readiness check. All that is configured must pass; listens tells whether what is
// asked over the network did.
func (sup *Supervisor) readiness(
	p *config.Program, paths logfile.Paths, a account.User, out, err logfile.Mark,
) func(context.Context) (listens bool, err error) {
	var log *logWatch
	if p.ReadyLog != "" {
		log = newLogWatch(p.ReadyLog, paths, a, out, err)
	}
	return func(ctx context.Context) (bool, error) {
		if err := sup.ask(ctx, p, p.ReadyTCP, p.ReadyHTTP, nil); err != nil {
			return false, err
		}
		if log != nil {
			if err := log.check(); err != nil {
				return true, err
			}
		}
		return true, sup.ask(ctx, p, "", nil, p.ReadyExec)
	}
}

// answersItself checks that it was the program that answered its readiness probes over the network.
func answersItself(p *process.Tree, prog *config.Program) error {
	addrs := []string{prog.ReadyTCP}
	if prog.ReadyHTTP != nil {
		if u, err := url.Parse(prog.ReadyHTTP.URL); err == nil {
			addrs = append(addrs, u.Host)
		}
	}
	for _, addr := range addrs {
		if addr == "" {
			continue
		}
		if err := strangers(p, addr); err != nil {
			return err
		}
	}
	return nil
}

// ask makes one attempt at each of the checks that are configured.
func (sup *Supervisor) ask(
	ctx context.Context, p *config.Program, tcp string, h *config.HTTPProbe, argv []string,
) error {
	if tcp != "" {
		if err := askTCP(ctx, tcp); err != nil {
			return err
		}
	}
	if h != nil {
		if err := sup.askHTTP(ctx, h); err != nil {
			return err
		}
	}
	if len(argv) > 0 {
		return sup.runTool(ctx, p, argv)
	}
	return nil
}

func askTCP(ctx context.Context, addr string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// newProbeClient makes the client of HTTP probes. It keeps no connections, follows no redirects (a redirect is an
// answer) and knows no proxy: what it asks is on this host.
func newProbeClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (sup *Supervisor) askHTTP(ctx context.Context, h *config.HTTPProbe) error {
	req, err := http.NewRequestWithContext(ctx, h.Method, h.URL, strings.NewReader(h.Body))
	if err != nil {
		return err
	}
	for k, v := range h.Header {
		req.Header.Set(k, v)
	}
	resp, err := sup.probeClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, probeBodyMax))
	if err != nil {
		return fmt.Errorf("%s: %w", h.URL, err)
	}
	if h.OrStatus != 0 && resp.StatusCode == h.OrStatus {
		return nil
	}
	if h.Status != 0 && resp.StatusCode != h.Status || h.Status == 0 && resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s: %.100s", h.URL, resp.Status, bytes.TrimSpace(body))
	}
	if !bytes.Contains(body, []byte(h.BodyContains)) {
		return fmt.Errorf("%s answered without %q: %.100s", h.URL, h.BodyContains, bytes.TrimSpace(body))
	}
	return nil
}

// logWatch looks for a line in what a program has written since it was started.
type logWatch struct {
	pattern *regexp.Regexp
	account account.User
	files   []watchedLog
	found   bool
}

type watchedLog struct {
	path string
	mark logfile.Mark // how far it has been read
	part []byte       // the beginning of a line whose end is not written yet
}

// maxLogLine bounds how much of an unfinished line is kept.
const maxLogLine = 64 << 10

var errNotInLog = errors.New("the line that says it is ready is not in the log yet")

func newLogWatch(pattern string, paths logfile.Paths, a account.User, out, errMark logfile.Mark) *logWatch {
	w := &logWatch{pattern: regexp.MustCompile(pattern), account: a} // Validate has compiled it
	if paths.Out != "" {
		w.files = append(w.files, watchedLog{path: paths.Out, mark: out})
	}
	if paths.Err != "" && paths.Err != paths.Out {
		w.files = append(w.files, watchedLog{path: paths.Err, mark: errMark})
	}
	return w
}

func (w *logWatch) check() error {
	for i := range w.files {
		if w.found {
			break
		}
		if err := w.read(&w.files[i]); err != nil {
			return fmt.Errorf("cannot read %s: %w", w.files[i].path, beneath.WithoutPath(err))
		}
	}
	if !w.found {
		return errNotInLog
	}
	return nil
}

// read looks at what was added to the file since the last time. A file that was truncated or replaced is read from its
// beginning.
func (w *logWatch) read(l *watchedLog) error {
	f, err := logfile.OpenToRead(l.path, w.account)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if id := beneath.IDOf(info); id != l.mark.File || info.Size() < l.mark.Offset {
		l.mark, l.part = logfile.Mark{File: id}, nil
	}
	if _, err := f.Seek(l.mark.Offset, io.SeekStart); err != nil {
		return err
	}
	return w.scan(f, l)
}

// watchedAtOnce is how much of a log one look reads, in bytes; the next goes on there. The program may make its log any
// length without using space.
const watchedAtOnce = 16 << 20

func (w *logWatch) scan(f *os.File, l *watchedLog) error {
	buf := make([]byte, 32<<10)
	for end := l.mark.Offset + watchedAtOnce; l.mark.Offset < end; {
		n, err := f.Read(buf)
		l.mark.Offset += int64(n)
		data := append(l.part, buf[:n]...)
		for {
			line, rest, whole := bytes.Cut(data, []byte("\n"))
			if w.pattern.Match(line) {
				w.found = true
				return nil
			}
			if !whole {
				break
			}
			data = rest
		}
		l.part = append([]byte(nil), data[max(0, len(data)-maxLogLine):]...)
		if err == io.EOF || n == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
