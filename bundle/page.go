package bundle

import (
	"archive/zip"
	"strings"
)

// boardPages are where the jar of FATE-Board has its page: as a Spring Boot jar, and as a plain one. A jar that was built
// without the front end starts and answers its API, but shows nothing to a browser.
var boardPages = []string{"BOOT-INF/classes/static/index.html", "static/index.html", "META-INF/resources/index.html"}

// warnBoardPage warns when the component fateboard has no page in any of its jars. What cannot be read as a jar is not
// judged.
func (t *tree) warnBoardPage(c *Component) {
	if c.Name != "fateboard" || c.StandIn {
		return
	}
	for _, n := range t.sorted() {
		if n.kind != kindFile || !strings.HasSuffix(n.path, ".jar") || strings.Contains(n.path, "/") {
			continue
		}
		jar, err := zip.NewReader(t.spool.open(n.blob), n.blob.size)
		if err != nil || hasPage(jar) {
			continue
		}
		t.warnings = append(t.warnings, n.path+" has no page (static/index.html): FATE-Board will answer its API and show nothing "+
			"to a browser; build it with its front end, or take it from the official package")
	}
}

func hasPage(jar *zip.Reader) bool {
	for _, f := range jar.File {
		for _, page := range boardPages {
			if f.Name == page {
				return true
			}
		}
	}
	return false
}
