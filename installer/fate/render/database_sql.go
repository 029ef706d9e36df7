package render

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"fate-installer/installer/database"
	"fate-installer/installer/fate/cluster"
)

// DatabaseSQL lists the statements with which the administrator of an outside server makes the schemas and accounts of
// the whole side, with least rights. The service account can make everything else then. A blank password stands for a
// text to be replaced. ok is false when the side has no outside database.
func DatabaseSQL(s *cluster.Spec, password string) (statements []string, ok bool) {
	db, ok := sideDatabase(s)
	if !ok {
		return nil, false
	}
	if password == "" {
		password = "PASSWORD OF " + s.Side.MySQL.User
	}
	for _, schema := range db.Schemas {
		statements = append(statements,
			fmt.Sprintf("CREATE DATABASE IF NOT EXISTS %s CHARACTER SET %s;", sqlName(schema.Name), schema.Charset))
	}
	for _, u := range db.Users {
		account := SQLText(u.Name) + "@" + SQLText(u.Host)
		statements = append(statements,
			fmt.Sprintf("CREATE USER IF NOT EXISTS %s IDENTIFIED BY %s;", account, SQLText(password)))
		for _, schema := range u.Schemas {
			// In a GRANT the name is a pattern.
			pattern := strings.NewReplacer("_", `\_`, "%", `\%`).Replace(schema)
			statements = append(statements,
				fmt.Sprintf("GRANT %s ON %s.* TO %s;", strings.Join(database.ServiceRights(), ", "),
					sqlName(pattern), account))
		}
	}
	return statements, true
}

// DatabaseRemovalSQL lists the statements that remove from an outside server all that the side has there, data and
// models included. ok is false when the side has no outside database.
func DatabaseRemovalSQL(s *cluster.Spec) (statements []string, ok bool) {
	db, ok := sideDatabase(s)
	if !ok {
		return nil, false
	}
	for _, u := range db.Users {
		statements = append(statements, fmt.Sprintf("DROP USER IF EXISTS %s@%s;", SQLText(u.Name), SQLText(u.Host)))
	}
	for _, schema := range db.Schemas {
		statements = append(statements, fmt.Sprintf("DROP DATABASE IF EXISTS %s;", sqlName(schema.Name)))
	}
	return statements, true
}

// sideDatabase is the outside database of the side with what every host of it needs.
func sideDatabase(s *cluster.Spec) (Database, bool) {
	db, ok := DatabaseOf(s)
	if !ok || db.Inside {
		return db, false
	}
	db.Schemas, db.Users, db.Nodes = nil, nil, nil
	fillDatabase(s, &db, func(ips []string) []string { return ips })
	return db, true
}

// Server is the address of the server, as host:port.
func (db Database) Server() string { return net.JoinHostPort(db.Host, strconv.Itoa(db.Port)) }

// sqlName quotes a name for MySQL.
func sqlName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// SQLText quotes a text for MySQL with its default sql_mode, in which a backslash escapes.
func SQLText(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''", "\n", `\n`, "\x00", `\0`).Replace(text) + "'"
}
