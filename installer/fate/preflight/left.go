package preflight

import (
	"path"
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
)

// accounts looks for users and groups that are not what the service user would be.
func (p *preflight) accounts() {
	r := p.check("user", "user "+p.s.User+" can be, or is, the service user", "a user of its own, in group "+p.s.Group)
	if r.unknown("users") || r.unknown("groups") {
		return
	}
	user, exists := p.f.User(p.s.User)
	group, hasGroup := p.f.Group(p.s.Group)
	switch {
	case !exists && hasGroup:
		r.measured("does not exist; group %s does (gid %d)", p.s.Group, group.GID).ok()
	case !exists:
		r.measured("does not exist").ok()
	case user.UID == 0:
		r.measured("uid 0").refuse("choose another name with --user: FATE's processes and every job would be root")
	case user.Remote || hasGroup && group.Remote:
		p.remoteAccounts(r, user, group)
	case hasGroup && user.GID != group.GID:
		r.measured("uid %d, but its group is %d and %s is %d", user.UID, user.GID, p.s.Group, group.GID).
			warn("it works, with files of group %s; to change it: usermod -g %s %s", p.s.Group, p.s.Group, p.s.User)
	default:
		r.measured("uid %d, gid %d", user.UID, user.GID).ok()
	}
}

// remoteAccounts judges accounts of a directory service (LDAP, sssd). The supervisor asks for them as the host's
// programs do, with getent, and so cannot start a program while the service does not answer; a membership cannot be
// changed here.
func (p *preflight) remoteAccounts(r *draft, user host.User, group host.Group) {
	var remote []string
	if user.Remote {
		remote = append(remote, "user "+p.s.User)
	}
	if group.Remote {
		remote = append(remote, "group "+p.s.Group)
	}
	what := strings.Join(remote, " and ")
	switch {
	case group.Name == "" || user.GID != group.GID && !slices.Contains(group.Members, p.s.User):
		r.measured("%s is known to the name service only, and %s is not in group %s", what, p.s.User, p.s.Group).
			refuse("add %s to %s in the directory service, name a group that it is in with --group, or name a local "+
				"user with --user", p.s.User, p.s.Group)
	default:
		r.measured("uid %d, gid %d; %s is known to the name service only", user.UID, group.GID, what).
			warn("programs cannot be started while the name service does not answer, as early at boot; a local " +
				"account has no such need: --user, --group")
	}
}

// directories finds trees of an earlier installation where our components will be.
func (p *preflight) directories() {
	r := p.check("directories", "no directory of another installation", "none below "+p.s.Layout.Project()+
		", or what an uninstall kept")
	if p.in.Installed {
		r.measured("this installation's own").ok()
		return
	}
	var found, kept []string
	for _, name := range p.s.Components() {
		target := p.s.UnpackTarget(name)
		if r.notLookedAt(target) {
			return
		}
		switch fact, ok := p.f.PathFact(target); {
		case !ok || !fact.Exists || fact.Empty:
		case p.in.Kept[target]:
			kept = append(kept, target)
		default:
			found = append(found, target)
		}
	}
	switch {
	case len(found) == 0 && len(kept) == 0:
		r.measured("none").ok()
		return
	case len(found) == 0:
		r.measured("data or edited files of ours, which are kept, in %s", strings.Join(kept, ", ")).ok()
		return
	case len(kept) > 0:
		// Moving the whole project away would take along what was kept.
		r.measured("%s", strings.Join(found, ", ")).protect(harmsTree,
			"move each away, and leave %s, which has data or edited files of ours: mv %s %s.old",
			strings.Join(kept, ", "), found[0], found[0])
		return
	}
	r.measured("%s", strings.Join(found, ", ")).protect(harmsTree, "%s; to install in its place, move it away: mv %s %s.old",
		p.adoption(), commonParent(p.s.Layout, found), commonParent(p.s.Layout, found))
}

// adoption names the command that shows how an installation of AnsibleFATE would be taken over.
func (p *preflight) adoption() string {
	base := ""
	if p.s.Layout.Base != "/data" {
		base = " --base " + p.s.Layout.Base
	}
	return "if AnsibleFATE installed it, see how it would be taken over: fate-installer adopt --plan" + base
}

// harmsTree is why a tree of another installation cannot be waived.
const harmsTree = "another installation's files would be mixed with ours"

// commonParent is the directory to move: the project when everything found is in it, as FATE's guide says, else the
// first.
func commonParent(l cluster.Layout, found []string) string {
	for _, f := range found {
		if !strings.HasPrefix(f, l.Project()+"/") {
			return f
		}
	}
	return l.Project()
}

func (p *preflight) datadir() {
	if !p.s.Runs(cluster.MySQL) {
		return
	}
	data := p.s.Layout.DatabaseData()
	r := p.check("datadir", "no data of another database server", "nothing, or a database of ours, in "+data)
	fact, ok := p.f.PathFact(data)
	mark, marked := p.f.PathFact(datadirMark(p.s))
	if r.notLookedAt(data, datadirMark(p.s)) {
		return
	}
	switch {
	case !ok || !fact.Exists || fact.Empty:
		r.measured("nothing").ok()
	case marked && mark.Exists:
		r.measured("a database of ours, which is kept").ok()
	default:
		r.measured("files that are not ours").protect(
			"a database server would be started on files that are not its own",
			"keep them and move them away: mv %s %s.old", data, data)
	}
}

// optionFiles are where MySQL looks for options unless an option forbids it.
var optionFiles = []string{"/etc/my.cnf", "/etc/mysql/my.cnf"}

// optionFiles reports them although they do no harm: FATE's guide has operators look for them.
func (p *preflight) optionFiles() {
	if !p.s.Runs(cluster.MySQL) {
		return
	}
	r := p.check("my.cnf", "option files of another database server are not read", "none, or not read")
	if r.notLookedAt(optionFiles...) {
		return
	}
	var found []string
	for _, file := range optionFiles {
		if fact, ok := p.f.PathFact(file); ok && fact.Exists {
			found = append(found, file)
		}
	}
	if len(found) == 0 {
		r.measured("none").ok()
		return
	}
	r.measured("%s; our server is started without it", strings.Join(found, ", ")).ok()
}

// programFiles finds program files that another supervisor would start besides ours.
func (p *preflight) programFiles() {
	r := p.check("supervisor-conf", "no program files of another installation",
		"none in "+p.s.Layout.SupervisorPrograms()+", or edited ones that an uninstall kept")
	if p.in.Installed {
		r.measured("this installation's own").ok()
		return
	}
	var found, kept []string
	for _, program := range render.Programs(p.s) {
		if r.notLookedAt(programFile(p.s, program.Name)) {
			return
		}
		switch fact, ok := p.f.PathFact(programFile(p.s, program.Name)); {
		case !ok || !fact.Exists:
		case p.in.Kept[fact.Path]:
			kept = append(kept, path.Base(fact.Path))
		default:
			found = append(found, path.Base(fact.Path))
		}
	}
	switch {
	case len(found) == 0 && len(kept) == 0:
		r.measured("none").ok()
		return
	case len(found) == 0:
		r.measured("%s, edited and kept", strings.Join(kept, ", ")).ok()
		return
	}
	dir := p.s.Layout.Supervisor()
	r.measured("%s", strings.Join(found, ", ")).protect(
		"the files of another installation's supervisor would be replaced",
		"%s; to install in its place, stop that supervisor and move its directory away: mv %s %s.old", p.adoption(),
		dir, dir)
}
