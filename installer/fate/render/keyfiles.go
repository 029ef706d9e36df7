package render

import (
	"path"
	"slices"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
)

// InstalledKeys turns key files that keys.Check has accepted into files of this host. Others are left out.
func InstalledKeys(s *cluster.Spec, files []keys.File) []File {
	var out []File
	for _, f := range files {
		name := path.Join(s.Layout.Keys(), f.Name)
		if !slices.Contains(s.KeyFiles().Paths(), name) {
			continue
		}
		out = append(out, File{
			Path: name, Content: f.Content, Perm: PermSecret, Given: true,
			Secret: path.Ext(f.Name) == ".key", Component: "eggroll", Programs: running(s, cluster.Rollsite),
		})
	}
	return out
}
