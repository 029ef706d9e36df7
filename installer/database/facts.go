package database

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fate-installer/installer/host"
)

// Facts has the results of a login to a database server, before anything is done there.
type Facts struct {
	Error   string // why nothing is known; blank when the login succeeded
	Refused bool   // the server answered, and refused the login

	As         string // the account that the server matched, as user@host
	Seen       string // the address that the server sees this host at
	Encryption string // version and cipher of TLS; blank when the connection is not encrypted

	Version             string
	SQLMode             string
	Charset             string // the server's default
	Zone                string
	MaxConnections      int
	LowerCaseTableNames int

	Grants   []Grant
	Schemas  map[string]string // name -> character set, of those that the account may see
	Accounts []AccountFact     // of the wanted accounts, tried on an outside server
	Others   []string          // user@host of accounts that are not ours, on a server of ours
}

// Ask logs in as the administrator and reads what a check wants to know. It changes nothing.
func (d Contents) Ask(ctx context.Context, h *host.Host) Facts {
	f := Facts{Schemas: map[string]string{}}
	admin, _, err := d.connect(ctx, h)
	if err == nil {
		defer admin.db.Close()
		err = admin.describe(ctx, &f)
	}
	if err == nil && d.isSocket() {
		f.Others, err = admin.otherAccounts(ctx, d.Accounts)
	}
	if err != nil {
		f.Error, f.Refused = err.Error(), LoginRefused(err) || serverError(err, errHostNotAllowed)
		return f
	}
	if admin.outside != nil {
		for _, account := range d.Accounts {
			f.Accounts = append(f.Accounts, admin.tryAccount(ctx, account))
		}
	}
	return f
}

// describe reads the facts of the server and of the session.
func (a *administrator) describe(ctx context.Context, f *Facts) error {
	var seen string
	row := a.db.QueryRowContext(ctx, "SELECT VERSION(), CURRENT_USER(), USER(), @@global.sql_mode, "+
		"@@global.character_set_server, IF(@@global.time_zone = 'SYSTEM', @@global.system_time_zone, "+
		"@@global.time_zone), "+
		"@@global.max_connections, @@global.lower_case_table_names")
	err := row.Scan(&f.Version, &f.As, &seen, &f.SQLMode, &f.Charset, &f.Zone, &f.MaxConnections,
		&f.LowerCaseTableNames)
	if err != nil {
		return fmt.Errorf("cannot read the settings of the database server: %w", err)
	}
	f.Seen = seen[strings.LastIndexByte(seen, '@')+1:]
	if f.Encryption, err = sessionTLS(ctx, a.db); err != nil {
		return err
	}
	if f.Grants, err = ownGrants(ctx, a.db); err != nil {
		return fmt.Errorf("cannot list the rights of %s: %w", f.As, err)
	}
	rows, err := a.db.QueryContext(ctx,
		"SELECT schema_name, default_character_set_name FROM information_schema.schemata")
	if err != nil {
		return fmt.Errorf("cannot list the schemas: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, charset string
		if err := rows.Scan(&name, &charset); err != nil {
			return fmt.Errorf("cannot list the schemas: %w", err)
		}
		f.Schemas[name] = charset
	}
	return rows.Err()
}

// reservedUsers are accounts that servers make for themselves.
var reservedUsers = []string{"mysql.session", "mysql.sys", "mysql.infoschema", "mariadb.sys"}

// otherAccounts lists the accounts of a server of ours that we did not make; an anonymous one has a blank name.
func (a *administrator) otherAccounts(ctx context.Context, ours []Account) ([]string, error) {
	query := "SELECT user, host FROM mysql.user ORDER BY user, host"
	if a.mariaDB {
		query = "SELECT user, host FROM mysql.user WHERE is_role <> 'Y' ORDER BY user, host"
	}
	rows, err := a.db.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("cannot list the accounts: %w", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var user, from string
		if err := rows.Scan(&user, &from); err != nil {
			return nil, fmt.Errorf("cannot list the accounts: %w", err)
		}
		known := user == rootAccount && from == rootHost || slices.Contains(reservedUsers, user) ||
			slices.ContainsFunc(ours, func(o Account) bool { return o.Name == user && slices.Contains(o.Hosts, from) })
		if !known {
			out = append(out, user+"@"+from)
		}
	}
	return out, rows.Err()
}

// Missing lists the rights that the account of the facts lacks for what d makes, as for GRANT: "CREATE USER on *.*". It
// is empty when the account can do all of it, or when the administrator of an outside server has done it already.
func (d Contents) Missing(f Facts) []string {
	var missing []string
	need := func(schema string, rights ...string) {
		scope := "*.*"
		if schema != "" {
			scope = schema + ".*"
		}
		for _, right := range missingRights(f.Grants, schema, rights) {
			if text := right + " on " + scope; !slices.Contains(missing, text) {
				missing = append(missing, text)
			}
		}
	}
	for _, s := range d.Schemas {
		charset, exists := f.Schemas[s.Name]
		switch {
		case !exists:
			need(s.Name, "CREATE")
		case s.Charset != "" && !sameCharset(charset, s.Charset):
			need(s.Name, "ALTER")
		}
		if s.Script != "" {
			need(s.Name, "SELECT", "CREATE", "INDEX")
		}
	}
	for _, r := range d.Rows {
		need(r.Schema, "SELECT", "INSERT", "UPDATE", "DELETE")
	}
	for i, account := range d.Accounts {
		var have []Grant
		switch {
		case i < len(f.Accounts) && f.Accounts[i].Error == "":
			have = f.Accounts[i].Grants
		default:
			need("", "CREATE USER")
		}
		for _, schema := range account.Schemas {
			if len(missingRights(have, schema, serviceRights)) == 0 {
				continue
			}
			need(schema, ServiceRights()...) // which it is given
			if !mayGrant(f.Grants, schema) {
				missing = append(missing, "GRANT OPTION on "+schema+".*")
			}
		}
	}
	return missing
}
