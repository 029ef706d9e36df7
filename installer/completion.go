package main

import (
	"slices"
	"strconv"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/report"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completionTime bounds how long a shell waits for what another program knows.
const completionTime = 2 * time.Second

// offer finds words for the shell. It looks, and changes nothing; without words it says nothing.
type offer func(g *globals, cmd *cobra.Command) []string

// argumentsOf says what is offered for the arguments of commands, each with the number of arguments that it is for.
var argumentsOf = map[string]struct {
	most  int // 0: any number
	offer offer
}{
	"bundle extract": {1, offerComponents},
	"history show":   {1, offerHistory},
	"party remove":   {0, offerPeers},
	"party test":     {0, offerPeers},
}

// valuesOf says what is offered for the values of flags, wherever they are.
var valuesOf = map[string]offer{
	"party": offerSides, "guest": offerParties, "host": offerParties,
	"fate-version": func(*globals, *cobra.Command) []string {
		return cluster.Releases()
	},
}

// directoryFlags take the name of a directory.
var directoryFlags = []string{"base", "root", "cache", "backups"}

// completeValues offers words for the arguments and flags of the commands below root, besides those of completeWords.
func completeValues(g *globals, root *cobra.Command) {
	var walk func(cmd *cobra.Command, path string)
	walk = func(cmd *cobra.Command, path string) {
		if a, ok := argumentsOf[path]; ok {
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) (
				[]string, cobra.ShellCompDirective) {
				if a.most > 0 && len(args) >= a.most {
					return nil, cobra.ShellCompDirectiveDefault
				}
				words := a.offer(g, cmd)
				return slices.DeleteFunc(words, func(w string) bool { return slices.Contains(args, w) }),
					cobra.ShellCompDirectiveNoFileComp
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { completeFlag(g, cmd, f) })
		for _, sub := range cmd.Commands() {
			name := sub.Name()
			if path != "" {
				name = path + " " + name
			}
			walk(sub, name)
		}
	}
	walk(root, "")
}

func completeFlag(g *globals, cmd *cobra.Command, f *pflag.Flag) {
	if cmd.HasParent() && cmd.Root().PersistentFlags().Lookup(f.Name) == f {
		return // completed with the root command
	}
	if cmd.HasParent() && cmd.Name() == "init" { // its values are addresses that are not written anywhere yet
		return
	}
	words, known := valuesOf[f.Name]
	switch {
	case f.Name == "waive":
		_ = cmd.RegisterFlagCompletionFunc(f.Name, completeWaivers) // it fails only for a flag that has one
	case slices.Contains(directoryFlags, f.Name):
		_ = cmd.MarkFlagDirname(f.Name) // fails only for a flag that is not there
	case known:
		_ = cmd.RegisterFlagCompletionFunc(f.Name, func(cmd *cobra.Command, _ []string, _ string) (
			[]string, cobra.ShellCompDirective) {
			return words(g, cmd), cobra.ShellCompDirectiveNoFileComp
		})
	}
}

// completeWaivers offers the kinds of checks; the reason follows after the equals sign.
func completeWaivers(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var words []string
	for _, kind := range report.Kinds() {
		words = append(words, kind+"=")
	}
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// offerComponents lists what the appliance of --from or --payload carries, or this file.
func offerComponents(g *globals, cmd *cobra.Command) []string {
	from := *g
	if file := cmd.Flags().Lookup("from").Value.String(); file != "" {
		from.Payload = file
	}
	p, err := deploy.OpenPayload(from.Payload)
	if err != nil {
		return nil
	}
	defer p.Close()
	names := []string{"all"}
	for _, c := range p.Manifest().Components {
		names = append(names, c.Name)
	}
	return names
}

// offerHistory lists the entries of the history, the latest first. A tree has none.
func offerHistory(g *globals, _ *cobra.Command) []string {
	if g.inTree() {
		return nil
	}
	_, entries, err := readHistory(g)
	if err != nil {
		return nil
	}
	var ids []string
	for _, e := range slices.Backward(entries) {
		ids = append(ids, e.ID)
	}
	return ids
}

// offerPeers lists the parties of the route table of this side, without its own.
func offerPeers(g *globals, _ *cobra.Command) (ids []string) {
	asked, ok := g.forCompletion()
	if !ok {
		return nil
	}
	_, spec, err := (&specOptions{}).read(asked)
	if err != nil {
		return nil
	}
	for _, r := range spec.PartyRoutes() {
		if _, err := strconv.Atoi(r.Party); err == nil && !r.Own && !slices.Contains(ids, r.Party) {
			ids = append(ids, r.Party)
		}
	}
	return ids
}

// offerSides lists the parties of the sides in the cluster files that are named, or of the installation.
func offerSides(g *globals, _ *cobra.Command) (ids []string) {
	asked, ok := g.forCompletion()
	if !ok {
		return nil
	}
	w, err := readWanted(asked, "")
	if err != nil {
		return nil
	}
	for _, side := range w.cluster.Sides() {
		if side.PartyID != 0 {
			ids = append(ids, side.ID())
		}
	}
	return ids
}

// offerParties lists the parties that a job can be between.
func offerParties(g *globals, cmd *cobra.Command) []string {
	ids := append(offerSides(g, cmd), offerPeers(g, cmd)...)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// forCompletion is the command line that is being completed. Its flags were parsed more than once. Standard input is
// not read: the shell waits.
func (g *globals) forCompletion() (*globals, bool) {
	asked := *g
	asked.Config = nil
	for _, file := range g.Config {
		if !slices.Contains(asked.Config, file) {
			asked.Config = append(asked.Config, file)
		}
	}
	return &asked, !slices.Contains(g.Config, "-")
}
