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
	"fate-installer/installer/step"
)

// longestSocket is the longest path that fits into sockaddr_un's sun_path before its final zero, in bytes.
const longestSocket = 107

// sockets refuses a base directory so long that a program cannot make its socket below it.
func (p *preflight) sockets() {
	longest := p.s.Layout.SupervisorSocket()
	if p.s.Runs(cluster.MySQL) && len(render.DatabaseSocket(p.s)) > len(longest) {
		longest = render.DatabaseSocket(p.s)
	}
	r := p.check("socket-path", "the paths of sockets below "+p.s.Layout.Base+" are short enough",
		fmt.Sprintf("at most %d bytes", longestSocket)).
		measured("%d bytes", len(longest))
	if over := len(longest) - longestSocket; over > 0 {
		r.measured("%s has %d bytes", longest, len(longest)).final("choose a --base that is shorter by %d", over)
		return
	}
	r.ok()
}

// passable refuses a base directory that the service user cannot reach what is below it through.
func (p *preflight) passable() {
	r := p.check("base-access", "user "+p.s.User+" can reach what is below "+p.s.Layout.Base,
		"execute permission on every directory to it")
	dirs, ended := r.existingAboveBase()
	if ended {
		return
	}
	for _, fact := range dirs {
		dir := fact.Path
		if !p.canPass(fact.UID, fact.GID, fact.Mode) {
			r.measured("%s belongs to %s, mode %04o", dir, p.userName(fact.UID), fact.Mode).refuse("chmod o+x %s", dir)
			return
		}
		for _, w := range fact.Way {
			if !p.canPass(w.UID, w.GID, w.Mode) {
				r.measured("%s leads through %s, which belongs to %s, mode %04o", dir, w.Path,
					p.userName(w.UID), w.Mode).
					refuse("chmod o+x %s", w.Path)
				return
			}
		}
	}
	r.measured("all can be passed").ok()
}

// canPass reports whether the service user, who may not exist yet, has execute permission on a directory.
func (p *preflight) canPass(uid, gid int, mode uint32) bool {
	const forOwner, forGroup, forOthers = 0o100, 0o010, 0o001
	user, exists := p.f.User(p.s.User)
	if exists && uid == user.UID {
		return mode&forOwner != 0
	}
	inGroup := slices.ContainsFunc(p.f.Groups, func(g host.Group) bool {
		return g.GID == gid &&
			p.inGroup(user, g.Name)
	})
	if inGroup || exists && user.GID == gid {
		return mode&forGroup != 0
	}
	return mode&forOthers != 0
}

// links refuses links to nothing on the way to what is installed: mostly the disk that they lead to is not mounted, and
// what would be made there would be on another.
func (p *preflight) links() {
	r := p.check("links", "no directory of the installation is a link to nothing", "a directory, or nothing")
	seen := map[string]bool{}
	for _, fact := range p.f.Paths {
		if fact.Broken == "" || seen[fact.Broken] || fact.Broken != p.s.Layout.Base &&
			!strings.HasPrefix(fact.Path, p.s.Layout.Base+"/") &&
			!slices.Contains(aboveBase(p.s.Layout), fact.Broken) {
			continue
		}
		seen[fact.Broken] = true
		r.measured("%s is a link to %s, which does not exist", fact.Broken, fact.Target).
			final("mount the disk that %s is on, or make that directory, or remove the link %s",
				fact.Target, fact.Broken)
		return
	}
	for _, fact := range p.f.Paths {
		if strings.HasPrefix(fact.Path, p.s.Layout.Base) && r.notLookedAt(fact.Path) {
			return
		}
	}
	r.measured("none is").ok()
}

// written lists the files of the system and the directories that install writes to.
func written(s *cluster.Spec) []string {
	out := []string{s.Layout.Base, s.Layout.Projects(), s.Layout.Data(), s.Layout.Logs(),
		path.Dir(s.Layout.Binary()), "/etc", systemdUnits, systemdUnits + "/multi-user.target.wants", host.LimitsDir,
		"/etc/sysctl.d", "/etc/sudoers.d", "/etc/init.d", "/etc/init", "/etc/hosts", "/etc/hostname", "/etc/fstab",
		"/etc/selinux/config"}
	return append(out, step.AccountFiles()...)
}

const systemdUnits = "/etc/systemd/system"

