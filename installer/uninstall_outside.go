package main

import (
	"fate-installer/installer/deploy"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
)

// outsideLeft lists what an uninstall leaves on a database server that is not ours.
type outsideLeft struct {
	Server     string   `json:"server"`     // the address of the server
	Statements []string `json:"statements"` // that remove it
}

// leftOutside reads from what is stored of the installation whether it uses an outside database. It is nil when it does
// not, or when too little is left of a broken installation to know.
func (d *deployment) leftOutside() *outsideLeft {
	stored, err := deploy.LoadSite(d.host, d.layout())
	if err != nil || stored == nil {
		return nil
	}
	d.machine = host.Identify(d.host)
	spec, err := d.specOf(stored)
	if err != nil {
		return nil
	}
	statements, ok := render.DatabaseRemovalSQL(spec)
	if !ok {
		return nil
	}
	db, _ := render.DatabaseOf(spec)
	return &outsideLeft{db.Server(), statements}
}

func (d *deployment) printOutside(left *outsideLeft) {
	if left == nil {
		return
	}
	d.g.printf("left on the database server at %s: the schemas and accounts of the whole side, which other hosts of\n"+
		"it may still use. These statements remove them, with all jobs and models:\n", left.Server)
	for _, s := range left.Statements {
		d.g.printf("  %s\n", s)
	}
}
