package bundle

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
)

// jarOf makes a jar with empty files.
func jarOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		if _, err := w.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBoardPage(t *testing.T) {
	for name, test := range map[string]struct {
		component Component
		jar       []byte
		warned    bool
	}{
		"Spring Boot":     {Component{Name: "fateboard"}, jarOf(t, "META-INF/MANIFEST.MF", "BOOT-INF/classes/static/index.html"), false},
		"plain":           {Component{Name: "fateboard"}, jarOf(t, "static/index.html"), false},
		"without":         {Component{Name: "fateboard"}, jarOf(t, "BOOT-INF/classes/static/favicon.ico"), true},
		"stand-in":        {Component{Name: "fateboard", StandIn: true}, jarOf(t, "standin/Board.class"), false},
		"not a jar":       {Component{Name: "fateboard"}, []byte("x"), false},
		"other component": {Component{Name: "eggroll"}, jarOf(t, "a.class"), false},
	} {
		s, err := newSpool(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		tr := newTree(s)
		o := tr.merge(&Source{Path: "x"}, false)
		if err := tr.add(o, entry{path: "fateboard.jar", kind: kindFile, mode: 0o644, size: int64(len(test.jar))}, bytes.NewReader(test.jar)); err != nil {
			t.Fatal(err)
		}
		tr.warnBoardPage(&test.component)
		if warned := strings.Contains(strings.Join(tr.warnings, ""), "fateboard.jar has no page"); warned != test.warned {
			t.Errorf("%s: warnings %q", name, tr.warnings)
		}
		s.close()
	}
}
