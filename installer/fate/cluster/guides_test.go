package cluster_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"fate-installer/installer/fate/fatetest"
)

// TestGuidesNameWhatExists looks up every file that a guide links to.
func TestGuidesNameWhatExists(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)\)`)
	guides, err := filepath.Glob("../../../release/docs/topologies*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, guide := range guides {
		for _, match := range link.FindAllStringSubmatch(string(fatetest.ReadFile(t, guide)), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(guide), match[1])); err != nil {
				t.Errorf("%s: %v", guide, err)
			}
		}
	}
}
