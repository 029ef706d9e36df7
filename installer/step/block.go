package step

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Block is some lines of ours in a file that belongs to others, such as /etc/hosts, between two comments that name
// them. The rest of the file is never touched.
type Block struct {
	Path  string
	Name  string // distinguishes our blocks in one file
	Lines []string
}

// HostsEntry is a line of /etc/hosts.
type HostsEntry struct {
	IP    string
	Names []string
}

// Hosts returns the step that adds entries to /etc/hosts.
func Hosts(entries ...HostsEntry) Block {
	b := Block{Path: "/etc/hosts", Name: "hosts"}
	for _, e := range entries {
		b.Lines = append(b.Lines, e.IP+" "+strings.Join(e.Names, " "))
	}
	return b
}

// blockBefore is the state before Block.
type blockBefore struct {
	Path  string   `json:"path"`
	Name  string   `json:"name"`
	Made  bool     `json:"made,omitempty"`    // the file did not exist
	NoEOL bool     `json:"no_eol,omitempty"`  // its last line had no newline
	Text  string   `json:"text,omitempty"`    // a block of that name that was there
	Dirs  []string `json:"parents,omitempty"` // directories that did not exist
}

// ID implements [engine.Step].
func (b Block) ID() string { return kindBlock + ":" + b.Path + "#" + b.Name }

// Describe implements [engine.Describer].
func (b Block) Describe() string {
	return fmt.Sprintf("in %s: %s", b.Path, strings.Join(b.Lines, "; "))
}

func (b Block) begin() string { return "# BEGIN fate-installer " + b.Name + "\n" }
func (b Block) end() string   { return "# END fate-installer " + b.Name + "\n" }

func (b Block) text() string {
	var s strings.Builder
	s.WriteString(b.begin())
	for _, l := range b.Lines {
		s.WriteString(l + "\n")
	}
	s.WriteString(b.end())
	return s.String()
}

// find returns where the block is in content; ok is false when it is not.
func (b Block) find(content []byte) (from, to int, ok bool) {
	from = bytes.Index(content, []byte(b.begin()))
	if from < 0 || from > 0 && content[from-1] != '\n' {
		return 0, 0, false
	}
	// A missing end is a block that was edited: it is then only its first line.
	to = from + len(b.begin())
	if n := bytes.Index(content[from:], []byte(b.end())); n >= 0 {
		to = from + n + len(b.end())
	}
	return from, to, true
}

// Check implements [engine.Step].
func (b Block) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	content, err := env.Host.ReadFile(b.Path)
	before := blockBefore{Path: b.Path, Name: b.Name}
	if notExist(err) {
		before.Made = true
		before.Dirs, err = env.Host.MissingParents(dirOf(b.Path))
		return todo("the file does not exist", before, b.mark()), err
	}
	if err != nil {
		return engine.Finding{}, err
	}
	before.NoEOL = len(content) > 0 && content[len(content)-1] != '\n'
	from, to, ok := b.find(content)
	if !ok {
		return todo("the lines are missing", before, b.mark()), nil
	}
	before.Text = string(content[from:to])
	if before.Text != b.text() {
		return todo("the lines differ", before, b.mark()), nil
	}
	return engine.Finding{Done: true}, nil
}

func (b Block) mark() string { return engine.Hash([]byte(b.text())) }

// Apply implements [engine.Step].
func (b Block) Apply(_ context.Context, env *engine.Env) error {
	if err := makeParents(env, b.Path); err != nil {
		return err
	}
	return env.Host.EditFile(b.Path, host.FileMode{}, func(old []byte) ([]byte, error) {
		if from, to, ok := b.find(old); ok {
			return slices.Concat(old[:from], []byte(b.text()), old[to:]), nil
		}
		if len(old) > 0 && old[len(old)-1] != '\n' {
			old = append(slices.Clone(old), '\n')
		}
		return slices.Concat(old, []byte(b.text())), nil
	})
}

// Undo implements [engine.Undoer].
func (Block) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[blockBefore](raw)
	if err != nil {
		return err
	}
	b := Block{Path: before.Path, Name: before.Name}
	return b.putBack(env, before, env.Ledger.Wrote(b.ID()))
}

// putBack restores what was before, if the block is one of marks.
func (b Block) putBack(env *engine.Env, before blockBefore, marks []string) error {
	if err := env.Host.Remove(host.TempName(b.Path)); err != nil {
		return err
	}
	content, err := env.Host.ReadFile(b.Path)
	if notExist(err) {
		return dropParents(env, before.Dirs)
	}
	if err != nil {
		return err
	}
	if err := b.editable(content, before.Text, marks); err != nil {
		return err
	}
	err = env.Host.EditFile(b.Path, host.FileMode{}, func(old []byte) ([]byte, error) {
		from, to, ok := b.find(old)
		if !ok {
			return old, nil
		}
		if before.NoEOL && to == len(old) && before.Text == "" {
			from = max(0, from-1)
		}
		return slices.Concat(old[:from], []byte(before.Text), old[to:]), nil
	})
	if err != nil || !before.Made {
		return err
	}
	return b.dropIfEmpty(env, before.Dirs)
}

// editable returns a LeftError when the block is not as we wrote it.
func (b Block) editable(content []byte, prior string, marks []string) error {
	from, to, ok := b.find(content)
	if !ok {
		return nil
	}
	text := string(content[from:to])
	if text == prior || slices.Contains(marks, engine.Hash([]byte(text))) {
		return nil
	}
	return &engine.LeftError{What: fmt.Sprintf("the lines %q in %s", b.Name, b.Path),
		Why: "they were changed after they were installed"}
}

func (b Block) dropIfEmpty(env *engine.Env, dirs []string) error {
	content, err := env.Host.ReadFile(b.Path)
	if err != nil || len(content) > 0 {
		return err
	}
	if err := env.Host.Remove(b.Path); err != nil {
		return err
	}
	return dropParents(env, dirs)
}

// Remains implements [engine.Remainer].
func (Block) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[blockBefore](raw)
	if err != nil {
		return nil, err
	}
	content, err := env.Host.ReadFile(before.Path)
	if notExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b := Block{Path: before.Path, Name: before.Name}
	if from, to, ok := b.find(content); ok && string(content[from:to]) != before.Text {
		return []string{fmt.Sprintf("the lines %q in %s", b.Name, b.Path)}, nil
	}
	return nil, nil
}
