package fate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/host"
	"fate-installer/installer/step"
	"fate-installer/payload"
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
	{"python", "libssl.so.10", "openssl-libs (compat-openssl10)", "libssl1.0.0", []string{"libssl.so.1.0.0", "libssl.so.1.0.2"}, false},
	{"python", "libcrypto.so.10", "openssl-libs (compat-openssl10)", "libssl1.0.0", []string{"libcrypto.so.1.0.0", "libcrypto.so.1.0.2"}, false},
}

// libraries looks for what components do not bring themselves. A stand-in needs nothing.
func (p *preflight) libraries() {
	for _, l := range systemLibraries {
		i := slices.IndexFunc(p.in.Components, l.isNeededBy)
		if i < 0 || !slices.Contains(p.s.Components(), l.component) {
			continue
		}
		r := p.check("library:"+l.name, fmt.Sprintf("library %s, for %s", l.name, l.component), "installed")
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
// appliance was built. Which of its programs that is, is not known, so it is no more than a warning.
func (p *preflight) otherLibraries() {
	for _, c := range p.in.Components {
		if c.Needs == nil || c.StandIn || !slices.Contains(p.s.Components(), c.Name) {
			continue
		}
		var missing []string
		for _, name := range c.Needs.Programs {
			known := func(l systemLibrary) bool { return l.component == c.Name && l.name == name }
			if p.f.Libraries[name] == "" && !slices.ContainsFunc(systemLibraries, known) {
				missing = append(missing, name)
			}
		}
		r := p.check("libraries:"+c.Name, fmt.Sprintf("libraries that programs of %s start with", c.Name), "installed")
		if r.unknown("libraries") {
			continue
		}
		if len(missing) == 0 {
			r.measured("all %d are there", len(c.Needs.Programs)).ok()
			continue
		}
		r.measured("not found: %s", strings.Join(missing, ", "))
		r.warn("if a program of %s does not start, install what brings them from the distribution's medium", c.Name)
	}
}

func (p *preflight) missingLibrary(l systemLibrary, r *draft) {
	r.measured("not found")
	if link, ok := l.link(p.f); ok {
		r.measured("only as %s", link.Candidates[0]).prepare("libraries:"+l.name, "ln -s %s %s", link.Candidates[0], link.Path)
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
func (s *Spec) compatLibraries(f *host.Facts, components []payload.Component) []step.CompatLibrary {
	var out []step.CompatLibrary
	for _, l := range systemLibraries {
		wanted := slices.ContainsFunc(components, l.isNeededBy) && slices.Contains(s.Components(), l.component)
		if link, ok := l.link(f); ok && wanted && f.Libraries[l.name] == "" {
			out = append(out, link)
		}
	}
	return out
}

// isNeededBy reports whether a component takes the library from the host. Where that was not recorded when the appliance
// was built, one that has library directories of its own is taken to have been packed with what it needs.
func (l systemLibrary) isNeededBy(c payload.Component) bool {
	switch {
	case c.Name != l.component || c.StandIn:
		return false
	case c.Needs != nil:
		return slices.Contains(c.Needs.Programs, l.name) || slices.Contains(c.Needs.Modules, l.name)
	}
	return len(c.LibraryPath) == 0
}

// pkg names the package of the distribution's family.
func (l systemLibrary) pkg(debian bool) string {
	if debian {
		return l.deb
	}
	return l.rpm
}
