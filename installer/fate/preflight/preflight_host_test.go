package preflight

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
)

// limitLines reads lines of limits.conf(5), each after the name of its file.
func limitLines(text string) []host.SessionLimit {
	var out []host.SessionLimit
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		out = append(out, host.SessionLimit{File: f[0], Line: len(out) + 1, Domain: f[1], Type: f[2], Item: f[3],
			Value: f[4]})
	}
	return out
}

// TestPreflightFindsWhatWouldFailLater changes one thing at a time on a host on which all is well: each of them
// made an installation fail that the checks had let pass.
func TestPreflightFindsWhatWouldFailLater(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	long := *s
	long.Layout.Base = "/" + strings.Repeat("d", 60)
	limits := func(lines string) func(*host.Facts) {
		return func(f *host.Facts) { f.SessionLimits = limitLines(lines) }
	}
	inLDAP := func(gid, group int, members ...string) func(*host.Facts) {
		return func(f *host.Facts) {
			f.Users = []host.User{{Name: "app", UID: 7001, GID: gid, Remote: true}}
			f.Groups = []host.Group{{Name: "apps", GID: group, Members: members, Remote: true}}
		}
	}
	for name, c := range map[string]struct {
		s                *cluster.Spec
		change           func(*host.Facts)
		id               string
		status           Status
		measured, remedy string
	}{
		"base closed": {s, func(f *host.Facts) {
			pathOf(f, "/data").Exists, pathOf(f, "/data").Mode = true,
				0o700
		}, "base-access", StatusRefused, "/data belongs to uid 0, mode 0700", "chmod o+x /data"},
		"base for all": {s, func(f *host.Facts) {
			pathOf(f, "/data").Exists, pathOf(f, "/data").Mode = true,
				0o711
		}, "base-access", StatusOK, "", ""},
		"base for its group": {s, func(f *host.Facts) {
			*pathOf(f, "/data") = host.PathFact{Path: "/data", Exists: true, Mode: 0o750, GID: 6000}
			f.Groups = []host.Group{{Name: "apps", GID: 6000}}
		}, "base-access", StatusOK, "", ""},
		"base for other group": {s, func(f *host.Facts) {
			*pathOf(f, "/data") = host.PathFact{Path: "/data", Exists: true, Mode: 0o750, GID: 6001}
			f.Groups = []host.Group{{Name: "apps", GID: 6000}}
		}, "base-access", StatusRefused, "mode 0750", "chmod o+x /data"},
		"a link to nothing": {s, func(f *host.Facts) {
			*pathOf(f, "/data/projects") = host.PathFact{Path: "/data/projects", Ancestor: "/", Broken: "/data",
				Target: "/disk2/data"}
		}, "links", StatusRefused, "/data is a link to /disk2/data, which does not exist",
			"mount the disk that /disk2/data is on"},
		"a link through a closed directory": {s, func(f *host.Facts) {
			*pathOf(f, "/data") = host.PathFact{Path: "/data", Exists: true, Mode: 0o755,
				Way: []host.PathWay{{Path: "/mnt", Mode: 0o755}, {Path: "/mnt/own", Mode: 0o700},
					{Path: "/mnt/own/data", Mode: 0o755}}}
		}, "base-access", StatusRefused, "/data leads through /mnt/own, which belongs to uid 0, mode 0700",
			"chmod o+x /mnt/own"},
		"base long": {&long, func(*host.Facts) {}, "socket-path", StatusRefused, "has 1",
			"choose a --base that is shorter by"},
		"base as long as it may": {s, func(*host.Facts) {}, "socket-path", StatusOK, "bytes", ""},
		"bin on a read-only disk": {s, func(f *host.Facts) {
			*pathOf(f, "/usr/local/bin") = host.PathFact{Path: "/usr/local/bin", Ancestor: "/usr/local/bin",
				Mount: "/usr", Options: []string{"ro"}, Unwritable: "read-only file system"}
		}, "writable:/usr/local/bin", StatusRefused, "/usr/local/bin: read-only file system",
			"mount -o remount,rw /usr"},
		"bin immutable": {s, func(f *host.Facts) {
			*pathOf(f, "/usr/local/bin") = host.PathFact{Path: "/usr/local/bin", Ancestor: "/usr/local", Mount: "/",
				Unwritable: "operation not permitted"}
		}, "writable:/usr/local/bin", StatusRefused, "/usr/local: operation not permitted", "chattr -i /usr/local"},
		"units read-only": {s, func(f *host.Facts) {
			*pathOf(f, "/etc/systemd/system") = host.PathFact{Path: "/etc/systemd/system",
				Ancestor: "/etc/systemd/system", Mount: "/etc", Options: []string{"ro"}}
		}, "writable:/etc/systemd/system", StatusRefused, "read-only", "remount,rw /etc"},
		"accounts immutable": {s, func(f *host.Facts) {
			*pathOf(f, "/etc/shadow") = host.PathFact{Path: "/etc/shadow", Ancestor: "/etc/shadow",
				Exists: true, Guard: "i"}
			f.Users = nil
		}, "writable:/etc/shadow", StatusRefused, "/etc/shadow: immutable", "chattr -i /etc/shadow"},
		"base immutable": {s, func(f *host.Facts) {
			*pathOf(f, "/data") = host.PathFact{Path: "/data", Ancestor: "/data", Exists: true,
				Unwritable: "operation not permitted", Guard: "i"}
		}, "writable:/data", StatusRefused, "/data: immutable", "chattr -i /data"},
		"hosts append-only": {s, func(f *host.Facts) {
			*pathOf(f, "/etc/hosts") = host.PathFact{Path: "/etc/hosts", Ancestor: "/etc/hosts",
				Exists: true, Guard: "a"}
			f.Hostname = host.Hostname{Name: "h"}
		}, "writable:/etc/hosts", StatusRefused, "/etc/hosts: append-only", "chattr -a /etc/hosts"},
		"bin fine": {s, func(*host.Facts) {}, "writable:/usr/local/bin", StatusOK, "", ""},

		"a later file wins": {s, limits("/etc/security/limits.d/zz-site.conf app - nofile 4096"),
			"limit:nofile", StatusWarning,
			`"app - nofile 4096" in /etc/security/limits.d/zz-site.conf, line 1, wins over what install writes to /etc/security/limits.d/90-fate.conf`, "write 65535 in that line"},
		"only its soft limit": {s, limits("/etc/security/limits.d/zz.conf app soft nofile 1024"),
			"limit:nofile", StatusWarning, "app soft nofile 1024", "65535"},
		"an earlier file loses": {s, limits("/etc/security/limits.d/20-site.conf app - nofile 4096"),
			"limit:nofile", StatusOK, "", ""},
		"limits.conf loses": {s, limits("/etc/security/limits.conf app - nofile 4096"), "limit:nofile",
			StatusOK, "", ""},
		"a later one for all loses": {s, limits("/etc/security/limits.d/zz.conf * - nofile 1024"), "limit:nofile",
			StatusOK, "", ""},
		"a later one of the group": {s, limits("/etc/security/limits.d/zz.conf @apps - nproc 1024"),
			"limit:nproc", StatusOK, "", ""},
		"a later one for other users": {s, limits("/etc/security/limits.d/zz.conf other - nofile 1024"),
			"limit:nofile", StatusOK, "", ""},
		"a later one that is enough": {s, limits("/etc/security/limits.d/zz.conf app - nofile unlimited"),
			"limit:nofile", StatusOK, "", ""},
		"bytes, not letters, sort": {s, limits("/etc/security/limits.d/9-site.conf app - nofile 1024"),
			"limit:nofile", StatusOK, "", ""},

		"user of the name service": {s, inLDAP(6000, 6000), "user", StatusWarning,
			"uid 7001, gid 6000; user app and group apps is known to the name service only", "local account"},
		"member by the name service": {s, inLDAP(7001, 6000, "x", "app"), "user", StatusWarning,
			"known to the name service only", "local account"},
		"no member by the name service": {s, inLDAP(7001, 6000), "user", StatusRefused, "app is not in group apps",
			"--group"},
		"its group does not exist": {s, func(f *host.Facts) {
			f.Users = []host.User{{Name: "app", UID: 7001,
				GID: 7001, Remote: true}}
		}, "user", StatusRefused, "app is not in group apps", "--group"},
	} {
		t.Run(name, func(t *testing.T) {
			f := goodFacts(c.s)
			c.change(f)
			results := Run(c.s, f, Input{Components: fatetest.Components, Platform: "linux/amd64"})
			i := slices.IndexFunc(results, func(r CheckResult) bool { return r.ID == c.id })
			if i < 0 {
				t.Fatalf("no check %s", c.id)
			}
			if r := results[i]; r.Status != c.status || !strings.Contains(r.Measured, c.measured) ||
				!strings.Contains(r.Remedy, c.remedy) {
				t.Errorf("%+v\nwant %s with %q and the remedy %q", r, c.status, c.measured, c.remedy)
			}
		})
	}
}

