//go:build e2e

package e2e

import "strings"

// editCompiledCode edits a file of FATE-Flow's code that came with its compiled form, and keeps the file's time. The
// edit takes effect at the next start, and the repair that takes it back does as well. Compiled code that is gone or
// was written by the python of the host is no edit.
func (b bench) editCompiledCode(host string) {
	b.t.Helper()
	const (
		dir    = "/data/projects/fate/fateflow/python/fate_flow"
		source = dir + "/settings.py"
		effect = "/data/logs/fate/fateflow/edited"
	)
	cache := strings.TrimSpace(b.run(host, "sh", "-c", "echo "+dir+"/__pycache__/settings.*.pyc"))
	checked := func(when string) {
		b.t.Helper()
		// PEP 552: bit 0 for a hash in the place of time and size, bit 1 for comparing it at each import
		if flags := b.run(host, "od", "-An", "-tx1", "-j4", "-N4", cache); flags != " 03 00 00 00\n" {
			b.t.Errorf("%s %s has the flags %q", when, cache, flags)
		}
	}
	started := func(when string, want bool) {
		b.t.Helper()
		b.run(host, "rm", "-f", effect)
		b.run(host, "fate-installer", "svc", "restart", "fate-fateflow")
		b.checkReady(host, modulesOfParty...)
		if _, code, err := b.try(host, "test", "-e", effect); err != nil || (code == 0) != want {
			b.t.Errorf("%s: the edit has an effect: %v, want %v; %v", when, code == 0, want, err)
		}
	}
	checked("as it was installed,")
	before := b.run(host, "stat", "-c", "%i %Y %s", cache)
	b.run(host, "fate-installer", "svc", "restart", "fate-fateflow")
	if after := b.run(host, "stat", "-c", "%i %Y %s", cache); after != before {
		b.t.Errorf("a start wrote %s: %s, before %s", cache, after, before)
	}
	b.run(host, "sh", "-c", `touch -r "$1" /root/time && echo "open('$2', 'w').close()" >>"$1" && touch -r /root/time "$1"`,
		"sh", source, effect)
	started("after the edit", true)
	checked("after the edit")
	if after := b.run(host, "stat", "-c", "%i %Y %s", cache); after == before {
		b.t.Errorf("%s was not written after the edit", cache)
	}
	b.run(host, installerFile, "install")
	started("after the repair", false)
	b.run(host, "rm", cache)
	if out := b.run(host, installerFile, "install"); !strings.Contains(out, "nothing to do") ||
		strings.Contains(out, "pycache") {
		b.t.Errorf("install without %s:\n%s", cache, out)
	}
}
