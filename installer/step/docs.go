package step

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Doc is a file with which the host documents or completes the commands of the installed program.
type Doc struct {
	Path    string `json:"path"`    // absolute; see DocDirs
	Content string `json:"content"` // text
}

// The directories of Docs: the first one of man, and the one that bash's completion reads at each login.
const (
	ManDir        = "/usr/local/share/man/man1"
	CompletionDir = "/etc/bash_completion.d"
)

// Docs are the manual pages and the completion of the installed program. They are those of the program that is
// installed, which is another one than the running one when an appliance is named with --payload: the installed one
// then prints them itself.
type Docs struct {
	Program string `json:"program"` // the path of the installed program
	Digest  string `json:"digest"`  // its sha256, in hexadecimal
	Files   []Doc  `json:"-"`       // what it prints, if the running program knows that
	Known   bool   `json:"-"`       // Files has them
}

// docsRecord is what a host has of Docs: every file that is ours, with the hashes that it may have.
type docsRecord struct {
	Program string                 `json:"program"` // digest of the program that they are of; blank: a run was cut off
	Files   map[string][]string    `json:"files"`
	Left    map[string]docsLeftDir `json:"left,omitempty"`    // directories whose files were left out
	Refused string                 `json:"refused,omitempty"` // why the program printed none
}

// docsPrior is the state before a change. The contents of the files are in the backups, as one JSON document.
type docsPrior struct {
	Program string   `json:"program,omitempty"` // digest of the program that they were of
	Backup  string   `json:"backup,omitempty"`  // hash of a list of Doc; blank: there were none
	Parents []string `json:"parents,omitempty"` // directories that had to be made, outermost first
}

// ID implements [engine.Step].
func (d Docs) ID() string { return kindDocs + ":" + d.Program }

// Describe implements [engine.Describer].
func (d Docs) Describe() string {
	return "manual pages in " + ManDir + " and completion in " + CompletionDir + " of the installed program"
}

// Check implements [engine.Step].
func (d Docs) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	record, err := readDocs(env)
	if err != nil {
		return engine.Finding{}, err
	}
	ours, edited, err := record.look(env)
	if err != nil {
		return engine.Finding{}, err
	}
	left, again := record.leftDirs(env, d)
	why, kept, lacking := d.differs(env, record, ours, edited, left)
	why = cmp.Or(why, again)
	note := d.note(record, kept, left, lacking)
	if why == "" {
		return engine.Finding{Done: true, Note: note}, nil
	}
	before, err := docsBefore(env, record, ours)
	if err != nil {
		return engine.Finding{}, err
	}
	finding := todo(why, before, d.Digest)
	finding.Note = note
	return finding, nil
}

// differs says what is not as it has to be, but for the files of directories that are left out; blank: nothing. kept
// are the files in the place of ours that others wrote, lacking the directories without some that they should have.
func (d Docs) differs(env *engine.Env, record docsRecord, ours []Doc, edited []string,
	left map[string]string) (why string, kept []string, lacking map[string]bool) {
	lacking = map[string]bool{}
	differ := func(file, how string) {
		dir := path.Dir(file)
		if left[dir] == "" {
			why = cmp.Or(why, how)
		} else {
			lacking[dir] = true
		}
	}
	switch {
	case record.Program == "" && len(record.Files) == 0:
		why = "there are none"
	case record.Program != d.Digest:
		why = "they are of another version"
	}
	for _, file := range slices.Sorted(maps.Keys(record.Files)) {
		if !slices.Contains(edited, file) && !slices.ContainsFunc(ours, func(o Doc) bool { return o.Path == file }) {
			differ(file, file+" does not exist")
		}
	}
	if !d.Known {
		for _, o := range ours {
			if !env.Host.Live() { // nothing runs in a tree that could print those of this one; what was edited stays
				differ(o.Path, "they are of another version")
			}
		}
		return why, edited, lacking
	}
	for _, f := range d.Files {
		i := slices.IndexFunc(ours, func(o Doc) bool { return o.Path == f.Path })
		switch {
		case i >= 0 && ours[i].Content != f.Content:
			differ(f.Path, f.Path+" is of another version")
		case i < 0 && env.Host.Exists(f.Path):
			kept = append(kept, f.Path)
		case i < 0:
			differ(f.Path, f.Path+" does not exist")
		}
	}
	return why, kept, lacking
}

// Apply implements [engine.Step].
func (d Docs) Apply(ctx context.Context, env *engine.Env) error {
	files, refused, err := d.files(ctx, env)
	if err != nil {
		return err
	}
	record, err := readDocs(env)
	if err != nil {
		return err
	}
	ours, edited, err := record.look(env)
	if err != nil {
		return err
	}
	if err := backupDocs(env, ours); err != nil {
		return err
	}
	return replaceDocs(env, record, ours, files, docsRecord{Program: d.Digest, Refused: refused}, edited)
}

// files are those of the installed program. One that does not print them, be it an older release, which has none, or
// one that crashes, has none for us: refused says why. No run fails for the sake of its documentation.
func (d Docs) files(ctx context.Context, env *engine.Env) (files []Doc, refused string, err error) {
	if d.Known || !env.Host.Live() {
		return d.Files, "", nil
	}
	result, err := env.Host.Run(ctx, host.Cmd{Args: []string{d.Program, "man", "--all", "-o", "json"}})
	if ctx.Err() != nil {
		return nil, "", fmt.Errorf("cannot get the manual pages of %s: %w", d.Program, context.Cause(ctx))
	}
	if err == nil {
		files, err = parseDocs(result.Stdout)
	}
	if err != nil {
		return nil, oneLine(err), nil
	}
	return files, "", nil
}

