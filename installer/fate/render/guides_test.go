package render

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// clusterFiles returns the cluster files of a guide, without their comments.
func clusterFiles(t *testing.T, name string) []string {
	t.Helper()
	var out []string
	for _, match := range yamlBlock.FindAllStringSubmatch(string(fatetest.ReadFile(t, name)), -1) {
		lines := strings.Split(match[1], "\n")
		out = append(out, strings.Join(slices.DeleteFunc(lines,
			func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), "#") }), "\n"))
	}
	return out
}

// TestClusterFilesOfTheGuides reads every cluster file that a guide has to copy, and renders each of its hosts.
func TestClusterFilesOfTheGuides(t *testing.T) {
	guides, err := filepath.Glob("../../../release/docs/topologies*.md")
	if err != nil || len(guides) != 2 {
		t.Fatalf("guides: %v, %v", guides, err)
	}
	versions := fatetest.Merged(fatetest.Versions1113, map[string]string{"zookeeper": "3.5.8", "nginx": "1.26.0"})
	for _, guide := range guides {
		for _, text := range clusterFiles(t, guide) {
			c, err := fatetest.ParseText(text)
			if err != nil {
				t.Errorf("%s: %v\n%s", guide, err, text)
				continue
			}
			for _, side := range c.Sides() {
				for _, ip := range side.Addresses() {
					s, err := c.Spec(cluster.Selection{Role: side.Role, IP: ip, Versions: versions,
						Env: fatetest.Env1113})
					if err != nil {
						t.Errorf("%s: %s at %s: %v\n%s", guide, side.Role, ip, err, text)
						continue
					}
					if files, err := Files(s); err != nil || len(files) == 0 {
						t.Errorf("%s: %s at %s: %d files, %v\n%s", guide, side.Role, ip, len(files), err, text)
					}
				}
			}
		}
	}
	if en, zh := clusterFiles(t, guides[0]), clusterFiles(t, guides[1]); len(en) < 8 || !slices.Equal(en, zh) {
		t.Errorf("the guides have %d and %d cluster files, which differ or are too few", len(en), len(zh))
	}
}
