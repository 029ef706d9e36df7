package fate

import (
	"path"
	"slices"

	"fate-installer/installer/database"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/schema"
)

// addDatabase initialises the database while other components are still being unpacked, starts it, and gives its
// clients their schemas and accounts before any of them runs.
func (p *planner) addDatabase() error {
	db, ok := render.DatabaseOf(p.part)
	if !ok {
		return nil
	}
	address := db.Address()
	if !db.Manage {
		p.addSchemaUpgrades(db, address, p.files)
		return nil
	}
	accounts := render.DatabaseAccounts(db)
	after := p.files
	if db.Home != "" {
		ready := slices.Concat(p.afterTree(db.Engine), p.inDirectory(db.Data),
			p.inDirectory(path.Join(db.Logs, "init.log")),
			p.system)
		initialised := p.add(db.Engine, "database in "+db.Data, 400, database.Init{
			Server: database.Server{
				Flavour: database.Flavour(db.Engine), Home: db.Home, Program: cluster.DatabaseServer(db.Engine),
				Data: db.Data,
				User: p.spec.User, Group: p.spec.Group, LibraryPath: p.spec.LibraryPaths[db.Engine],
				Format: render.DatabaseFormat(p.spec),
			},
			RootPassword: database.Password(db.AdminPassword.Reveal()), Accounts: accounts,
			Log:    path.Join(db.Logs, "init.log"),
			Socket: db.Socket, FormerRootPasswords: render.FormerAdminPasswords(p.spec),
		}, ready...)
		// The server need not wait for the files of other components, whose trees may take long to unpack.
		started := p.addProgram(cluster.MySQL.Program(),
			slices.Concat(p.afterTree(db.Engine), p.filesOf[db.Engine], []string{initialised}))
		after = []string{started}
	}
	after = append(slices.Clone(after), p.afterTreeIfAny("eggroll")...)
	p.database = []string{p.add(db.Engine, "schemas and accounts", 20, render.DatabaseStep(p.spec, db), after...)}
	p.addSchemaUpgrades(db, address, p.database)
	return nil
}

// databaseLogin returns the steps before the readiness probe's login is written: the server must know its
// password.
func (p *planner) databaseLogin(f render.File) []string {
	db, ok := render.DatabaseOf(p.part)
	if f.Path != render.ProbeConf(p.spec) || !ok || !db.Manage || db.Home == "" {
		return nil
	}
	return []string{database.Init{Server: database.Server{Data: db.Data}}.ID()}
}

func (p *planner) afterTreeIfAny(name string) []string {
	if p.trees[name] == "" {
		return nil
	}
	return p.afterTree(name)
}

// addSchemaUpgrades brings the tables of what was installed here before, or of data that an uninstall kept, to those of
// the release that is installed now.
func (p *planner) addSchemaUpgrades(db render.Database, address database.Address, after []string) {
	for _, u := range render.SchemaUpgrades(p.part) {
		u.Address = address
		deps := slices.Concat(after, p.afterTreeIfAny("eggroll"))
		if u.Part == schema.Flow {
			deps = slices.Concat(after, p.afterTreeIfAny("fate"))
		}
		id := p.add(db.Engine, "tables of "+u.Schema, 20, u, deps...)
		p.schemas[u.Schema] = append(p.schemas[u.Schema], id)
	}
}
