package step

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// leftOut expects that a step is done with a note, and that its record has no file below dir.
func leftOut(t *testing.T, w *world, s Docs, dir, note string) {
	t.Helper()
	f, err := s.Check(t.Context(), w.env())
	if err != nil || !f.Done || !strings.Contains(f.Note, "files of "+dir+" left out: ") ||
		!strings.Contains(f.Note, note) {
		t.Errorf("Check: %+v, %v", f, err)
	}
	record, err := readDocs(w.env())
	must(t, err)
	for file := range record.Files {
		if strings.HasPrefix(file, dir+"/") {
			t.Errorf("the record has %s", file)
		}
	}
}

// obstacles are trees in which one directory of Docs cannot be made.
var obstacles = []struct {
	name, dir, note string
	files           map[string]string
	clear           string // what the operator removes
}{
	{"dangling link", ManDir, "/usr/local/share/man is a link to nowhere",
		map[string]string{"/usr/local/share/man": "-> /gone/man"}, "/usr/local/share/man"},
	{"dangling link in the end", ManDir, ManDir + " is a link to nowhere",
		map[string]string{ManDir: "-> /gone/man"}, ManDir},
	{"file above", ManDir, "/usr/local/share is not a directory",
		map[string]string{"/usr/local/share": "x"}, "/usr/local/share"},
	{"file", CompletionDir, CompletionDir + " is not a directory",
		map[string]string{CompletionDir: "x"}, CompletionDir},
}

// TestDocsLeaveOutADirectory: what is in the way of one directory fails no run, and the files of the other are there.
// They come when the way is free, and an undo ends in the tree before.
func TestDocsLeaveOutADirectory(t *testing.T) {
	for _, o := range obstacles {
		for _, known := range []bool{true, false} {
			t.Run(o.name, func(t *testing.T) {
				w := newWorld(t, tempDir(t), !known, with(flat(o.files)...))
				before := w.snapshot()
				s := docs
				if !known {
					s = Docs{Program: docs.Program, Digest: "d"}
				}
				if !known && o.dir == CompletionDir {
					return // this program prints no completion
				}
				for range 2 {
					_, err := w.apply(t.Context(), s)
					must(t, err)
					leftOut(t, w, s, o.dir, o.note)
				}
				if known && o.dir == CompletionDir && !w.exists(ManDir+"/fate-installer.1") {
					t.Error("the pages were left out, too")
				}
				_, err := w.undo(t.Context(), engine.Everything)
				must(t, err)
				sameTree(t, "after the undo", before, w.snapshot())
				_, err = w.apply(t.Context(), s)
				must(t, err)
				must(t, os.Remove(filepath.Join(w.dir, o.clear)))
				_, err = w.apply(t.Context(), s)
				must(t, err)
				f, err := s.Check(t.Context(), w.env())
				if err != nil || !f.Done || f.Note != "" || !w.exists(ManDir+"/fate-installer.1") ||
					known && !w.exists(CompletionDir+"/fate-installer") {
					t.Errorf("when the way is free: %+v, %v, %s", f, err, pagesOf(w))
				}
			})
		}
	}
}

func flat(files map[string]string) (out []string) {
	for name, content := range files {
		out = append(out, name, content)
	}
	return out
}

// refuse makes each change below dir fail for good, as a read-only mount does.
func refuse(w *world, dir string, cause error) {
	w.host.InjectFaults(w.t, func(_ host.Op, abs string) error {
		if abs == dir || strings.HasPrefix(abs, dir+"/") {
			return cause
		}
		return nil
	})
}

// TestDocsOnAFullOrReadOnlyDisk: no page can be written, and no step fails. What was there before stays and is ours.
func TestDocsOnAFullOrReadOnlyDisk(t *testing.T) {
	for _, cause := range diskErrors {
		w := newWorld(t, tempDir(t), false, baseTree)
		before := w.snapshot()
		refuse(w, "/usr/local", cause)
		for range 2 {
			_, err := w.apply(t.Context(), docs)
			must(t, err)
			leftOut(t, w, docs, ManDir, cause.Error())
		}
		noFaults(w)
		newer := docsOf("2", "/fate-installer.1")
		_, err := w.apply(t.Context(), newer)
		must(t, err)
		refuse(w, "/usr/local", cause)
		newest := docsOf("3", "/fate-installer.1", "/fate-installer-new.1")
		_, err = w.apply(t.Context(), newest, File{Path: "/etc/passwd/in-a-file", Content: []byte("x")})
		if err == nil || strings.Contains(err.Error(), docs.ID()) {
			t.Fatalf("the run that is to be undone: %v", err)
		}
		if got := w.read(ManDir + "/fate-installer.1"); got != "page of 2" || w.exists(ManDir+"/fate-installer-new.1") {
			t.Errorf("%v: after an upgrade: %s", cause, pagesOf(w))
		}
		_, err = w.undo(t.Context(), engine.LastAttempt)
		must(t, err)
		f, err := newer.Check(t.Context(), w.env())
		if err != nil || !f.Done {
			t.Errorf("%v: after the way back: %+v, %v", cause, f, err)
		}
		noFaults(w)
		_, err = w.undo(t.Context(), engine.Everything)
		must(t, err)
		sameTree(t, "after the undo", before, w.snapshot())
	}
}

// TestDocsBehindALink: pages whose directory was lost are still ours when it is back.
func TestDocsBehindALink(t *testing.T) {
	w := newWorld(t, tempDir(t), false, with("/usr/local/share/real/", "", "/usr/local/share/man", "-> real"))
	before := w.snapshot()
	_, err := w.apply(t.Context(), docs)
	must(t, err)
	at := func(name string) string { return filepath.Join(w.dir, "/usr/local/share", name) }
	must(t, os.Rename(at("real"), at("away")))
	f, err := docs.Check(t.Context(), w.env())
	if err != nil || !f.Done || !strings.Contains(f.Note, "/usr/local/share/man is a link to nowhere") {
		t.Errorf("without the directory: %+v, %v", f, err)
	}
	newer := docsOf("2", "/fate-installer.1")
	_, err = w.apply(t.Context(), newer)
	must(t, err)
	must(t, os.Rename(at("away"), at("real")))
	_, err = w.apply(t.Context(), newer)
	must(t, err)
	if w.read(ManDir+"/fate-installer.1") != "page of 2" || w.exists(ManDir+"/fate-installer-svc.1") {
		t.Errorf("with the directory: %s", pagesOf(w))
	}
	_, err = w.undo(t.Context(), engine.Everything)
	must(t, err)
	sameTree(t, "after the undo", before, w.snapshot())
}

// TestDocsBeyondReach: a page that an operator made too long to be ours fails no run.
func TestDocsBeyondReach(t *testing.T) {
	w := newWorld(t, tempDir(t), false, baseTree)
	_, err := w.apply(t.Context(), docs)
	must(t, err)
	must(t, os.Truncate(filepath.Join(w.dir, ManDir, "fate-installer.1"), host.ReadLimit+1))
	_, err = w.apply(t.Context(), docsOf("2", "/fate-installer.1"))
	must(t, err)
}

// TestCancelledDocs: the end of a run is not taken for a program without pages.
func TestCancelledDocs(t *testing.T) {
	w := newWorld(t, tempDir(t), true, baseTree)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (Docs{Program: docs.Program, Digest: "d"}).Apply(ctx, w.env()); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply: %v", err)
	}
}