// writable refuses files and directories in which not even root can write, before the first change. What is not to be
// done there is not asked of them, and mountOptions refuses file systems of the base that are read-only. On an
// installed host only a repair or the uninstall will write there.
func (p *preflight) writable() {
	seen := map[string]bool{}
	for _, file := range written(p.s) {
		fact, ok := p.f.PathFact(file)
		if !ok || !p.writesTo(file, fact) || seen[fact.Ancestor] && fact.Ancestor != file {
			continue
		}
		why := fact.Unwritable
		switch {
		case fact.Guard == "i":
			why = "immutable (lsattr shows i)"
		case fact.Guard == "a":
			why = "append-only (lsattr shows a)"
		case why == "" && fact.ReadOnly() && (file == p.s.Layout.Base || strings.HasPrefix(file, p.s.Layout.Base+"/")):
			continue
		case why == "" && fact.ReadOnly():
			why = "read-only file system"
		}
		if why == "" && file != path.Dir(p.s.Layout.Binary()) {
			continue // one line says that all is well
		}
		seen[fact.Ancestor] = true
		r := p.check("writable:"+file, "root can write to "+file, "it can be written").measured("it can be written")
		if why == "" {
			if !r.notLookedAt(file) {
				r.ok()
			}
			continue
		}
		remedy := fmt.Sprintf("chattr -%s %s: it is marked so that root cannot change it",
			cmp.Or(fact.Guard, "i"), fact.Ancestor)
		if fact.ReadOnly() {
			remedy = fmt.Sprintf("mount -o remount,rw %s (and in /etc/fstab); install needs it", fact.Mount)
		}
		r.measured("%s: %s", fact.Ancestor, why)
		if p.in.Installed {
			r.warn("a repair or an uninstall cannot write there: %s", remedy)
			continue
		}
		r.final("%s", remedy)
	}
}

// prepares reports whether install makes a preparation whose ID begins with a prefix.
func (p *preflight) prepares(prefix string) bool {
	return slices.ContainsFunc(p.prepared, func(x Preparation) bool { return strings.HasPrefix(x.ID(), prefix) })
}

// writesTo reports whether install writes to a file or directory.
func (p *preflight) writesTo(file string, fact host.PathFact) bool {
	user, hasUser := p.f.User(p.s.User)
	switch file {
	case systemdUnits, systemdUnits + "/multi-user.target.wants":
		return p.f.Boot == host.BootSystemd
	case "/etc/init.d":
		return fact.Exists && (p.f.Boot == host.BootSystemV || p.f.Boot == host.BootOpenRC)
	case "/etc/init":
		return fact.Exists && p.f.Boot == host.BootUpstart
	case host.LimitsDir:
		return p.prepares("limits")
	case "/etc/sysctl.d":
		return p.prepares("sysctl:")
	case "/etc/sudoers.d":
		return fact.Exists && p.prepares("sudoers")
	case "/etc/hosts":
		return fact.Exists && p.prepares("hosts:")
	case "/etc/hostname":
		return fact.Exists && p.prepares("hostname")
	case "/etc/fstab":
		return fact.Exists && p.prepares("swap")
	case "/etc/selinux/config":
		return fact.Exists && p.prepares("selinux") && p.f.SELinux == "enforcing"
	case "/etc/passwd", "/etc/shadow", "/etc/subuid", "/etc/subgid":
		return fact.Exists && !hasUser
	case "/etc/group", "/etc/gshadow":
		return fact.Exists && (!hasUser || !p.inNamedGroup(user))
	}
	return true
}

// inNamedGroup reports whether the user is in the group that it is to have.
func (p *preflight) inNamedGroup(user host.User) bool {
	g, ok := p.f.Group(p.s.Group)
	return ok && (user.GID == g.GID || slices.Contains(g.Members, user.Name))
}

// supervisorLoads refuses files in the supervisor's directory with which its configuration cannot be used: it would
// not start, and nothing with it.
func (p *preflight) supervisorLoads() {
	r := p.check("supervisor-load", "the supervisor can use the files in "+p.s.Layout.SupervisorPrograms(),
		"no mistakes, and no program defined twice")
	if r.unknown("supervisor files") {
		return
	}
	if faults := p.in.SupervisorFaults; len(faults) > 0 {
		r.measured("%s", strings.Join(faults,
			"; ")).refuse("correct the file, or move it to a name that does not end in .conf")
		return
	}
	r.measured("it can").ok()
}
