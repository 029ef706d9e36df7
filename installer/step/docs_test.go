package step

import (
	"fmt"
	"strings"
	"testing"

	"fate-installer/installer/engine"
)

// pagesOf gives what is in the directory of the pages.
func pagesOf(w *world) string {
	var out []string
	for name, content := range w.snapshot() {
		if strings.HasPrefix(name, ManDir+"/") {
			out = append(out, name+" "+content)
		}
	}
	return strings.Join(out, "\n")
}

// TestDocsFollowTheInstalledProgram: another program replaces the pages, those that it does not have are removed, and
// pages that were edited stay.
func TestDocsFollowTheInstalledProgram(t *testing.T) {
	w := newWorld(t, tempDir(t), false, baseTree)
	older, newer := docsOf("1", "/fate-installer.1", "/fate-installer-old.1"), docsOf("2", "/fate-installer.1")
	_, err := w.apply(t.Context(), older)
	must(t, err)
	first := w.snapshot()
	_, err = w.apply(t.Context(), newer)
	must(t, err)
	if got := w.read(ManDir + "/fate-installer.1"); got != "page of 2" || w.exists(ManDir+"/fate-installer-old.1") {
		t.Errorf("after an upgrade: %s", pagesOf(w))
	}
	w.write(ManDir+"/fate-installer.1", "edited")
	f, err := newer.Check(t.Context(), w.env())
	must(t, err)
	if !strings.Contains(f.Note, ManDir+"/fate-installer.1 kept") {
		t.Errorf("an edited page: %+v", f)
	}
	_, err = w.apply(t.Context(), older)
	must(t, err)
	if got := w.read(ManDir + "/fate-installer.1"); got != "edited" {
		t.Errorf("an edited page was replaced: %s", got)
	}
	must(t, w.host.Remove(ManDir+"/fate-installer.1"))
	_, err = w.apply(t.Context(), older)
	must(t, err)
	sameTree(t, "after the way back", first, w.snapshot())
	must(t, w.host.Remove(ManDir+"/fate-installer-old.1"))
	f, err = older.Check(t.Context(), w.env())
	must(t, err)
	if f.Done || !strings.Contains(f.Why, "fate-installer-old.1 does not exist") {
		t.Errorf("without a page: %+v", f)
	}
}

// TestUndoOfDocs: an undo of the last attempt brings the pages of the former program back.
func TestUndoOfDocs(t *testing.T) {
	w := newWorld(t, tempDir(t), false, baseTree)
	_, err := w.apply(t.Context(), docsOf("1", "/fate-installer.1", "/fate-installer-old.1"))
	must(t, err)
	first := w.snapshot()
	_, err = w.apply(t.Context(), docsOf("2", "/fate-installer.1", "/fate-installer-new.1"),
		File{Path: "/etc/passwd/in-a-file", Content: []byte("x")})
	if err == nil {
		t.Fatal("the run did not fail")
	}
	if !w.exists(ManDir + "/fate-installer-new.1") {
		t.Fatal("the pages were not replaced before the failure")
	}
	_, err = w.undo(t.Context(), engine.LastAttempt)
	must(t, err)
	sameTree(t, "after the undo", first, w.snapshot())
	f, err := docsOf("1", "/fate-installer.1", "/fate-installer-old.1").Check(t.Context(), w.env())
	if err != nil || !f.Done {
		t.Errorf("the former pages: %+v, %v", f, err)
	}
}

// TestDocsOfAnUnknownProgramInATree: nothing can print them there, and those of another program do not stay.
func TestDocsOfAnUnknownProgramInATree(t *testing.T) {
	w := newWorld(t, tempDir(t), false, baseTree)
	before := w.snapshot()
	known, unknown := docsOf("1", "/fate-installer.1"), Docs{Program: "/usr/local/bin/fate-installer", Digest: "x"}
	_, err := w.apply(t.Context(), known)
	must(t, err)
	for range 2 {
		_, err = w.apply(t.Context(), unknown)
		must(t, err)
		if got := pagesOf(w); got != "" {
			t.Errorf("they stay: %s", got)
		}
	}
	f, err := unknown.Check(t.Context(), w.env())
	if err != nil || !f.Done {
		t.Errorf("again: %+v, %v", f, err)
	}
	_, err = w.undo(t.Context(), engine.Everything)
	must(t, err)
	sameTree(t, "after undo", before, w.snapshot())
}

