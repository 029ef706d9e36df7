package bundle

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// boardName is the component whose jar is FATE-Board.
const boardName = "fateboard"

// boardPages are where the jar of FATE-Board has its page: as a Spring Boot jar, and as a plain one. A jar that was
// built without the front end starts and answers its API, but shows nothing to a browser.
var boardPages = []string{"BOOT-INF/classes/static/index.html", "static/index.html", "META-INF/resources/index.html"}

// warnBoardPage warns when the component fateboard has no page in any of its jars. What cannot be read as a jar is not
// judged.
func (t *tree) warnBoardPage(c *Component) {
	if c.Name != boardName || c.StandIn {
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
		t.warnings = append(t.warnings,
			n.path+" has no page (static/index.html): FATE-Board will answer its API and show nothing "+
				"to a browser; build it with its front end, or take it from the official package")
	}
}

// BoardWarnings reads the component fateboard of a whole lock as [Build] does, and returns what Build would warn of.
// What is read is set aside in the directory of the lock file.
func BoardWarnings(ctx context.Context, lock *Lock) (warnings []string, err error) {
	index := slices.IndexFunc(lock.Components, func(c Component) bool { return c.Name == boardName })
	if index < 0 {
		return nil, nil
	}
	b := &builder{
		opener: opener{lock: lock.File}, lock: lock, spoolDir: filepath.Dir(lock.File),
		progress: newPackProgress(nil, lock),
	}
	defer func() { err = errors.Join(err, b.nested.close()) }()
	p, err := b.merge(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("cannot read component %s: %w", boardName, err)
	}
	defer p.tree.spool.close()
	for _, warning := range p.tree.warnings {
		warnings = append(warnings, boardName+": "+warning)
	}
	return warnings, nil
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
