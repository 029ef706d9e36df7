package step

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// listName is a file in the root of every unpacked tree: the relative paths of what the component brought, one a line. With
// it a Check sees that somebody removed a part of the component, for the price of reading the directories.
const listName = ".fate-component.files"

// writeList lists the files of a staged tree.
func (u Unpack) writeList(env *engine.Env) error {
	var names []string
	err := u.walk(env, u.staging(), "", func(rel string) { names = append(names, rel) })
	if err != nil {
		return err
	}
	slices.Sort(names)
	text := strings.Join(names, "\n") + "\n"
	return env.Host.WriteFile(path.Join(u.staging(), listName), []byte(text), host.FileMode{Perm: 0o644})
}

// missing returns what the component brought and is no longer there, sorted.
func (u Unpack) missing(ctx context.Context, env *engine.Env) ([]string, error) {
	list, err := env.Host.ReadFile(path.Join(u.Target, listName))
	if notExist(err) {
		return []string{listName}, nil
	}
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, rel := range u.files(env) { // replaced by a File step, which looks after it
		there[rel] = true
	}
	if err := u.walk(env, u.Target, "", func(rel string) { there[rel] = true }); err != nil {
		return nil, err
	}
	var out []string
	for rel := range strings.Lines(string(list)) {
		if rel = strings.TrimSuffix(rel, "\n"); rel != "" && !there[rel] {
			out = append(out, rel)
		}
	}
	return out, ctx.Err()
}

// pythonCache is the name of the directories in which Python keeps compiled code.
const pythonCache = "__pycache__"

// walk calls visit for the files and links below dir of which a program has no reason to remove any: data is its own
// matter, and so is python's cache. A name with a newline could not be listed; no component has one.
func (u Unpack) walk(env *engine.Env, root, rel string, visit func(rel string)) error {
	entries, err := env.Host.ReadDir(path.Join(root, rel))
	if err != nil {
		return err
	}
	for _, e := range entries {
		at := path.Join(rel, e.Name())
		switch {
		case slices.Contains(u.Keep, at), at == markerName, at == listName, strings.Contains(at, "\n"):
		case e.IsDir():
			if e.Name() == pythonCache {
				continue
			}
			if err := u.walk(env, root, at, visit); err != nil {
				return err
			}
		default:
			visit(at)
		}
	}
	return nil
}

// describeMissing is the reason for a repair, in one line.
func describeMissing(names []string) string {
	const shown = 3
	text := strings.Join(names[:min(shown, len(names))], ", ")
	if more := len(names) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return "files of it are missing: " + text
}
