package preflight

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/payload"
	"fate-installer/payload/count"
)

// systemLibrary is a shared library that a component of an official release takes from the host.
type systemLibrary struct {
	component string
	name      string
	rpm, deb  string   // packages that bring it
	others    []string // the same library under the names of other distributions
	needed    bool     // nothing works without it
}

// systemLibraries are those of FATE's guide. Its releases are built on CentOS 7: Debian's successors call libaio
// differently since its time_t has 64 bits, and OpenSSL 1.0 always.
var systemLibraries = []systemLibrary{
	{"mysql", "libaio.so.1", "libaio", "libaio1 (libaio1t64)", []string{"libaio.so.1t64"}, true},
	{"mysql", "libnuma.so.1", "numactl-libs", "libnuma1", nil, true},
	{"python", "libssl.so.10", "openssl-libs (compat-openssl10)", "libssl1.0.0",
		[]string{"libssl.so.1.0.0", "libssl.so.1.0.2"}, false},
	{"python", "libcrypto.so.10", "openssl-libs (compat-openssl10)", "libssl1.0.0",
		[]string{"libcrypto.so.1.0.0", "libcrypto.so.1.0.2"}, false},
}

// libraries looks for what components do not bring themselves. A stand-in needs nothing.
func (p *preflight) libraries() {
	for _, l := range systemLibraries {
		i := slices.IndexFunc(p.in.Components, func(c payload.Component) bool {
			return l.isNeededBy(c) && slices.Contains(p.s.Components(), c.Name)
		})
		if i < 0 {
			continue
		}
		r := p.check("library:"+l.name, fmt.Sprintf("library %s, for %s", l.name, p.in.Components[i].Name), "installed")
		if r.unknown("libraries") {
			continue
		}
		if dir := p.f.Libraries[l.name]; dir != "" {
			r.measured("in %s", dir).ok()
			continue
		}
		p.missingLibrary(l, r)
	}
	p.otherLibraries()
}

// otherLibraries looks for what else the programs of a component cannot start without, as it was recorded when the
// appliance was built. Without one that a program started here needs, the installation would fail after everything else
// is done; another program of the component may never be used.
func (p *preflight) otherLibraries() {
	for _, c := range p.in.Components {
		if c.Needs == nil || c.StandIn || !slices.Contains(p.s.Components(), c.Name) {
			continue
		}
		var missing []string
		needed := false
		for _, name := range c.Needs.Programs {
			known := func(l systemLibrary) bool { return l.isOf(c.Name) && l.name == name }
			if p.f.Libraries[name] != "" || slices.ContainsFunc(systemLibraries, known) {
				continue
			}
			by := c.Needs.By[name]
			started := slices.IndexFunc(by, func(program string) bool { return isStarted(c.Name, program) })
			needed = needed || started >= 0
			if len(by) > 0 {
				name += " (for " + by[max(started, 0)] + ")"
			}
			missing = append(missing, name)
		}
		r := p.check("libraries:"+c.Name, fmt.Sprintf("libraries that programs of %s start with", c.Name), "installed")
		if r.unknown("libraries") {
			continue
		}
		switch {
		case len(missing) == 0 && len(c.Needs.Programs) == 0:
			r.measured("none is needed").ok()
		case len(missing) == 0:
			r.measured("found: %s", count.Of(len(c.Needs.Programs), "library", "libraries")).ok()
		case needed:
			r.measured("not found: %s", strings.Join(missing, ", "))
			r.refuse("install the packages that bring them from the distribution's medium, and run ldconfig if they " +
				"are not in a default directory")
		default:
			r.measured("not found: %s", strings.Join(missing, ", "))
			r.warn("if a program of %s does not start, install what brings them from the distribution's medium", c.Name)
		}
	}
}

// started are the programs of each component that run all the time, as patterns for their paths in the tree.
var started = map[string][]string{
	"mysql": {cluster.DatabaseServer("mysql")}, "mariadb": {cluster.DatabaseServer("mariadb")}, "jdk": {"bin/java",
		"jre/bin/java"},
	"python": {"bin/python", "bin/python3", "bin/python3.[0-9]*"}, "nginx": {"sbin/nginx"},
}

func isStarted(component, program string) bool {
	return slices.ContainsFunc(started[component], func(pattern string) bool {
		ok, err := path.Match(pattern, program)
		return ok && err == nil
	})
}

func (p *preflight) missingLibrary(l systemLibrary, r *draft) {
	r.measured("not found")
	if link, ok := l.link(p.f); ok {
		r.measured("only as %s", link.Candidates[0]).prepare("libraries:"+l.name, "ln -s %s %s",
			link.Candidates[0], link.Path)
		return
	}
	if l.needed {
		r.refuse("install it from the distribution's medium: %s", l.pkg(p.f.OS.Is("debian")))
		return
	}
	r.warn("if a python package asks for it, install it from the distribution's medium: %s", l.pkg(p.f.OS.Is("debian")))
}

// link is the name for a library that is there under another one.
func (l systemLibrary) link(f *host.Facts) (step.CompatLibrary, bool) {
	for _, other := range l.others {
		if dir := f.Libraries[other]; dir != "" {
			return step.CompatLibrary{Path: path.Join(dir, l.name), Candidates: []string{other}}, true
		}
	}
	return step.CompatLibrary{}, false
}

// compatLibraries are the names that this host's components miss, and another name has.
func compatLibraries(s *cluster.Spec, f *host.Facts, components []payload.Component) []step.CompatLibrary {
	var out []step.CompatLibrary
	for _, l := range systemLibraries {
		wanted := slices.ContainsFunc(components, func(c payload.Component) bool {
			return l.isNeededBy(c) && slices.Contains(s.Components(), c.Name)
		})
		if link, ok := l.link(f); ok && wanted && f.Libraries[l.name] == "" {
			out = append(out, link)
		}
	}
	return out
}

// isNeededBy reports whether a component takes the library from the host. Where that was not recorded when the
// appliance was built, one that has library directories of its own is taken to have been packed with what it needs.
func (l systemLibrary) isNeededBy(c payload.Component) bool {
	switch {
	case !l.isOf(c.Name) || c.StandIn:
		return false
	case c.Needs != nil:
		return slices.Contains(c.Needs.Programs, l.name) || slices.Contains(c.Needs.Modules, l.name)
	}
	return c.Name == l.component && len(c.LibraryPath) == 0
}

// isOf reports whether a component is the one that the guide names, or takes its place.
func (l systemLibrary) isOf(component string) bool {
	return component == l.component || slices.Contains(cluster.DatabaseEngines, component) &&
		slices.Contains(cluster.DatabaseEngines, l.component)
}

// pkg names the package of the distribution's family.
func (l systemLibrary) pkg(debian bool) string {
	if debian {
		return l.deb
	}
	return l.rpm
}
