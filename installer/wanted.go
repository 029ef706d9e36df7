package main

import (
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"

	"github.com/spf13/pflag"
)

// wantedOptions are the flags, besides the common ones, that say what a host is to be.
type wantedOptions struct {
	peer   string
	skipOS []string // policies of os:, or the words all and none
}

func (o *wantedOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.peer, "peer", "", "default route `IP:PORT[:secure]`, when there is no cluster file")
	f.StringSliceVar(&o.skipOS, "skip-os", nil, "leave `IDS` of the operating system as they are: "+
		strings.Join(cluster.OSPolicies(), ", ")+"; alone it means all of them, and none takes an earlier one back")
	f.Lookup("skip-os").NoOptDefVal = skipAll
	takesWords(f, "skip-os", append(cluster.OSPolicies(), skipAll, skipNone)...)
}

const skipAll, skipNone = "all", "none"

// skipped checks and resolves the words of --skip-os. It is nil when the flag was not given.
func (o wantedOptions) skipped() ([]string, error) {
	known := cluster.OSPolicies()
	switch {
	case o.skipOS == nil:
		return nil, nil
	case slices.Equal(o.skipOS, []string{skipAll}):
		return known, nil
	case slices.Equal(o.skipOS, []string{skipNone}):
		return []string{}, nil
	}
	for _, id := range o.skipOS {
		if !slices.Contains(known, id) {
			return nil, exit.Hint(fmt.Errorf("cannot skip %q: there is no such part of the preparation", id),
				"--skip-os takes "+strings.Join(known, ", "))
		}
	}
	return o.skipOS, nil
}

// asked is what the common flags and o say about this host. It reads the cluster files.
func (o wantedOptions) asked(g *globals) (deploy.Site, error) {
	sources, err := readSources(g)
	if err != nil {
		return deploy.Site{}, err
	}
	skipped, err := o.skipped()
	if err != nil {
		return deploy.Site{}, err
	}
	return deploy.Site{Schema: deploy.SiteSchema, Role: cluster.Role(g.Role), Party: g.Party, IP: g.IP, User: g.User,
		Group: g.Group, Peer: o.peer, Sources: sources, SkipOS: skipped}, nil
}