// TestEditedDocsOfAnUnknownProgramInATree: a page that was edited stays, and the step ends.
func TestEditedDocsOfAnUnknownProgramInATree(t *testing.T) {
	w := newWorld(t, tempDir(t), false, baseTree)
	unknown := Docs{Program: "/usr/local/bin/fate-installer", Digest: "x"}
	_, err := w.apply(t.Context(), docsOf("1", "/fate-installer.1", "/fate-installer-a.1"))
	must(t, err)
	w.write(ManDir+"/fate-installer.1", "edited")
	for range 2 {
		_, err = w.apply(t.Context(), unknown)
		must(t, err)
		if w.read(ManDir+"/fate-installer.1") != "edited" || w.exists(ManDir+"/fate-installer-a.1") {
			t.Errorf("the pages: %s", pagesOf(w))
		}
	}
	f, err := unknown.Check(t.Context(), w.env())
	if err != nil || !f.Done || !strings.Contains(f.Note, ManDir+"/fate-installer.1 kept") {
		t.Errorf("again: %+v, %v", f, err)
	}
}

// TestDocsOfAProgramThatPrintsNone: an older release has no manual pages, and one that fails has none for us. Neither
// fails the run; the pages of the former program go.
func TestDocsOfAProgramThatPrintsNone(t *testing.T) {
	for _, code := range []int{1, 2, 3, 134, 137} {
		w := newWorld(t, tempDir(t), true, baseTree)
		s := Docs{Program: "/usr/local/bin/fate-installer", Digest: "d"}
		_, err := w.apply(t.Context(), s)
		must(t, err)
		if !w.exists(ManDir + "/fate-installer.1") {
			t.Fatal("there are no pages")
		}
		w.machine.fail = map[string]int{s.Program: code}
		s.Digest = "e"
		for range 2 {
			_, err = w.apply(t.Context(), s)
			must(t, err)
			if got := pagesOf(w); got != "" {
				t.Errorf("exit %d: the former pages stay: %s", code, got)
			}
		}
		f, err := s.Check(t.Context(), w.env())
		if err != nil || !f.Done || !strings.Contains(f.Note, "the installed program prints none") ||
			!strings.Contains(f.Note, fmt.Sprintf("status %d", code)) {
			t.Errorf("exit %d: %+v, %v", code, f, err)
		}
		w.machine.fail, s.Digest = nil, "f"
		_, err = w.apply(t.Context(), s)
		must(t, err)
		f, err = s.Check(t.Context(), w.env())
		if err != nil || !f.Done || f.Note != "" || !w.exists(ManDir+"/fate-installer.1") {
			t.Errorf("a later program: %+v, %v, %s", f, err, pagesOf(w))
		}
	}
}

// TestParseDocs: a program writes to no other directory, and to no name that has a meaning.
func TestParseDocs(t *testing.T) {
	for file, good := range map[string]bool{
		ManDir + "/fate-installer.1": true, CompletionDir + "/fate-installer": true,
		ManDir + "/../fate-installer.1": false, "/etc/passwd": false, ManDir + "/ls.1": false,
		ManDir + "/fate-installer/x.1": false, ManDir + "/fate-installer\\u000a.1": false, "": false,
	} {
		if _, err := parseDocs([]byte(`{"files": [{"path": "` + file + `", "content": ""}]}`)); (err == nil) != good {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, err := parseDocs(make([]byte, mostDocBytes+1)); err == nil {
		t.Error("no limit")
	}
}

func FuzzDocs(f *testing.F) {
	f.Add([]byte(`{"files": [{"path": "` + ManDir + `/fate-installer.1", "content": "x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		docs, err := parseDocs(text)
		for _, d := range docs {
			if err != nil || !strings.HasPrefix(d.Path, ManDir+"/fate-installer") &&
				!strings.HasPrefix(d.Path, CompletionDir+"/fate-installer") || strings.Contains(d.Path, "..") &&
				strings.Contains(d.Path, "/../") {
				t.Errorf("%q, %v", d.Path, err)
			}
		}
	})
}
