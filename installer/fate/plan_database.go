package fate

import (
	"fmt"
	"path"
	"slices"

	"fate-installer/installer/database"
	"fate-installer/installer/schema"
)

// addDatabase initialises the database while other components are still being unpacked, starts it, and gives its
// clients their schemas and accounts before any of them runs.
func (p *planner) addDatabase() error {
	db, ok := p.part.Database()
	if !ok {
		return nil
	}
	address := db.address()
	if !db.Manage {
		p.database = p.addSchemaUpgrades(db, address, p.files)
		return nil
	}
	accounts := databaseAccounts(db)
	after := p.files
	if db.Home != "" {
		ready := slices.Concat(p.afterTree(db.Engine), p.inDirectory(db.Data),
			p.inDirectory(path.Join(db.Logs, "init.log")),
			p.system)
		initialised := p.add(db.Engine, "database in "+db.Data, 400, database.Init{
			Server: database.Server{
				Flavour: database.Flavour(db.Engine), Home: db.Home, Program: DatabaseServer(db.Engine), Data: db.Data,
				User: p.spec.User, Group: p.spec.Group, LibraryPath: p.spec.LibraryPaths[db.Engine],
				Format: databaseFormat(myCnf(p.spec)),
			},
			RootPassword: database.Password(db.AdminPassword.Reveal()), Accounts: accounts,
			Log:    path.Join(db.Logs, "init.log"),
			Socket: db.Socket, FormerRootPasswords: p.spec.formerAdminPasswords(),
		}, ready...)
		// The server need not wait for the files of other components, whose trees may take long to unpack.
		started := p.addProgram(MySQL.Program(),
			slices.Concat(p.afterTree(db.Engine), p.filesOf[db.Engine], []string{initialised}))
		after = append(slices.Clone(p.files), started)
	}
	after = append(slices.Clone(after), p.afterTreeIfAny("eggroll")...)
	p.database = []string{p.add(db.Engine, "schemas and accounts", 20, p.spec.databaseStep(db), after...)}
	p.database = append(p.database, p.addSchemaUpgrades(db, address, p.database)...)
	return nil
}

// address is where this host reaches the server.
func (db Database) address() database.Address {
	if db.Home != "" {
		return database.Address{Socket: db.Socket}
	}
	return database.Address{Host: db.Host, Port: db.Port}
}

// databaseStep returns the step that fills the database.
func (s *Spec) databaseStep(db Database) database.Contents {
	return database.Contents{
		Address: db.address(), Admin: db.AdminUser, AdminPassword: database.Password(db.AdminPassword.Reveal()),
		FormerPasswords: s.formerAdminPasswords(),
		Schemas:         databaseSchemas(db), Accounts: databaseAccounts(db), Rows: databaseRows(db),
	}
}

// DatabaseQuestion is the login and the wants with which a check asks the database server that this host sees to. ok is
// false when there is none.
func (s *Spec) DatabaseQuestion() (question database.Contents, ok bool) {
	db, ok := s.Database()
	if !ok || !db.Manage {
		return database.Contents{}, false
	}
	return s.databaseStep(db), true
}

// formerAdminPasswords are tried when the server refuses the present one: a change of passwords may have been cut off.
func (s *Spec) formerAdminPasswords() []database.Password {
	var out []database.Password
	for _, former := range s.SecretRecords["mysql_root"].Former {
		out = append(out, database.Password(former.Reveal()))
	}
	return out
}

// databaseLogin returns the steps before the readiness probe's login is written: the server must know its
// password.
func (p *planner) databaseLogin(f File) []string {
	db, ok := p.part.Database()
	if f.Path != p.spec.ProbeConf() || !ok || !db.Manage || db.Home == "" {
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

// databaseAccounts groups the accounts by what they may do: one account, several places to come from.
func databaseAccounts(db Database) []database.Account {
	var out []database.Account
	for _, u := range db.Users {
		i := slices.IndexFunc(out, func(a database.Account) bool {
			return a.Name == u.Name && slices.Equal(a.Schemas, u.Schemas)
		})
		if i < 0 {
			out = append(out, database.Account{Name: u.Name, Password: database.Password(u.Password.Reveal()),
				Schemas: u.Schemas})
			i = len(out) - 1
		}
		out[i].Hosts = append(out[i].Hosts, u.Host)
	}
	return out
}

func databaseSchemas(db Database) []database.Schema {
	var out []database.Schema
	for _, s := range db.Schemas {
		out = append(out, database.Schema{Name: s.Name, Charset: s.Charset, Script: s.ImportFile})
	}
	return out
}

// databaseRows are eggroll's nodes. From 2.5 on it keeps their rows itself, and only those that lack are added. Before,
// the table has no unique key, and a second row for a node would start its workers twice. A node that was taken out of
// the cluster file would go on being given work, and so its row goes. The status of a nodemanager is written when its
// row is, and then set by the readiness probe of the clustermanager, which knows whether the node answers: eggroll 2.5,
// run here before a rollback, has left LOSS, with which no job starts.
func databaseRows(db Database) []database.Rows {
	var out []database.Rows
	for _, kind := range []string{nodeClusterManager, nodeNodeManager} {
		rows := database.Rows{
			Schema: db.NodesDB, Table: "server_node", ID: "server_node_id", Key: []string{"host", "port", "node_type"},
			Fill: []string{"status"}, OnlyAdd: db.NodesRegister,
		}
		if !db.NodesRegister {
			rows.Scope = "node_type"
		}
		if kind == nodeClusterManager {
			rows.Pinned = rows.Fill // no program sets it
		}
		for _, n := range db.Nodes {
			if n.Type == kind {
				rows.Values = append(rows.Values, []string{n.Host, fmt.Sprint(n.Port), n.Type, n.Status})
			}
		}
		if len(rows.Values) > 0 {
			out = append(out, rows)
		}
	}
	return out
}

// addSchemaUpgrades brings the tables of what was installed here before, or of data that an uninstall kept, to those of
// the release that is installed now.
func (p *planner) addSchemaUpgrades(db Database, address database.Address, after []string) []string {
	var ids []string
	for _, u := range p.part.SchemaUpgrades() {
		u.Address = address
		deps := slices.Concat(after, p.afterTreeIfAny("eggroll"))
		if u.Part == schema.Flow {
			deps = slices.Concat(after, p.afterTreeIfAny("fate"))
		}
		ids = append(ids, p.add(db.Engine, "tables of "+u.Schema, 20, u, deps...))
	}
	return ids
}
