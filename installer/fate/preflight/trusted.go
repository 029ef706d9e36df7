package preflight

import (
	"fmt"
	"path"
	"slices"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
)

// RootPaths lists the files and directories below the base that root runs, sources, obeys or writes its own records to.
// They belong to root, and so does every directory from the base to them, all closed to others: who could rename one of
// them could have root run anything. SECURITY.md has the same list in words.
func RootPaths(s *cluster.Spec) []string {
	l := s.Layout
	out := []string{
		l.SupervisorConf(), l.SupervisorPrograms(), l.SupervisorRun(), l.SupervisorSocket(),
		path.Dir(l.SupervisorLog()),
		l.ServiceScript(), l.State(), l.Secrets(),
	}
	if render.CallsTools(s) { // links to the installed program, on the PATH of the service user's programs
		out = append(out, l.Tools(), l.ToolsFirst())
	}
	for _, p := range render.Programs(s) {
		out = append(out, path.Join(l.SupervisorPrograms(), p.Name+".conf"))
	}
	return out
}

// aboveBase lists the base directory and all above it but the root, outermost first.
func aboveBase(l cluster.Layout) []string {
	var out []string
	for dir := path.Clean(l.Base); dir != "/" && dir != "."; dir = path.Dir(dir) {
		out = append(out, dir)
	}
	slices.Reverse(out)
	return out
}

// baseOwner refuses a base directory that a user other than root can replace. AnsibleFATE's
// guide gives /data to the service user.
func (p *preflight) baseOwner() {
	title := "only root can rename what root runs below " + p.s.Layout.Base
	r := p.check("base-owner", title, "root, not writable by others")
	dirs, ended := r.existingAboveBase()
	if ended {
		return
	}
	for _, dir := range dirs {
		if dir.UID != 0 || dir.Mode&0o022 != 0 {
			r.measured("%s belongs to %s, mode %04o", dir.Path, p.userName(dir.UID), dir.Mode).
				refuse("chown root:root %s; chmod go-w %s", dir.Path, dir.Path)
			return
		}
	}
	r.ok()
}

// existingAboveBase gives the directories of aboveBase that exist. It ends the check where their owners are not known.
func (r *draft) existingAboveBase() (dirs []host.PathFact, ended bool) {
	if r.p.f.Rooted {
		r.measured("owners of a tree are recorded").end(StatusSkipped)
		return nil, true
	}
	above := aboveBase(r.p.s.Layout)
	if r.notLookedAt(above...) {
		return nil, true
	}
	for _, dir := range above {
		if fact, ok := r.p.f.PathFact(dir); ok && fact.Exists {
			dirs = append(dirs, fact)
		}
	}
	return dirs, false
}

func (p *preflight) userName(uid int) string {
	for _, u := range p.f.Users {
		if u.UID == uid {
			return u.Name
		}
	}
	return fmt.Sprintf("uid %d", uid)
}
