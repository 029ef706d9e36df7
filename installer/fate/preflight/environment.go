package preflight

import (
	"slices"
	"strings"

	"fate-installer/supervisor"
)

// environment shows which variables of systemd's manager FATE's programs do not get. It is never bad: a proxy, or the
// options of a monitoring agent, would keep jobs from running, and pass_environment is for those that are meant.
func (p *preflight) environment() {
	r := p.check("environment", "FATE's programs start with a clean environment",
		"no variables of systemd's manager but those that the cluster file names")
	r.Shown = true
	if p.f.Rooted {
		r.measured("a directory tree has no systemd to ask").end(StatusSkipped)
		return
	}
	if r.unknown("environment") {
		return
	}
	var left, passed []string
	for _, name := range p.f.Environment {
		switch {
		case slices.Contains(p.s.OS.PassEnvironment, name):
			passed = append(passed, name)
		case !supervisor.Inherited(name):
			left = append(left, name)
		}
	}
	var parts []string
	if len(left) > 0 {
		parts = append(parts, "of systemd's manager they do not get "+strings.Join(left, ", ")+
			" (os: {pass_environment: ["+left[0]+"]} passes one on)")
	}
	if len(passed) > 0 {
		parts = append(parts, "os.pass_environment passes on "+strings.Join(passed, ", "))
	}
	if len(parts) == 0 {
		r.Shown = false
		parts = []string{"systemd's manager has no variables to leave out"}
	}
	r.measured("%s", strings.Join(parts, "; ")).ok()
}
