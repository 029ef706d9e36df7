package preflight

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/database"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
)

// modelStore refuses a database that the model store cannot lock its models in.
func (p *preflight) modelStore() {
	if !storesModels(p.s.Side) || !p.s.LogsIn() {
		return
	}
	r := p.check("model-store", "the database has the locks that the model store needs", "MySQL 8")
	side := p.s.Side
	server := p.s.DatabaseEngine()
	if side.MySQL.Ours() && p.s.Versions[server] != "" {
		server += " " + p.s.Versions[server]
	}
	if !side.MySQL.Ours() {
		addr := net.JoinHostPort(cluster.FirstAddress(side.MySQL.IPs), strconv.Itoa(side.MySQL.Port))
		if server = serverVersion(p.f.Peers, addr); server == "" {
			r.measured("the database at %s does not say what it is", addr).end(StatusSkipped)
			return
		}
	}
	r.measured("%s", server)
	if strings.Contains(strings.ToLower(server), "mariadb") {
		r.refuse("%s (%s)", lockRemedy, lockWhy)
		return
	}
	r.ok()
}

// database holds the answer of the database server against what this host needs of it. A server of ours that does not
// run yet has no answer.
func (p *preflight) database() {
	db, ok := render.DatabaseOf(p.s)
	switch {
	case !ok || !db.Manage:
	case db.Inside && p.in.Database != nil && p.in.Database.Error == "":
		p.databaseAccounts()
	case !db.Inside:
		p.outsideDatabase(db)
	}
}

// databaseAccounts names the accounts that someone made on our server. Each is a way to the party's data.
func (p *preflight) databaseAccounts() {
	const wanted = "root@localhost and those of the cluster file"
	r := p.check("database-accounts", "the database has no accounts but ours", wanted)
	others := p.in.Database.Others
	if len(others) == 0 {
		r.measured("no others").ok()
		return
	}
	names, drops := make([]string, len(others)), make([]string, len(others))
	for i, account := range others {
		at := strings.LastIndexByte(account, '@')
		names[i] = account
		if at == 0 {
			names[i] = "anonymous" + account
		}
		drops[i] = fmt.Sprintf("%s@%s", render.SQLText(account[:at]), render.SQLText(account[at+1:]))
	}
	r.measured("also %s", strings.Join(names, ", ")).
		warn("remove those that nothing uses, as root of the database: DROP USER %s", strings.Join(drops, ", "))
}

// outsideDatabase checks the login, the server's settings, and the rights that are needed there.
func (p *preflight) outsideDatabase(db render.Database) {
	addr := db.Server()
	r := p.check("database", "the database server at "+addr+" lets this host in", "a login as "+db.AdminUser)
	f := p.in.Database
	if f == nil {
		r.measured("not asked").end(StatusSkipped)
		return
	}
	if f.Error != "" {
		r.measured("%s", f.Error)
		switch {
		case f.Refused && db.AsService:
			r.refuse("have the database's administrator run what this prints: fate-installer config sql --for-dba; " +
				"or name an " +
				"administrator, at the top level of the cluster file: mysql: {user: NAME, passwd: PASSWORD}")
		case f.Refused:
			r.refuse("correct the administrator at the top level of the cluster file: mysql: {user: NAME, passwd: " +
				"PASSWORD}; " +
				"or leave it out, and have the database's administrator run what this prints: fate-installer config " +
				"sql --for-dba")
		default:
			r.refuse("check that the server at %s runs and that this host may connect to it", addr)
		}
		return
	}
	encryption := "not encrypted"
	if f.Encryption != "" {
		encryption = "encrypted with " + f.Encryption
	}
	r.Shown = true
	r.measured("%s, as %s, %s", f.Version, f.As, encryption).ok()
	p.databaseSettings(f)
	p.databaseRights(db, f)
}

// Connections that the programs of a party keep: each FATE-Flow's pools are rendered with 100 and 10, the rest is for
// other modules.
const (
	connectionsPerFlow = 110
	connectionsOfRest  = 40
)

// databaseSettings shows the settings on which the behaviour of an outside server depends. Seen with real jobs: a zone
// other than UTC and lower_case_table_names=1 do no harm.
func (p *preflight) databaseSettings(f *database.Facts) {
	need := connectionsPerFlow*len(p.s.Side.FateFlow.IPs) + connectionsOfRest
	wanted := fmt.Sprintf("max_connections of %d or more", need)
	r := p.check("database-settings", "the settings of the database server suit FATE", wanted).
		measured("max_connections %d, character set %s, zone %s, lower_case_table_names %d, sql_mode %s",
			f.MaxConnections, f.Charset, f.Zone, f.LowerCaseTableNames, orNone(f.SQLMode))
	if f.MaxConnections < need {
		r.warn("have its administrator raise it: SET GLOBAL max_connections = %d, and in the server's option file",
			need)
		return
	}
	r.ok()
}

// byScope joins the rights on the same scope, "SELECT on s.*" and "CREATE on s.*" to one text.
func byScope(rights []string) []string {
	var scopes, out []string
	of := map[string][]string{}
	for _, right := range rights {
		name, scope, _ := strings.Cut(right, " on ")
		if of[scope] == nil {
			scopes = append(scopes, scope)
		}
		of[scope] = append(of[scope], name)
	}
	for _, scope := range scopes {
		out = append(out, strings.Join(of[scope], ", ")+" on "+scope)
	}
	return out
}

// databaseRights refuses an account that cannot make what is not there yet.
func (p *preflight) databaseRights(db render.Database, f *database.Facts) {
	r := p.check("database-rights", "the schemas and accounts of the party are there, or can be made",
		"rights of "+f.As)
	if missing := render.DatabaseStep(p.s, db).Missing(*f); len(missing) > 0 {
		r.measured("missing: %s", strings.Join(byScope(missing), "; ")).
			refuse("give them to %s, or have the database's administrator run what this prints: "+
				"fate-installer config sql --for-dba", f.As)
		return
	}
	failed := slices.ContainsFunc(f.Accounts, func(a database.AccountFact) bool { return a.Error != "" })
	if failed && f.Seen != p.s.IP {
		r.measured("the server sees this host as %s, and install makes the account for %s", f.Seen, p.s.IP).
			refuse("have the database's administrator make the account %s for %s", p.s.Side.MySQL.User, f.Seen)
		return
	}
	var made []string
	for _, a := range f.Accounts {
		if a.Error == "" {
			made = append(made, a.As)
		}
	}
	r.measured("enough; there already: %s", orNone(strings.Join(made, ", "))).ok()
}
