package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/exit"
	"fate-installer/installer/host"
)

// TestInstallIntoATreeSaysWhatIsLeft: a tree cannot be given owners or run anything, and the maker of an image has to
// know.
func TestInstallIntoATreeSaysWhatIsLeft(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	out, stderr, code := runCLI(t, root, "", "--payload", appliance, "--role", "exchange", "--ip", "192.168.0.88")
	if code != exit.OK {
		t.Fatalf("exit code %d\n%s%s", code, out, stderr)
	}
	for _, want := range []string{"owners     " + host.OwnersFile,
		"next       give the files these owners, boot it, and run the same command there without --root"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "svc status") {
		t.Errorf("it speaks of programs:\n%s", out)
	}
	owners, err := os.ReadFile(filepath.Join(root, host.OwnersFile))
	want := `{"path":"/data/projects/fate/eggroll","owner":"app","group":"apps","tree":true}` + "\n"
	if err != nil || !strings.Contains(string(owners), want) || strings.Contains(string(owners), "rename") {
		t.Errorf("%v, no\n%sor more than that kind in\n%s", err, want, owners)
	}
}
