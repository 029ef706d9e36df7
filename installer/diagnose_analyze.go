package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/diagnosis"
	"fate-installer/installer/exit"
	"fate-installer/installer/output"
	"fate-installer/payload/count"
	"fate-installer/supervisor"
)

// runAnalyze says what is wrong with the host that a file is from, or with this one.
func runAnalyze(ctx context.Context, g *globals, opts *diagnoseOptions, file string) error {
	b, err := bundleToAnalyze(ctx, g, opts, file)
	if err != nil {
		return err
	}
	r, err := diagnosis.Analyze(ctx, b, file)
	if err != nil {
		return err
	}
	if g.Output == outputJSON {
		err = g.printJSON(r)
	} else {
		printAnalysis(g, r)
	}
	if code := r.ExitCode(); err == nil && code != exit.OK {
		return exit.Silently(code)
	}
	return err
}

// bundleToAnalyze reads a bundle, or makes one of this host, which is written nowhere.
func bundleToAnalyze(ctx context.Context, g *globals, opts *diagnoseOptions, file string) (*diagnosis.Bundle, error) {
	if file != "" {
		b, err := diagnosis.Read(file)
		var bad *diagnosis.NotABundleError
		switch {
		case errors.As(err, &bad):
			return nil, exit.With(exit.Hint(err, bad.Hint), exit.Payload)
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return nil, exit.With(err, exit.Usage)
		}
		return b, err
	}
	x, err := newCollector(g, opts)
	if err != nil {
		return nil, err
	}
	defer x.host.Close()
	g.progressf("looking at this host ...\n")
	if err := x.collect(ctx); err != nil {
		return nil, fmt.Errorf("cannot look at this host: %w", err)
	}
	return x.bundle, nil
}

// printAnalysis prints what was found, each with what shows it and what to do. Lines of logs and commands stay as they
// are; sentences are translated.
func printAnalysis(g *globals, r *diagnosis.Report) {
	host := r.Host
	if host == "" {
		host = g.text("a host")
	}
	g.printf("%s at %s UTC\n", host, r.Made.UTC().Format(time.DateTime))
	there := otherHost{away: r.Bundle != "", base: r.Base}
	columns := g.device(g.Stdout).Columns
	line := func(label, text string) { g.raw(output.Indented(label, text, columns) + "\n") }
	for i, f := range r.Findings {
		g.raw("\n")
		number := fmt.Sprintf("%d. %s%s", i+1, g.language.Label(string(f.Severity)), g.language.Colon())
		line(number, g.text(f.Title+" ("+f.ID+")"))
		line("   ", g.text(f.Explanation))
		for _, e := range f.Evidence {
			place, text := e.File, e.Text
			if e.Line > 0 {
				place = fmt.Sprintf("%s:%d", e.File, e.Line)
			}
			if e.Said {
				text = g.text(text)
			}
			// Also what is wrapped is marked as text of the file.
			quoted := output.Indented("   | ", place+g.language.Colon()+text, columns)
			g.raw(strings.ReplaceAll(quoted, "\n     ", "\n   | ") + "\n")
		}
		line("   -> ", there.text(g, f.Remedy))
	}
	g.printf("\n")
	for _, m := range r.Missing {
		line("", g.text("not looked at: "+m))
	}
	if len(r.Findings) == 0 && len(r.Missing) > 0 {
		g.printf("nothing was found in what was looked at\n")
		return
	}
	if len(r.Findings) == 0 {
		g.printf("nothing wrong was found\n")
		return
	}
	faults := 0
	for _, f := range r.Findings {
		if f.Severity == diagnosis.Fault {
			faults++
		}
	}
	g.printf("found: %s, %s; the most likely cause is the first\n", count.Of(faults, "fault"),
		count.Of(len(r.Findings)-faults, "warning"))
}

// otherHost is the host that commands are for: where a bundle was read, not this one.
type otherHost struct {
	away bool
	base string
}

// text is a text with commands that can be pasted on the host.
func (o otherHost) text(g *globals, text string) string {
	if !o.away {
		return g.advice(text)
	}
	call := programName
	if o.base != deploy.StandardBase && !strings.Contains(text, "--base ") {
		call += " --base " + supervisor.ShellWord(o.base)
	}
	return runnableAs(call, g.text(text))
}
