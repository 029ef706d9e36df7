package render

import (
	"fmt"
	"slices"

	"fate-installer/installer/database"
	"fate-installer/installer/fate/cluster"
)

// Address is where this host reaches the server.
func (db Database) Address() database.Address {
	if db.Home != "" {
		return database.Address{Socket: db.Socket}
	}
	return database.Address{Host: db.Host, Port: db.Port}
}

// DatabaseStep returns the step that fills the database.
func DatabaseStep(s *cluster.Spec, db Database) database.Contents {
	return database.Contents{
		Address: db.Address(), Admin: db.AdminUser, AdminPassword: database.Password(db.AdminPassword.Reveal()),
		FormerPasswords: FormerAdminPasswords(s),
		Schemas:         databaseSchemas(db), Accounts: DatabaseAccounts(db), Rows: databaseRows(db),
	}
}

// DatabaseQuestion is the login and the wants with which a check asks the database server that this host sees to. ok is
// false when there is none.
func DatabaseQuestion(s *cluster.Spec) (question database.Contents, ok bool) {
	db, ok := DatabaseOf(s)
	if !ok || !db.Manage {
		return database.Contents{}, false
	}
	return DatabaseStep(s, db), true
}

// FormerAdminPasswords are tried when the server refuses the present one: a change of passwords may have been cut off.
func FormerAdminPasswords(s *cluster.Spec) []database.Password {
	var out []database.Password
	for _, former := range s.SecretRecords["mysql_root"].Former {
		out = append(out, database.Password(former.Reveal()))
	}
	return out
}

// DatabaseAccounts groups the accounts by what they may do: one account, several places to come from.
func DatabaseAccounts(db Database) []database.Account {
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
