package main

import (
	"fmt"
	"strings"
	"testing"

	"fate-installer/installer/flow"
)

// TestMinHelpGivesTheDefaultLimits compares the help with the limits that are in force without --timeout.
func TestMinHelpGivesTheDefaultLimits(t *testing.T) {
	help := mustRunCLI(t, t.TempDir(), "", "test", "min", "--help")
	want := fmt.Sprintf("(default %.0fh with the data fast, %.0fh with normal)", flow.FastData.Timeout.Hours(),
		flow.NormalData.Timeout.Hours())
	if !strings.Contains(strings.Join(strings.Fields(help), " "), want) { // a line may end in it
		t.Errorf("no %q in\n%s", want, help)
	}
	for _, name := range []string{"", "fast", "normal"} {
		if data, err := minData(name); (err == nil) != (name != "") || err == nil && data.Timeout == 0 {
			t.Errorf("%q: %+v, %v", name, data, err)
		}
	}
}
