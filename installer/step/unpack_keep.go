package step

import (
	"fmt"
	"path"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// hasData reports whether there is a file, or a directory that is not empty.
func hasData(env *engine.Env, p string) bool {
	fi, err := env.Host.Lstat(p)
	if err != nil || !fi.IsDir() {
		return err == nil
	}
	entries, err := env.Host.ReadDir(p)
	return err != nil || len(entries) > 0
}

// moveKept moves the data of one tree to another. Data is never overwritten.
func moveKept(env *engine.Env, keep []string, from, to string) error {
	for _, k := range keep {
		src, dst := path.Join(from, k), path.Join(to, k)
		if !hasData(env, src) {
			continue
		}
		if hasData(env, dst) {
			return fmt.Errorf("cannot move %s to %s: there is data in both", src, dst)
		}
		if err := env.Host.Remove(dst); err != nil {
			return err
		}
		if err := makeDirsLike(env, path.Dir(k), from, to); err != nil {
			return err
		}
		if err := env.Host.Rename(src, dst); err != nil {
			return err
		}
	}
	return nil
}

// makeDirsLike makes the directory rel of one tree, and the root itself, with the modes that they have in another.
func makeDirsLike(env *engine.Env, rel, from, to string) error {
	src, dst := path.Join(from, rel), path.Join(to, rel)
	if env.Host.Exists(dst) {
		return nil
	}
	if rel != "." {
		if err := makeDirsLike(env, path.Dir(rel), from, to); err != nil {
			return err
		}
	}
	fi, err := env.Host.Lstat(src)
	if err != nil {
		return err
	}
	owner, group, err := env.Host.Owner(src)
	if err != nil {
		return err
	}
	return env.Host.Mkdir(dst, host.FileMode{Perm: fi.Mode().Perm(), Owner: owner, Group: group})
}
