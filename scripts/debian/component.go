package debian

import (
	"path"

	"fate-installer/bundle"
)

// Component describes the software of packages, everything below usr of each, as one component of an appliance. dir is
// where they were downloaded to, relative to the lock file.
func Component(name, dir string, packages []Package) bundle.Component {
	c := bundle.Component{Name: name, Version: packages[0].Upstream()}
	for _, p := range packages {
		c.Sources = append(c.Sources, bundle.Source{
			Path: path.Join(dir, p.File), Format: bundle.FormatDeb, SHA256: p.SHA256, Size: p.Size,
			Include: []string{"usr"},
		})
	}
	return c
}
