package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestProbesBuildWhatTheyNeed: a probe builds no command but probes, and understands the command line as the whole tree
// does.
func TestProbesBuildWhatTheyNeed(t *testing.T) {
	whole := newRootCommand(&globals{})
	svc, _, err := whole.Find([]string{"svc"})
	if err != nil {
		t.Fatal(err)
	}
	probes := 0
	for _, want := range svc.Commands() {
		if !strings.HasPrefix(want.Name(), "probe-") {
			continue
		}
		probes++
		root := rootFor(&globals{}, []string{"svc", want.Name(), "--help"})
		got, _, err := root.Find([]string{"svc", want.Name()})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := flagsOf(got), flagsOf(want); got.CommandPath() != want.CommandPath() || !slices.Equal(a, b) {
			t.Errorf("%s takes %q, in the whole tree %s takes %q", got.CommandPath(), a, want.CommandPath(), b)
		}
		if slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == "install" }) {
			t.Errorf("%s builds install", got.CommandPath())
		}
	}
	if probes == 0 {
		t.Error("svc has no probes")
	}
	for _, args := range [][]string{nil, {"svc"}, {"svc", "status"}, {"svc", "probe-nothing"}, {"--lang", "zh", "svc"}} {
		if _, _, err := rootFor(&globals{}, args).Find([]string{"install"}); err != nil {
			t.Errorf("%q has no whole tree: %v", args, err)
		}
	}
}

// flagsOf are the names and defaults of the flags of a command.
func flagsOf(cmd *cobra.Command) (flags []string) {
	add := func(f *pflag.Flag) { flags = append(flags, f.Name+"="+f.DefValue) }
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return flags
}
