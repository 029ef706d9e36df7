package bundle

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
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
		"Spring Boot": {Component{Name: "fateboard"}, jarOf(t, "META-INF/MANIFEST.MF",
			"BOOT-INF/classes/static/index.html"), false},
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
		if err := tr.add(o, entry{path: "fateboard.jar", kind: kindFile, mode: 0o644, size: int64(len(test.jar))},
			bytes.NewReader(test.jar)); err != nil {
			t.Fatal(err)
		}
		tr.warnBoardPage(&test.component)
		if warned := strings.Contains(strings.Join(tr.warnings, ""),
			"fateboard.jar has no page"); warned != test.warned {
			t.Errorf("%s: warnings %q", name, tr.warnings)
		}
		s.close()
	}
}

// TestBoardWarnings: a lock that was made from a package is held against what building would warn of.
func TestBoardWarnings(t *testing.T) {
	for name, test := range map[string]struct {
		jar    []byte
		warned bool
	}{
		"with a page":    {jarOf(t, "static/index.html"), false},
		"without a page": {jarOf(t, "static/favicon.ico"), true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			board := compress(t, "gz", makeTar(t, d("fateboard/"),
				f("fateboard/fateboard-1.11.2.jar", string(test.jar)),
				l("fateboard/fateboard.jar", "fateboard-1.11.2.jar")))
			sum := sha256.Sum256(board)
			lock := &Lock{File: filepath.Join(dir, "fate.lock.yaml"),
				Components: []Component{{Name: "fateboard", Version: "1.11.2", Sources: []Source{{
					Path: "fateboard.tar.gz", Format: FormatTar, Strip: 1, Setuid: SetuidRefuse,
					SHA256: hex.EncodeToString(sum[:]), Size: int64(len(board)),
				}}}}}
			writeFile(t, filepath.Join(dir, "fateboard.tar.gz"), board)
			warnings, err := BoardWarnings(t.Context(), lock)
			if err != nil {
				t.Fatal(err)
			}
			if warned := strings.Contains(strings.Join(warnings, "\n"),
				"fateboard: fateboard-1.11.2.jar has no page"); warned != test.warned || warned && len(warnings) != 1 {
				t.Errorf("warnings %q", warnings)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	if warnings, err := BoardWarnings(t.Context(), &Lock{}); err != nil || warnings != nil {
		t.Errorf("a lock without the component: %q, %v", warnings, err)
	}
}
