package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// trialRunner answers a trial by its first argument.
type trialRunner map[string]func(ctx context.Context) (Result, error)

func (r trialRunner) Run(ctx context.Context, c Cmd) (Result, error) { return r[c.Args[0]](ctx) }

func TestTrials(t *testing.T) {
	answer := func(stdout string, err error) func(context.Context) (Result, error) {
		return func(context.Context) (Result, error) { return Result{Stdout: []byte(stdout)}, err }
	}
	runner := trialRunner{
		"/usr/bin/good":   answer("right", nil),
		"/usr/bin/bad":    answer("wrong", nil),
		"/usr/bin/fails":  answer("right", &ExitError{Name: "fails", Code: 2, Stderr: "invalid option\nusage: fails"}),
		"/usr/bin/silent": answer("right", &ExitError{Name: "silent", Code: 1}),
		"no-such-shell":   answer("", ErrNotFound),
		"/usr/bin/broken": answer("", errors.New("exec format error")),
		"/usr/bin/slow":   func(ctx context.Context) (Result, error) { <-ctx.Done(); return Result{}, ctx.Err() },
	}
	tree := t.TempDir()
	if err := os.MkdirAll(filepath.Join(tree, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	var trials []Trial
	limits := map[string]time.Duration{"slow": time.Millisecond}
	for _, name := range []string{"good", "bad", "fails", "silent", "broken", "slow", "shell", "absent"} {
		trials = append(trials, Trial{
			Program: name, Limit: limits[name],
			Args: func(file string) []string {
				if name == "shell" {
					return []string{"no-such-shell", file}
				}
				return []string{file}
			},
			Judge: func(stdout string) string {
				if stdout == "right" {
					return ""
				}
				return "it prints " + stdout
			},
		})
		if name != "absent" {
			if err := os.WriteFile(filepath.Join(tree, "usr/bin", name), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	h, err := New(tree, runner)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	g := gatherer{h: h, f: &Facts{Unknown: Unknown{}}}
	g.trials(t.Context(), trials)
	want := Failing{
		"bad": "it prints wrong", "fails": "it exits with status 2: invalid option", "silent": "it exits with status 1",
		"broken": "exec format error", "slow": "it does not end within 1ms",
	}
	if diff := cmp.Diff(want, g.f.Failing); diff != "" {
		t.Error(diff)
	}

	g = gatherer{h: h, f: &Facts{Rooted: true}}
	g.trials(t.Context(), trials)
	if g.f.Failing != nil {
		t.Errorf("programs of a directory tree are tried: %v", strings.TrimSpace(g.f.Failing["bad"]))
	}
}