// TestSessionLimitAsPAMWorksItOut has the rules of pam_limits: a user before its groups before *, of two lines of a
// kind the later, and no soft limit above the hard one.
func TestSessionLimitAsPAMWorksItOut(t *testing.T) {
	p := &preflight{s: &cluster.Spec{User: "app", Group: "apps"}, f: &host.Facts{
		Users: []host.User{{Name: "app", UID: 1000, GID: 6000}}, Groups: []host.Group{{Name: "apps", GID: 6000},
			{Name: "more", GID: 6001, Members: []string{"app"}}},
	}}
	for _, tt := range []struct {
		lines      string
		soft, hard uint64
	}{
		{"a app - nofile 10\nb * - nofile 20", 10, 10},
		{"a * - nofile 20\nb @apps - nofile 30", 30, 30},
		{"a @apps - nofile 30\nb @more - nofile 40", 40, 40},
		{"a @other - nofile 30\nb * - nofile 40", 40, 40},
		{"a app soft nofile 10\na app hard nofile 20\nb app hard nofile 15", 10, 15},
		{"a app soft nofile 100\nb app hard nofile 50", 50, 50},
		{"a 1000: - nofile 7\nb * - nofile 9", 7, 7},
		{"a :1000 - nofile 7\nb 1:999 - nofile 9", 7, 7},
		{"a app - nofile 10\nb app - nofile many", 10, 10},
	} {
		got := p.sessionLimit("nofile", limitLines(tt.lines))
		if got.soft != tt.soft || got.hard != tt.hard {
			t.Errorf("%s: %+v, want %d and %d", strings.ReplaceAll(tt.lines, "\n", "; "), got, tt.soft, tt.hard)
		}
	}
}

func TestSocketPathIsCounted(t *testing.T) {
	for length, want := range map[int]Status{longestSocket: StatusOK, longestSocket + 1: StatusRefused} {
		s := *fatetest.PreflightSpec(t, "192.168.0.1")
		rest := max(len(s.Layout.SupervisorSocket()), len(render.DatabaseSocket(&s))) - len(s.Layout.Base)
		s.Layout.Base = "/" + strings.Repeat("d", length-rest-1)
		results := Run(&s, goodFacts(&s), Input{})
		i := slices.IndexFunc(results, func(r CheckResult) bool { return r.ID == "socket-path" })
		if results[i].Status != want {
			t.Error(fmt.Sprint(length), results[i])
		}
	}
}
