//go:build e2e

package e2e

import "strings"

// rootTrees are the directories below the base that SECURITY.md lists.
const rootTrees = "/data/projects/common/supervisord /data/projects/common/tools " +
	"/data/projects/common/fate-installer /data/logs/supervisord"

// rootPaths walks, on the host, what root runs and obeys below the base directory, and every directory on the way to
// it: the service user can neither write nor rename any of them. No process of root's runs a program, or has a library,
// from below the base.
func (r rows) rootPaths() {
	out := r.run("host", "sh", "-c", `find `+rootTrees+` |
	while read -r at; do while [ "$at" != / ]; do echo "$at"; at=$(dirname "$at"); done; done | sort -u |
	while read -r at; do stat -c '%U:%G %a %n' "$at"; done`)
	r.t.Logf("what root runs and obeys:\n%s", out)
	for _, want := range []string{"supervisord.conf", "supervisord.d/fate-rollsite.conf", "service.sh",
		"run/supervisor.sock"} {
		if !strings.Contains(out, " /data/projects/common/supervisord/"+want+"\n") {
			r.t.Errorf("%s is not among them", want)
		}
	}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		owner, mode, at := f[0], f[1], f[2]
		socket := strings.HasSuffix(at, "/run/supervisor.sock") && owner == "app:apps" && mode == "660"
		link := mode == "777" && r.succeeds("host", "test -L "+at) // who may exchange it, its directory says
		if !socket && (!strings.HasPrefix(owner, "root:") || !link && !closed(mode)) {
			r.t.Errorf("%s is not root's alone: %s, mode %s", at, owner, mode)
		}
	}
	if out := r.run("host", "sh", "-c", `for p in /proc/[0-9]*; do
	grep -q '^Uid:.*[[:space:]]0[[:space:]]' $p/status 2>/dev/null || continue
	{ readlink $p/exe; cat $p/maps; } 2>/dev/null | grep -o '/data/.*' | sed "s,^,$p: ,"
done; true`); out != "" {
		r.t.Errorf("processes of root's run, or have mapped, files below the base:\n%s", out)
	}
}

// closed reports whether a mode, as stat prints it, lets neither the group nor others write.
func closed(mode string) bool {
	bits := mode[max(0, len(mode)-2):]
	return !strings.ContainsAny(bits, "2367")
}