// mostDocs and mostDocBytes bound what a program prints.
const (
	mostDocs     = 1000
	mostDocBytes = 8 << 20
)

// parseDocs reads what the installed program prints. It writes to no directory but ours.
func parseDocs(text []byte) ([]Doc, error) {
	if len(text) > mostDocBytes {
		return nil, fmt.Errorf("cannot use manual pages of %d bytes: the limit is %d", len(text), mostDocBytes)
	}
	var out struct {
		Files []Doc `json:"files"`
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("cannot read the manual pages: %w", err)
	}
	if len(out.Files) > mostDocs {
		return nil, fmt.Errorf("cannot use %d manual pages: the limit is %d", len(out.Files), mostDocs)
	}
	seen := map[string]bool{}
	for _, f := range out.Files {
		dir, name := path.Split(f.Path)
		if dir != ManDir+"/" && dir != CompletionDir+"/" || !strings.HasPrefix(name, "fate-installer") ||
			strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) || seen[f.Path] {
			return nil, fmt.Errorf("cannot write the manual page %q: it is not in %s or %s", f.Path, ManDir,
				CompletionDir)
		}
		seen[f.Path] = true
	}
	return out.Files, nil
}

// Undo implements [engine.Undoer].
func (Docs) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[docsPrior](raw)
	if err != nil {
		return err
	}
	record, err := readDocs(env)
	if err != nil {
		return err
	}
	for file := range record.Files {
		if unusable(env, path.Dir(file)) != "" {
			continue // nothing can be written or removed there
		}
		if err := env.Host.Remove(host.TempName(file)); err != nil { // of a run that was cut off
			return err
		}
	}
	if err := env.Host.Remove(host.TempName(docsFile(env))); err != nil {
		return err
	}
	ours, edited, err := record.look(env)
	if err != nil {
		return err
	}
	var former []Doc
	if before.Backup != "" {
		text, err := env.Restore(before.Backup)
		if err == nil {
			err = json.Unmarshal(text, &former)
		}
		if err != nil {
			return fmt.Errorf("cannot put the former manual pages back: %w", err)
		}
	}
	if before.Program == "" && len(former) == 0 {
		return removeDocs(env, ours, edited, before.Parents)
	}
	return replaceDocs(env, record, ours, former, docsRecord{Program: before.Program}, edited)
}

// removeDocs removes ours, and the directories that were made for them.
func removeDocs(env *engine.Env, ours []Doc, edited, parents []string) error {
	for _, o := range ours {
		if err := env.Host.Remove(o.Path); err != nil {
			return err
		}
	}
	if err := env.Host.Remove(docsFile(env)); err != nil {
		return err
	}
	if err := dropParents(env, parents); err != nil {
		return err
	}
	if len(edited) > 0 {
		return &engine.LeftError{What: edited[0], Why: "it was changed after it was installed"}
	}
	return nil
}

// Remains implements [engine.Remainer].
func (Docs) Remains(_ context.Context, env *engine.Env, _ json.RawMessage) ([]string, error) {
	record, err := readDocs(env)
	if err != nil {
		return nil, err
	}
	ours, edited, err := record.look(env)
	var out []string
	for _, o := range ours {
		out = append(out, o.Path)
	}
	for _, file := range edited {
		out = append(out, file+" (changed by others)")
	}
	return out, err
}

// docsFile is where the record is.
func docsFile(env *engine.Env) string { return path.Join(env.StateDir, "docs.json") }

func readDocs(env *engine.Env) (docsRecord, error) {
	var r docsRecord
	text, err := env.Host.ReadFile(docsFile(env))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return r, fmt.Errorf("cannot read which manual pages were installed: %w", err)
	}
	return r, nil
}

func (r docsRecord) write(env *engine.Env) error {
	return env.Host.WriteFile(docsFile(env), append(pack(r), '\n'), host.FileMode{Perm: 0o644})
}

// look finds those of the recorded files that are as they were written, in the order of their paths, and the paths of
// those that others have edited. Some may be gone, or not to be reached in a directory that is left out.
func (r docsRecord) look(env *engine.Env) (ours []Doc, edited []string, err error) {
	for _, file := range slices.Sorted(maps.Keys(r.Files)) {
		now, content, err := readState(env, file)
		switch {
		case errors.Is(err, errNotFile), errors.Is(err, host.ErrTooLong):
			edited = append(edited, file)
		case err != nil && unusable(env, path.Dir(file)) != "":
		case err != nil:
			return nil, nil, err
		case now.Kind == absent:
		case now.Kind == isFile && slices.Contains(r.Files[file], now.Hash):
			ours = append(ours, Doc{file, string(content)})
		default:
			edited = append(edited, file)
		}
	}
	return ours, edited, nil
}

// docsBefore is the state for an undo. A run that was cut off has no program, and is undone to no files of ours.
func docsBefore(env *engine.Env, record docsRecord, ours []Doc) (docsPrior, error) {
	before := docsPrior{Program: record.Program}
	if len(ours) > 0 {
		before.Backup = engine.Hash(pack(ours))
	}
	for _, dir := range docDirs {
		if unusable(env, dir) != "" {
			continue // it is not made
		}
		parents, err := env.Host.MissingParents(dir)
		if err != nil {
			return before, err
		}
		before.Parents = union(before.Parents, parents)
	}
	return before, nil
}

func backupDocs(env *engine.Env, ours []Doc) error {
	if len(ours) == 0 {
		return nil
	}
	_, err := env.Backup(pack(ours))
	return err
}
