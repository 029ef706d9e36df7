package host

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// managerWait bounds the question to systemd's manager, which answers over its own socket at once.
const managerWait = 3 * time.Second

// managerEnvironment asks for the variables that systemd's manager gives to every service: those of
// DefaultEnvironment=, of the kernel's command line, and of "systemctl set-environment". Only the names are kept, since
// a value may be secret.
func (g *gatherer) managerEnvironment(ctx context.Context) {
	const fact = "environment"
	if g.f.Rooted {
		return
	}
	if g.f.Init != "systemd" || !g.h.Live() {
		g.f.Unknown[fact] = "there is no systemd to ask"
		return
	}
	limited, cancel := context.WithTimeout(ctx, managerWait)
	defer cancel()
	result, err := g.h.Run(limited, Cmd{Args: []string{"systemctl", "show-environment"}, Grace: time.Second})
	if errors.Is(err, ErrNotFound) {
		g.f.Unknown[fact] = "there is no systemctl to ask systemd with"
		return
	}
	if err != nil {
		g.unknown(fact, err)
		return
	}
	g.f.Environment = variableNames(string(result.Stdout))
}

// variableNames gives the sorted names of NAME=value lines.
func variableNames(text string) []string {
	names := []string{}
	for line := range strings.Lines(text) {
		name, _, ok := strings.Cut(line, "=")
		if ok && name != "" && !strings.ContainsAny(name, " \t'\"$") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
