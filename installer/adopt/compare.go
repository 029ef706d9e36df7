package adopt

import (
	"fmt"
	"path"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
)

// Difference is a key of a configuration file that is not as the cluster file would have it rendered. The file is kept
// as it is, and the difference with it.
type Difference struct {
	File   string  `json:"file"`           // its path
	Line   int     `json:"line,omitempty"` // of the key in the file; 0: the file does not have the key
	Key    string  `json:"key"`            // with those above it, joined by dots
	Theirs *string `json:"theirs"`         // the value in the file; null: the file does not have the key
	Ours   *string `json:"ours"`           // the rendered value; null: the key would not be there
	// ansiblefate when its own template has the value that is in the file, or FATE, or upstream's guide for what is set
	// up by hand; operator when an operator changed it
	By string `json:"by"`
}

// The values of Difference.By.
const (
	byTemplate = "ansiblefate"
	byOperator = "operator"
)

// FileState tells what adopt will do to a file.
type FileState struct {
	File string `json:"file"` // its path
	// keep: it stays as it is; replace: ours takes its place, a copy of it is kept for the way back; add: it does not
	// exist yet
	Action      string `json:"action"`
	Compared    bool   `json:"compared"`    // key by key with what would be rendered
	Differences int    `json:"differences"` // how many keys differ
}

// The values of FileState.Action.
const (
	actionKeep    = "keep"
	actionReplace = "replace"
	actionAdd     = "add"
)

// comparison is what the installation has next to what its cluster file would give.
type comparison struct {
	differences []Difference
	files       []FileState
}

// compare renders the cluster file and compares every file key by key with the one that is there.
func compare(r *reader, ds *documents, s *cluster.Spec, sec *secrets) (*comparison, error) {
	files, err := render.Files(s)
	if err != nil {
		return nil, err
	}
	c := &comparison{}
	t := &templates{s: s, sec: sec}
	seen := map[*document]bool{}
	for _, f := range files {
		doc := ds.match(s, f.Path)
		if doc == nil {
			c.files = append(c.files, FileState{File: f.Path, Action: presence(r, s, f.Path)})
			continue
		}
		seen[doc] = true
		entries, err := doc.kind.parse(f.Content)
		if err != nil {
			return nil, fmt.Errorf("cannot read the rendered %s: %w", f.Path, err)
		}
		c.add(doc, newDocument(doc.kind, f.Path, entries), t, sec)
	}
	for _, doc := range ds.list {
		if !seen[doc] {
			c.add(doc, nil, t, sec)
		}
	}
	return c, nil
}

// presence tells what becomes of a rendered file that has no counterpart to compare with.
func presence(r *reader, s *cluster.Spec, file string) string {
	switch {
	case !r.exists(file):
		return actionAdd
	case file == s.Layout.ServiceScript():
		return actionReplace
	}
	return actionKeep // a component brought it
}

// match finds the document of the installation for a rendered file.
func (ds *documents) match(s *cluster.Spec, file string) *document {
	l := s.Layout
	for _, f := range append(renderedFiles(l), standardFile{kindDatabase, render.DatabaseConf(s)}) {
		if f.file == file {
			return ds.of(f.kind)
		}
	}
	if path.Dir(file) == l.SupervisorPrograms() {
		return ds.program(strings.TrimSuffix(path.Base(file), ".conf"))
	}
	return nil
}

// add compares one file. ours is nil for a file that would not be rendered.
func (c *comparison) add(doc, ours *document, t *templates, sec *secrets) {
	state := FileState{File: doc.file, Action: actionKeep, Compared: true}
	if ours == nil && doc.kind == kindTest { // FATE brings it, and AnsibleFATE renders it only where FATE-Flow runs
		state.Compared = false
		c.files = append(c.files, state)
		return
	}
	if ours != nil && (doc.kind == kindSupervisor || doc.kind == kindProgram) {
		state.Action = actionReplace
	}
	report := func(key string, theirs, mine *string, line int) {
		by := byOperator
		if (ours != nil || doc.kind.given()) && t.wrote(doc, key, theirs, mine) {
			by = byTemplate
		}
		c.differences = append(c.differences, Difference{doc.file, line, sec.key(doc, key),
			sec.value(doc, key, theirs), sec.value(doc, key, mine), by})
		state.Differences++
	}
	for _, key := range doc.keys() {
		e, _ := doc.get(key)
		mine, ok := ours.get(key)
		if !ok {
			report(key, &e.value, nil, e.line)
		} else if mine.value != e.value {
			report(key, &e.value, &mine.value, e.line)
		}
	}
	for _, key := range ours.keys() {
		if _, ok := doc.get(key); !ok {
			mine, _ := ours.get(key)
			report(key, nil, &mine.value, 0)
		}
	}
	c.files = append(c.files, state)
}

// hidden stands for the value of a secret.
const hidden = "[redacted]"
