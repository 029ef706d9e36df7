package preflight

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/installer/tools"
)

// workerPrograms are the programs that eggroll's scripts (bin/eggroll_boot.sh, bin/roll_pair/egg_pair_bootstrap.sh)
// cannot do without, what package tools does not have, and what is not on every host that boots, as coreutils are.
var workerPrograms = []string{"bash"}

// optionalPrograms are called by upstream's scripts, too, and what happens without each.
var optionalPrograms = []struct{ name, without string }{
	{"getopt", "a worker's bootstrap log has an error that changes nothing"},
	{"lsof", "upstream's own eggroll.sh and service.sh, which are not used here, do not start"},
}

// programs looks for what eggroll's nodemanager starts and stops its workers with. What package tools has need not be
// on the host.
func (p *preflight) programs() {
	if !render.CallsTools(p.s) {
		return
	}
	r := p.check("programs", "the programs that eggroll's scripts use",
		strings.Join(append(slices.Clone(workerPrograms), tools.Names()...), ", "))
	if r.unknown("programs") {
		return
	}
	missing := p.missingPrograms(workerPrograms)
	if len(missing) > 0 {
		r.measured("missing: %s", strings.Join(missing, ", ")).refuse(
			"install them from the distribution's medium: without them no worker starts")
		return
	}
	notes := p.failingPrograms()
	if own := p.missingPrograms(tools.Names()); len(own) > 0 {
		notes = append(notes, fmt.Sprintf("%s not on this host, fate-installer's own serve instead",
			strings.Join(own, ", ")))
	}
	for _, o := range optionalPrograms {
		if p.f.Programs[o.name] == "" {
			notes = append(notes, fmt.Sprintf("without %s %s", o.name, o.without))
		}
	}
	r.measured("%s", cmp.Or(strings.Join(notes, "; "), "all there")).ok()
}

// failingPrograms says of each program of the host that does not do what eggroll needs what it does instead.
func (p *preflight) failingPrograms() []string {
	var notes []string
	for _, name := range tools.Names() {
		if fault := p.f.Failing[name]; fault != "" {
			notes = append(notes,
				fmt.Sprintf("%s does not do what eggroll needs (%s), fate-installer's own serves instead",
					p.f.Programs[name], fault))
		}
	}
	return notes
}

func (p *preflight) missingPrograms(names []string) []string {
	var missing []string
	for _, name := range names {
		if p.f.Programs[name] == "" {
			missing = append(missing, name)
		}
	}
	return missing
}

// OverriddenTools names the tools of package tools that come before the host's own in the PATH of this host's programs.
// The host's own comes first as long as it does what eggroll needs: ours know little more than that, and jobs may use
// more. In a directory tree nothing can be tried; there the one comes first that busybox has in another form.
func OverriddenTools(s *cluster.Spec, f *host.Facts) []string {
	if !render.CallsTools(s) {
		return nil
	}
	if f.Rooted {
		return []string{"ps"}
	}
	return slices.DeleteFunc(tools.Names(), func(name string) bool { return f.Failing[name] == "" })
}

// queriedPrograms are all that the check of programs looks for.
func queriedPrograms() []string {
	names := append(slices.Clone(workerPrograms), tools.Names()...)
	for _, o := range optionalPrograms {
		names = append(names, o.name)
	}
	return names
}

// ToolLinks lists the links by which the installed program is called as a tool on a host.
func ToolLinks(s *cluster.Spec, f *host.Facts) []render.Link {
	if !render.CallsTools(s) {
		return nil
	}
	var out []render.Link
	for _, name := range tools.Names() {
		out = append(out, render.Link{Path: path.Join(s.Layout.Tools(), name), Target: s.Layout.Binary()})
	}
	for _, name := range OverriddenTools(s, f) {
		out = append(out, render.Link{Path: path.Join(s.Layout.ToolsFirst(), name), Target: s.Layout.Binary()})
	}
	return out
}
