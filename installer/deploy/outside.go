package deploy

import (
	"fate-installer/installer/fate/render"
)

// OutsideLeft lists what an uninstall leaves on a database server that is not ours.
type OutsideLeft struct {
	Server     string   `json:"server"`     // the address of the server
	Statements []string `json:"statements"` // that remove it
}

// leftOutside reads from what is stored of the installation whether it uses an outside database. It is nil when it does
// not, or when too little is left of a broken installation to know.
func (i *Installation) leftOutside() *OutsideLeft {
	stored, err := LoadSite(i.host, i.Layout())
	if err != nil || stored == nil {
		return nil
	}
	spec, err := storedSpec(i.host, i.cmd.Base, stored)
	if err != nil {
		return nil
	}
	statements, ok := render.DatabaseRemovalSQL(spec)
	if !ok {
		return nil
	}
	db, _ := render.DatabaseOf(spec)
	return &OutsideLeft{db.Server(), statements}
}
