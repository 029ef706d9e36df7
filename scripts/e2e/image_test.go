//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"fate-installer/installer/host"
)

// TestImage installs into a directory tree, as makers of host images do, gives its files the owners that the
// installer asks for, boots the tree, and lets the same command do there what needs a running machine.
func TestImage(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1")
	party := []string{"--role", "host", "--party", "10000", "--ip", "192.168.0.1"}
	const tree = "/tree"
	b.run("host", "mkdir", tree)
	b.run("host", "mount", "--bind", "/", tree) // without what is mounted below /: no processes, no devices

	b.step("install into the tree", func(b bench) {
		b.install("host", append([]string{"--root", tree}, party...)...)
		b.chownTree("host", tree)
		b.run("host", "umount", tree)
	})
	b.step("the tree boots, and the same command completes it", func(b bench) {
		if err := b.Reboot(b.t.Context(), "host"); err != nil {
			b.t.Fatal(err)
		}
		others := b.run("host", "find", "/data/projects/fate/common/jdk", "-mindepth", "1", "!", "-user", "app")
		if others != "" {
			b.t.Errorf("not the service user's:\n%s", others)
		}
		b.install("host", party...)
		b.checkReady("host", modulesOfParty...)
		b.toy("host")
	})
}

// chownTree gives the files of a tree the owners that its installer recorded.
func (b bench) chownTree(name, tree string) {
	b.t.Helper()
	list := b.run(name, "cat", tree+host.OwnersFile)
	if list == "" {
		b.t.Fatal("no owners are recorded")
	}
	for line := range strings.Lines(list) {
		var e struct {
			Path, Owner, Group string
			Tree               bool
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			b.t.Fatalf("%v in %q", err, line)
		}
		how := "-h"
		if e.Tree {
			how = "-hR"
		}
		b.run(name, "chroot", tree, "chown", how, e.Owner+":"+e.Group, e.Path)
	}
}
