package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Trial is a run of a program that shows whether it does what is needed of it. Programs of the same name differ: the
// columns of busybox's ps are not those of procps.
type Trial struct {
	Program string // looked up in the usual directories; a host without it has nothing to try

	// Args gives the command for the program that was found at a path. An element without a slash is looked up in the
	// system directories; a host that lacks that one is not tried.
	Args func(path string) []string
	In   string // standard input

	Limit time.Duration // 0: five seconds

	// Judge says what is wrong with the standard output, and is blank when it is as it should be.
	Judge func(stdout string) string
}

// Failing maps a program's name to what is wrong with the one that was found.
type Failing map[string]string

// trials runs what is asked for at the same time, on the running machine only.
func (g *gatherer) trials(ctx context.Context, trials []Trial) {
	if g.f.Rooted || !g.h.Live() {
		return
	}
	faults := make([]string, len(trials))
	var running sync.WaitGroup
	for i, t := range trials {
		if file := findProgram(g.h, t.Program); file != "" {
			running.Go(func() { faults[i] = t.run(ctx, g.h, file) })
		}
	}
	running.Wait()
	for i, t := range trials {
		if faults[i] == "" || g.f.Failing[t.Program] != "" {
			continue
		}
		if g.f.Failing == nil {
			g.f.Failing = Failing{}
		}
		g.f.Failing[t.Program] = faults[i]
	}
}

// run returns what is wrong with the program that was found at a path.
func (t Trial) run(ctx context.Context, h *Host, file string) string {
	limit := cmp.Or(t.Limit, 5*time.Second)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	result, err := h.Run(limited, Cmd{Args: t.Args(file), In: strings.NewReader(t.In), Grace: time.Second})
	var exit *ExitError
	switch {
	case ctx.Err() != nil || errors.Is(err, ErrNotFound):
		return "" // the caller gives up, or what runs the trial is missing
	case limited.Err() != nil:
		return fmt.Sprintf("it does not end within %s", limit)
	case errors.As(err, &exit):
		line, _, _ := strings.Cut(exit.Stderr, "\n")
		return strings.TrimSuffix(fmt.Sprintf("it exits with status %d: %s", exit.Code, line), ": ")
	case err != nil:
		return err.Error()
	}
	return t.Judge(string(result.Stdout))
}
