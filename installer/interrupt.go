package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/payload/count"

	"github.com/spf13/cobra"
)

// signalError is the cause of a context that a signal ended.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return e.signal.String() + " signal received" }

// Is makes it the end of a context, as [context.Canceled] is.
func (e *signalError) Is(target error) bool { return target == context.Canceled }

// interruption is what a signal finds of the command that runs.
type interruption struct {
	mu     sync.Mutex
	g      *globals // nil: the command changes nothing
	view   *runView // nil: no run of the engine is under way
	atOnce bool     // a second signal ends the process
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends. A command that changes the host then completes
// or ends the steps that are at work, and the signal says so. The second signal ends the process at once: the host is
// then as after a crash, which every command can complete. The supervisor answers signals itself.
func (g *globals) untilSignal(parent context.Context) (ctx context.Context, stop func()) {
	g.interruption = &interruption{}
	ctx, cancel := context.WithCancelCause(parent)
	signals, done := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var announced sync.WaitGroup
	go func() {
		for first := true; ; first = false {
			select {
			case <-done:
				return
			case s := <-signals:
				if !first {
					g.interruption.endAtOnce(signals)
					continue
				}
				cancel(&signalError{s})
				announced.Go(g.interruption.announce) // standard error may take nothing: the second signal ends that
			}
		}
	}()
	return ctx, func() {
		announced.Wait()
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// watchInterruption has a second signal end the command, and has signals say what a command that changes the host
// leaves.
func (g *globals) watchInterruption(cmd *cobra.Command) {
	g.interruption.mu.Lock()
	defer g.interruption.mu.Unlock()
	g.interruption.atOnce = wordsOf(cmd) != "svc run"
	if mayChangeHost(cmd) {
		g.interruption.g = g
	}
}

// running says which run of the engine is under way; nil: none.
func (i *interruption) running(v *runView) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.view = v
}

// announce says what the first signal does.
func (i *interruption) announce() {
	i.mu.Lock()
	g, progress := i.g, i.progress()
	i.mu.Unlock()
	if g != nil {
		g.errorf("interrupted%s; ending what is at work; a second Ctrl-C ends it at once\n", progress)
	}
}

// progress says how far the run is, after a colon; blank: none is under way.
func (i *interruption) progress() string {
	if i.view == nil {
		return ""
	}
	done, atWork := i.view.interruption()
	if done == "" {
		return ""
	}
	if len(atWork) == 0 {
		return ": " + done
	}
	return fmt.Sprintf(": %s, %s at work: %s", done, count.Of(len(atWork), "step is", "steps are"),
		strings.Join(atWork, ", "))
}

// endLimit bounds what the second signal says: a terminal or a disk may not answer.
const endLimit = 10 * time.Second

// endAtOnce ends the process as the second signal asks for. A third one does not wait for what the second one says.
func (i *interruption) endAtOnce(signals <-chan os.Signal) {
	i.mu.Lock()
	ends := i.atOnce
	i.mu.Unlock()
	if !ends {
		return
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		i.last()
	}()
	select {
	case <-said:
	case <-signals:
	case <-time.After(endLimit):
	}
	os.Exit(exit.Interrupted)
}

// last says what the process leaves that ends now.
func (i *interruption) last() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.g == nil {
		return
	}
	if i.g.display.screen != nil {
		i.g.display.screen.End()
	}
	err := i.g.withInterruption(fmt.Errorf("ended at once%s", i.progress()))
	printError(i.g, err, exit.Interrupted)
	if i.g.recording != nil {
		i.g.recording.end(exit.Interrupted, err)
	}
}

// withInterruption adds to the error of an interrupted command what state it leaves, and which command completes it.
func (g *globals) withInterruption(err error) error {
	if g.interruption.g == nil {
		return err
	}
	h, open := g.openHost()
	if open != nil {
		return err
	}
	defer h.Close()
	if _, note := deploy.Interruption(h, g.layout()); note != "" {
		return exit.Hint(err, note)
	}
	return err
}
