package step

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
	"fate-installer/payload/count"
)

// NewSuffix is added to the name of a configuration file that an operator has edited: the version that the
// installer would have written is put next to it.
const NewSuffix = ".fate-new"

// File is a file with its content and mode.
type File struct {
	Path    string
	Content []byte `json:"-"`
	Perm    fs.FileMode
	Owner   string
	Group   string
	Secret  bool // the content must never be shown, and others must not be able to read it

	// KeepEdits respects what an operator changed in the file since we wrote it: that version stays, ours is
	// put next to it (see [NewSuffix]), and both facts are reported. Env.Force overwrites.
	KeepEdits bool
}

// ID implements [engine.Step].
func (f File) ID() string { return kindFile + ":" + f.Path }

// Describe implements [engine.Describer].
func (f File) Describe() string {
	secret := ""
	if f.Secret {
		secret = ", holds a secret"
	}
	return fmt.Sprintf("file %s, %s, mode %s%s%s", f.Path, count.Of(len(f.Content), "byte"), octal(f.mode().Perm),
		ownedBy(f.Owner, f.Group), secret)
}

// mode is the mode of the file. Without one it is readable by all, and with a secret by the owner alone.
func (f File) mode() host.FileMode {
	perm := f.Perm
	switch {
	case perm == 0 && f.Secret:
		perm = 0o600
	case perm == 0:
		perm = 0o644
	}
	return host.FileMode{Perm: perm, Owner: f.Owner, Group: f.Group}
}

// Check implements [engine.Step].
func (f File) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	if f.Secret && f.mode().Perm&0o007 != 0 {
		return engine.Finding{}, fmt.Errorf("cannot write %s with mode %s: it holds a secret", f.Path,
			octal(f.mode().Perm))
	}
	now, content, err := readState(env, f.Path)
	if err != nil {
		return engine.Finding{}, err
	}
	mark := engine.Hash(f.Content)
	if f.isEdited(env, now) {
		return f.checkNew(env, now, mark)
	}
	why := f.differs(env, now, content)
	if why == "" {
		return engine.Finding{Done: true}, nil
	}
	finding := todo(why, now, mark)
	finding.SameContent = now.Kind == isFile && now.Hash == mark
	finding.Edited = now.Kind == isFile && f.isForeign(env, now)
	return finding, nil
}

// isForeign reports whether what is there now is nothing that we ever wrote, although we completed the file once.
func (f File) isForeign(env *engine.Env, now prior) bool {
	return now.Hash != engine.Hash(f.Content) && env.Ledger.Completed(f.ID()) &&
		!slices.Contains(env.Ledger.Wrote(f.ID()), now.Hash)
}

// isEdited reports whether an operator's version of the file has to be respected.
func (f File) isEdited(env *engine.Env, now prior) bool {
	return f.KeepEdits && !env.Force && now.Kind == isFile && f.isForeign(env, now)
}

// checkNew checks our version next to the edited one.
func (f File) checkNew(env *engine.Env, edited prior, mark string) (engine.Finding, error) {
	note := fmt.Sprintf("%s is kept as edited; the version for this release is %s", f.Path, f.Path+NewSuffix)
	next, err := hashState(env, f.Path+NewSuffix)
	if err != nil {
		return engine.Finding{}, err
	}
	if next.Kind == isFile && next.Hash == mark {
		return engine.Finding{Done: true, Note: note}, nil
	}
	finding := todo("it was edited, and our version is not next to it", edited, mark)
	finding.Note, finding.Kept = note, true
	return finding, nil
}

func (f File) differs(env *engine.Env, now prior, content []byte) string {
	switch {
	case now.Kind == absent:
		return "it does not exist"
	case now.Kind == isLink:
		return "it is a link to " + now.Target
	case !bytes.Equal(content, f.Content):
		return fmt.Sprintf("its content differs (%s, want %d)", count.Of(len(content), "byte"), len(f.Content))
	case f.KeepEdits && env.Host.Exists(f.Path+NewSuffix):
		return "a stale " + NewSuffix + " is next to it"
	}
	return modeDiffers(env.Host, parseOctal(now.Perm), now.Owner, now.Group, f.mode())
}

// Apply implements [engine.Step].
func (f File) Apply(_ context.Context, env *engine.Env) error {
	now, content, err := readState(env, f.Path)
	if err != nil {
		return err
	}
	if f.isEdited(env, now) {
		return env.Host.WriteFile(f.Path+NewSuffix, f.Content, f.mode())
	}
	if now.Kind == isFile && bytes.Equal(content, f.Content) {
		return f.settle(env)
	}
	if err := replace(env, f.Path, f.Content, f.mode()); err != nil {
		return err
	}
	return f.settle(env)
}

// settle puts right what is not the content.
func (f File) settle(env *engine.Env) error {
	if err := env.Host.SetMode(f.Path, f.mode()); err != nil {
		return err
	}
	if !f.KeepEdits {
		return nil
	}
	return env.Host.Remove(f.Path + NewSuffix)
}

// Undo implements [engine.Undoer].
func (File) Undo(_ context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[prior](raw)
	if err != nil {
		return err
	}
	marks := env.Ledger.Wrote(File{Path: before.Path}.ID())
	if err := dropNew(env, before.Path+NewSuffix, marks); err != nil {
		return err
	}
	if env.Purge && before.Kind == absent { // an edit of a file that would not exist without us
		if err := env.Host.Remove(before.Path); err != nil {
			return err
		}
	}
	return before.putBack(env, marks)
}

// dropNew removes a version that we put next to an edited file, if it is still as we wrote it.
func dropNew(env *engine.Env, path string, marks []string) error {
	next, err := hashState(env, path)
	if err != nil || next.Kind != isFile || !slices.Contains(marks, next.Hash) {
		return err
	}
	return env.Host.Remove(path)
}

// Remains implements [engine.Remainer].
func (File) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[prior](raw)
	if err != nil {
		return nil, err
	}
	return before.remains(env, env.Ledger.Wrote(File{Path: before.Path}.ID()))
}
