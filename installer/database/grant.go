package database

import (
	"context"
	"database/sql"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Grant is a line of SHOW GRANTS: rights on the tables of some schemas.
type Grant struct {
	Rights []string // upper case, such as SELECT, CREATE USER, ALL PRIVILEGES
	Schema string   // a pattern of LIKE; blank: every schema, and the rights that belong to none
	Option bool     // may be granted to others
}

// allPrivileges stands for every right.
const allPrivileges = "ALL PRIVILEGES"

// serviceRights are the rights on a schema that FATE-Flow and eggroll use: they make their tables themselves, and
// change them when a release needs it.
var serviceRights = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "INDEX", "ALTER"}

// grantLine takes GRANT rights ON scope TO account apart. The scope is *.* or `schema`.*; what names a table or a
// routine is of no use here.
var grantLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("^GRANT (.+?) ON (?:\\*\\.\\*|`((?:[^`]|``)*)`\\.\\*) TO (.*)$")
})

// parseGrant reads a line of SHOW GRANTS. ok is false for those that give a role, or rights on single tables.
func parseGrant(line string) (g Grant, ok bool) {
	m := grantLine().FindStringSubmatch(line)
	if m == nil {
		return g, false
	}
	for right := range strings.SplitSeq(m[1], ",") {
		g.Rights = append(g.Rights, strings.ToUpper(strings.TrimSpace(right)))
	}
	g.Schema = strings.ReplaceAll(m[2], "``", "`")
	g.Option = strings.Contains(m[3], " WITH GRANT OPTION")
	return g, true
}

// covers reports whether the grant is for a schema. Blank stands for rights that belong to no schema.
func (g Grant) covers(schema string) bool {
	if g.Schema == "" {
		return true
	}
	var pattern strings.Builder
	for rest := g.Schema; rest != ""; {
		switch {
		case len(rest) > 1 && rest[0] == '\\':
			pattern.WriteString(regexp.QuoteMeta(rest[1:2]))
			rest = rest[1:]
		case rest[0] == '%':
			pattern.WriteString(".*")
		case rest[0] == '_':
			pattern.WriteString(".")
		default:
			pattern.WriteString(regexp.QuoteMeta(rest[:1]))
		}
		rest = rest[1:]
	}
	found, err := regexp.MatchString("(?is)^"+pattern.String()+"$", schema)
	return err == nil && found
}

// missingRights lists which of some rights on a schema no grant gives.
func missingRights(grants []Grant, schema string, rights []string) []string {
	var missing []string
	for _, right := range rights {
		if !slices.ContainsFunc(grants, func(g Grant) bool {
			return g.covers(schema) && (slices.Contains(g.Rights, right) || slices.Contains(g.Rights, allPrivileges))
		}) {
			missing = append(missing, right)
		}
	}
	return missing
}

// mayGrant reports whether the rights on a schema may be given to others.
func mayGrant(grants []Grant, schema string) bool {
	return slices.ContainsFunc(grants, func(g Grant) bool { return g.Option && g.covers(schema) })
}

// readGrants runs a SHOW GRANTS statement; roles says that there are lines that give roles.
func readGrants(
	ctx context.Context, db *sql.DB, statement string, args ...any,
) (grants []Grant, roles bool, err error) {
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, false, err
		}
		if g, ok := parseGrant(line); ok {
			grants = append(grants, g)
		} else if !strings.Contains(line, " ON ") {
			roles = true
		}
	}
	return grants, roles, rows.Err()
}

// ownGrants lists the rights of the account that is logged in, with those of its active roles.
func ownGrants(ctx context.Context, db *sql.DB) ([]Grant, error) {
	grants, roles, err := readGrants(ctx, db, "SHOW GRANTS")
	if err != nil || !roles {
		return grants, err
	}
	var active string
	err = db.QueryRowContext(ctx, "SELECT CURRENT_ROLE()").Scan(&active)
	if err != nil || !strings.HasPrefix(active, "`") {
		return grants, nil // MariaDB lists the rights of the role by itself
	}
	withRoles, _, err := readGrants(ctx, db, "SHOW GRANTS FOR CURRENT_USER() USING "+active) // quoted by the server
	return withRoles, err
}

// upgradeRights are the rights that upstream's SQL files for upgrades use: they make procedures, call and drop them.
var upgradeRights = []string{"CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE"}

// ServiceRights are the rights that the service account needs on its schemas, as for GRANT, those for upgrades too.
func ServiceRights() []string { return slices.Concat(serviceRights, upgradeRights) }
