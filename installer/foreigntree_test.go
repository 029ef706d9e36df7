package main

import (
	"strings"
	"testing"

	"fate-installer/installer/exit"

	"github.com/google/go-cmp/cmp"
)

// TestForeignTreeIsNotWaivable: on the tree of an AnsibleFATE installation no waiver is offered for what it would
// overwrite, and none is taken; nothing is changed.
func TestForeignTreeIsNotWaivable(t *testing.T) {
	appliance := smallAppliance(t)
	for check, file := range map[string]string{
		"directories":     "data/projects/fate/eggroll/conf/eggroll.properties",
		"supervisor-conf": "data/projects/common/supervisord/supervisord.d/fate-rollsite.conf",
	} {
		t.Run(check, func(t *testing.T) {
			root := machine(t)
			put(t, root, file, "of another installation")
			before := treeOf(t, root)
			install := []string{"--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88"}
			_, stderr, code := runCLI(t, root, "", install...)
			if code != exit.Preflight || !strings.Contains(stderr, check) || strings.Contains(stderr, "--waive") {
				t.Errorf("exit code %d, or a waiver is offered:\n%s", code, stderr)
			}
			_, stderr, code = runCLI(t, root, "", append(install, "--waive", check+"=overwrite it")...)
			if code != exit.Usage || !strings.Contains(stderr, "cannot waive "+check) {
				t.Errorf("with a waiver: exit code %d\n%s", code, stderr)
			}
			textIs(t, root, file, "of another installation")
			if diff := cmp.Diff(before, treeOf(t, root)); diff != "" {
				t.Errorf("something was changed:\n%s", diff)
			}
		})
	}
}
