package step

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// docDirs are the directories of Docs.
var docDirs = []string{ManDir, CompletionDir}

// docsLeftDir says why the files of a directory were left out. No installation fails for the sake of its documentation.
type docsLeftDir struct {
	Why    string `json:"why"`
	Failed bool   `json:"failed,omitempty"` // a change failed, although nothing stood in its way that could be seen
}

// unusable says why no file can be written into a directory, if that can be seen without a change; blank: it cannot. A
// directory that does not exist is made in the closest one above it.
func unusable(env *engine.Env, dir string) string {
	for at := dir; ; at = path.Dir(at) {
		fi, err := env.Host.Stat(at)
		switch {
		case err == nil && !fi.IsDir():
			return at + " is not a directory"
		case err == nil:
			return unwritable(env, at)
		case errors.Is(err, syscall.ENOTDIR): // one above it is the file
		case !errors.Is(err, fs.ErrNotExist):
			return oneLine(err)
		case env.Host.Exists(at):
			return at + " is a link to nowhere"
		}
		if at == "/" {
			return ""
		}
	}
}

// unwritable asks the kernel, which knows of mounts that are read-only and of directories that are immutable.
func unwritable(env *engine.Env, dir string) string {
	f, err := env.Host.OpenDir(dir)
	if err != nil {
		return oneLine(err)
	}
	defer f.Close()
	if err := unix.Faccessat(int(f.Fd()), ".", unix.W_OK, 0); err != nil {
		return fmt.Sprintf("cannot write to %s: %v", dir, err)
	}
	return ""
}

// oneLine is the text of an error as a part of a note.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// leftDirs are the directories that are left out now, with the reasons. again says which one was left out and can be
// written now; blank: none.
func (r docsRecord) leftDirs(env *engine.Env, d Docs) (left map[string]string, again string) {
	left = map[string]string{}
	for _, dir := range docDirs {
		why := unusable(env, dir)
		was, known := r.Left[dir]
		switch {
		case why != "":
			left[dir] = why
		case known && r.Program != d.Digest: // what failed for another program is tried again
		case known && was.Failed:
			left[dir] = was.Why
		case known:
			again = cmp.Or(again, dir+" can be written now")
		}
	}
	return left, again
}

// note tells of what is not there although the step is done.
func (d Docs) note(record docsRecord, kept []string, left map[string]string, lacking map[string]bool) string {
	var notes []string
	if len(kept) > 0 {
		notes = append(notes, fmt.Sprintf("%s kept, since others wrote or edited it; remove it to get ours",
			strings.Join(kept, ", ")))
	}
	for _, dir := range docDirs {
		if _, was := record.Left[dir]; left[dir] != "" && (was || lacking[dir]) {
			notes = append(notes, fmt.Sprintf("files of %s left out: %s", dir, left[dir]))
		}
	}
	if record.Refused != "" && record.Program == d.Digest && !d.Known {
		notes = append(notes, fmt.Sprintf("no manual pages, since the installed program prints none: %s",
			record.Refused))
	}
	return strings.Join(notes, "; ")
}

// replaceDocs puts files in the place of ours and records them in the end as next. Files of others stay, and so does
// what is in a directory that cannot be changed. A run that is cut off leaves a record of all that may be ours.
func replaceDocs(env *engine.Env, record docsRecord, ours, files []Doc, next docsRecord, edited []string) error {
	next.Files, next.Left = map[string][]string{}, map[string]docsLeftDir{}
	blocked := map[string]string{}
	for _, dir := range docDirs {
		blocked[dir] = unusable(env, dir)
	}
	files = slices.DeleteFunc(slices.Clone(files), func(f Doc) bool {
		return env.Host.Exists(f.Path) && !slices.ContainsFunc(ours, func(o Doc) bool { return o.Path == f.Path })
	})
	both := docsRecord{Files: maps.Clone(record.Files)}
	if both.Files == nil {
		both.Files = map[string][]string{}
	}
	for _, f := range files {
		if blocked[path.Dir(f.Path)] == "" {
			both.Files[f.Path] = union(both.Files[f.Path], []string{engine.Hash([]byte(f.Content))})
		}
	}
	if err := both.write(env); err != nil {
		return err
	}
	// change makes a change, unless one in the same directory has failed. A fault may pass by: it is tried twice.
	change := func(file string, make func() error) bool {
		dir := path.Dir(file)
		left, stop := next.Left[dir]
		if why := blocked[dir]; why != "" {
			left, stop = docsLeftDir{Why: why}, true
		}
		if !stop && make() != nil {
			if err := make(); err != nil {
				why := unusable(env, dir)
				left, stop = docsLeftDir{Why: cmp.Or(why, oneLine(err)), Failed: why == ""}, true
			}
		}
		if stop {
			next.Left[dir] = left
		}
		return !stop
	}
	for _, f := range files {
		hash := engine.Hash([]byte(f.Content))
		if slices.Contains(ours, f) || change(f.Path, func() error { return writeDoc(env, f) }) ||
			isThere(env, f.Path, hash) {
			next.Files[f.Path] = []string{hash}
		}
	}
	for _, o := range ours {
		if !slices.ContainsFunc(files, func(f Doc) bool { return f.Path == o.Path }) {
			change(o.Path, func() error { return env.Host.Remove(o.Path) })
		}
	}
	for file, hashes := range record.Files {
		if _, written := next.Files[file]; !written && remains(env, file) {
			next.Files[file] = hashes // an uninstall removes it, or says that it stays as edited
		}
	}
	return next.write(env)
}

// isThere reports whether a write that failed has got as far as the file itself.
func isThere(env *engine.Env, file, hash string) bool {
	now, err := hashState(env, file)
	return err == nil && now.Kind == isFile && now.Hash == hash
}

// remains reports whether a recorded file is on the host, or may be behind what hides its directory.
func remains(env *engine.Env, file string) bool {
	_, err := env.Host.ReadDir(path.Dir(file))
	return env.Host.Exists(file) || err != nil && unusable(env, path.Dir(file)) != ""
}

func writeDoc(env *engine.Env, f Doc) error {
	if err := makeParents(env, f.Path); err != nil {
		return err
	}
	return env.Host.WriteFile(f.Path, []byte(f.Content), host.FileMode{Perm: 0o644})
}
