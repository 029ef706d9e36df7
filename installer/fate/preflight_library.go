package fate

import (
	"fmt"
	"path"
	"slices"

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

// libraries looks for what components do not bring themselves. One that has library directories of its own was packed
// with what it needs, and a stand-in needs nothing.
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
}

func (p *preflight) missingLibrary(l systemLibrary, r *draft) {
	r.measured("not found")
	for _, other := range l.others {
		dir := p.f.Libraries[other]
		if dir == "" {
			continue
		}
		link := path.Join(dir, l.name)
		r.measured("only as %s", other).steps(step.CompatLibrary{Path: link, Candidates: []string{other}}).
			warn("ln -s %s %s", other, link)
		return
	}
	if l.needed {
		r.refuse("install it from the distribution's medium: %s", l.pkg(p.f.OS.Is("debian")))
		return
	}
	r.warn("if a python package asks for it, install it from the distribution's medium: %s", l.pkg(p.f.OS.Is("debian")))
}

// isNeededBy reports whether a component takes the library from the host.
func (l systemLibrary) isNeededBy(c payload.Component) bool {
	return c.Name == l.component && !c.StandIn && len(c.LibraryPath) == 0
}

// pkg names the package of the distribution's family.
func (l systemLibrary) pkg(debian bool) string {
	if debian {
		return l.deb
	}
	return l.rpm
}
