package preflight

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
)

// How specific a line of limits.conf(5) is. pam_limits lets a line win over all less specific ones wherever they
// are, and over one that is as specific when it comes later.
const (
	limitOfUser = iota
	limitOfGroup
	limitOfAll
	limitOfNobody
)

// sessionLimit is the limit that pam_limits sets for sessions of the service user.
type sessionLimit struct {
	soft, hard         uint64
	softLine, hardLine host.SessionLimit // where each is from; no File when nothing sets it
}

// sessionLimit works out a limit as pam_limits does, from lines in its order.
func (p *preflight) sessionLimit(item string, lines []host.SessionLimit) sessionLimit {
	var out sessionLimit
	soft, hard := limitOfNobody, limitOfNobody
	for _, l := range lines {
		level := p.limitLevel(l.Domain)
		value, err := parseLimit(l.Value)
		if l.Item != item || level == limitOfNobody || err != nil {
			continue
		}
		if l.Type != "hard" && level <= soft {
			soft, out.soft, out.softLine = level, value, l
		}
		if l.Type != "soft" && level <= hard {
			hard, out.hard, out.hardLine = level, value, l
		}
	}
	if out.softLine.File != "" && out.hardLine.File != "" && out.soft > out.hard {
		out.soft, out.softLine = out.hard, out.hardLine // as setrlimit wants it
	}
	return out
}

// limitLevel says how specific a line is for the service user.
func (p *preflight) limitLevel(domain string) int {
	user, _ := p.f.User(p.s.User)
	group, inGroup := strings.CutPrefix(domain, "@")
	low, high, isRange := strings.Cut(domain, ":")
	switch {
	case domain == "*":
		return limitOfAll
	case domain == p.s.User:
		return limitOfUser
	case inGroup && p.inGroup(user, group):
		return limitOfGroup
	case isRange && user.Name != "" && inRange(user.UID, low, high):
		return limitOfUser
	}
	return limitOfNobody
}

// inGroup reports whether the service user is, or will be, in a group.
func (p *preflight) inGroup(user host.User, name string) bool {
	if name == p.s.Group {
		return true
	}
	g, ok := p.f.Group(name)
	return ok && (user.Name != "" && user.GID == g.GID || slices.Contains(g.Members, p.s.User))
}

// inRange reads the numbers of 1000:2000, 1000: and :1000, the last of which means that one uid alone.
func inRange(id int, low, high string) bool {
	from, err1 := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	switch {
	case low == "":
		return err2 == nil && id == to
	case high == "":
		return err1 == nil && id >= from
	}
	return err1 == nil && err2 == nil && id >= from && id <= to
}

func parseLimit(text string) (uint64, error) {
	switch text {
	case "unlimited", "infinity", "-1":
		return host.Unlimited, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

// withOurs puts the lines that install writes where pam_limits will read them.
func (p *preflight) withOurs() []host.SessionLimit {
	ours := limits(p.s)
	lines := slices.DeleteFunc(slices.Clone(p.f.SessionLimits),
		func(l host.SessionLimit) bool { return l.File == ours.Path })
	at := slices.IndexFunc(lines, func(l host.SessionLimit) bool {
		return path.Dir(l.File) == host.LimitsDir &&
			l.File > ours.Path
	})
	if at < 0 {
		at = len(lines)
	}
	var own []host.SessionLimit
	for i, e := range ours.Entries {
		own = append(own, host.SessionLimit{File: ours.Path, Line: i + 1, Domain: e.Domain, Type: e.Type,
			Item: e.Item, Value: e.Value})
	}
	return slices.Insert(lines, at, own...)
}

// overruled names a line that keeps sessions of the service user below what is wanted although install writes its
// own; blank when there is none.
func (p *preflight) overruled(item string, wanted uint64) (line host.SessionLimit, found bool) {
	if p.s.OS.Limits == cluster.PolicyKeep {
		return line, false
	}
	limit := p.sessionLimit(item, p.withOurs())
	switch {
	case limit.hard < wanted:
		return limit.hardLine, true
	case limit.soft < wanted:
		return limit.softLine, true
	}
	return line, false
}

// limits are those that sessions get, by pam_limits, and this session has. The programs get theirs from the
// supervisor, so that only a hard limit which root may not raise would matter to them, and that shows nowhere but
// in a container.
func (p *preflight) limits() {
	for _, l := range []struct{ name, title, wanted string }{
		{"nofile", "enough open files per process", render.LimitFiles},
		{"nproc", "enough processes per user", render.LimitProcesses},
	} {
		r := p.check("limit:"+l.name, l.title, l.wanted)
		wanted, err := strconv.ParseUint(l.wanted, 10, 64)
		if err == nil {
			if line, found := p.overruled(l.name, wanted); found {
				r.measured(`"%s %s %s %s" in %s, line %d, wins over what install writes to %s`, line.Domain,
					line.Type, line.Item, line.Value,
					line.File, line.Line, limits(p.s).Path).
					warn("FATE's programs get %s from the supervisor, but sessions of %s do not: write %s in that "+
						"line, or remove it", l.wanted, p.s.User, l.wanted)
				continue
			}
		}
		if r.unknown("limits") || r.unknown("session limits") {
			continue
		}
		have, ok := p.f.Limit(l.name)
		switch {
		case err != nil || !ok:
			r.measured("not known").end(StatusSkipped)
		case p.f.Unraisable[l.name] != "" && have.Hard < wanted:
			r.measured("%s; raising it is not allowed here (%s), and FATE's programs have no more", limitText(have),
				p.f.Unraisable[l.name]).
				warn("raise it where this container is started, as docker run --ulimit %s=%s or LimitNOFILE= of its "+
					"unit do", l.name, l.wanted)
		case l.name == "nofile" && p.fewFiles(wanted) != "":
			r.measured("%s", p.fewFiles(wanted)).warn(
				"raise the limit of the container, or of the supervisor's unit, and restart the programs: " +
					"fate-installer svc restart all")
		case have.Hard >= wanted:
			r.measured("%s", limitText(have)).ok()
		case p.in.Installed && p.s.OS.Limits != cluster.PolicyKeep:
			r.measured("%s, of this session; new ones of %s have %s", limitText(have), p.s.User, l.wanted).ok()
		default:
			r.measured("%s", limitText(have)).prepare("limits",
				"FATE's programs get %s from the supervisor, but sessions of %s do not: raise it in "+
					"/etc/security/limits.conf", l.wanted, p.s.User)
		}
	}
}

// fewFiles names a running program of this installation that may open fewer files than wanted; blank when there is
// none.
func (p *preflight) fewFiles(wanted uint64) string {
	for _, process := range p.f.Processes {
		if p.in.Installed && process.Files > 0 && process.Files < wanted && !process.Contained &&
			!p.isSupervisor(process) && p.isOurs(process) {
			return fmt.Sprintf("%s (pid %d) has %d", process.Name, process.PID, process.Files)
		}
	}
	return ""
}

func limitText(l host.Limit) string {
	text := func(n uint64) string {
		if n == host.Unlimited {
			return "unlimited"
		}
		return strconv.FormatUint(n, 10)
	}
	return fmt.Sprintf("soft %s, hard %s", text(l.Soft), text(l.Hard))
}
