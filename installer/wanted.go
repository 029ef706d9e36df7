package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/payload"

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

// wanted combines the command line and the stored site, before it is known which host is meant.
type wanted struct {
	g       *globals
	site    deploy.Site
	machine host.Identity
	cluster *cluster.Cluster
}

// readWanted reads cluster files, or makes the cluster of --role alone, or takes what is installed here.
func readWanted(g *globals, peer string) (*wanted, error) {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	defer h.Close()
	asked := func() (deploy.Site, error) { return wantedOptions{peer: peer}.asked(g) }
	site, _, err := deploy.ReadRequest(h, g.Base, asked)
	if err != nil {
		return nil, err
	}
	machine := host.Identify(h)
	cluster, err := site.Cluster(machine)
	if err != nil {
		return nil, err
	}
	return &wanted{g: g, site: site, machine: machine, cluster: cluster}, nil
}

// spec narrows the cluster to one host. Sizes follow this machine only when it is the host that is meant.
func (w *wanted) spec(secrets deploy.Secrets) (*cluster.Spec, error) {
	sel := w.site.Selection(w.g.Base, w.machine, secrets)
	if w.site.IP == "" || slices.Contains(sel.LocalAddrs, w.site.IP) {
		sel.Memory, sel.CPUs = w.machine.Memory, w.machine.CPUs
	}
	spec, err := w.cluster.Spec(sel)
	return spec, exit.With(err, exit.Usage)
}

// versions takes the component versions from --fate-version, else from this file's payload, else from what is
// installed.
func (w *wanted) versions(fateVersion string) error {
	if fateVersion != "" {
		env, versions, err := cluster.Release(fateVersion)
		if err != nil {
			return exit.With(err, exit.Usage)
		}
		w.site.Env, w.site.Components = env, map[string]deploy.Component{}
		for name, version := range versions {
			w.site.Components[name] = deploy.Component{Version: version}
		}
		return nil
	}
	p, err := deploy.OpenPayload(w.g.Payload)
	switch {
	case err == nil:
		w.site.UsePayload(p.Manifest())
		return p.Close()
	case !errors.Is(err, payload.ErrNoPayload):
		return exit.With(err, exit.Payload)
	}
	return nil
}
