package preflight

import (
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/database"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
)

// goodAnswer is a server on which the database's administrator has made everything.
func goodAnswer() *database.Facts {
	grants := []database.Grant{
		{Rights: database.ServiceRights(), Schema: `eggroll\_meta`},
		{Rights: database.ServiceRights(), Schema: `fate\_flow`},
	}
	return &database.Facts{
		As: "dba@%", Seen: "192.168.0.1", Encryption: "TLSv1.2 AES128-GCM-SHA256", Version: "8.0.15",
		Charset: "utf8mb4",
		Zone:    "CST", MaxConnections: 151, Schemas: map[string]string{"eggroll_meta": "latin1", "fate_flow": "utf8"},
		Grants: []database.Grant{{Rights: []string{"ALL PRIVILEGES"}, Schema: "eggroll_meta"}},
		Accounts: []database.AccountFact{
			{Name: "fate", As: "fate@%", Grants: grants},
		},
	}
}

func TestPreflightOfAnOutsideDatabase(t *testing.T) {
	nothingThere := func(f *database.Facts) {
		f.Schemas, f.Accounts = nil, []database.AccountFact{{Name: "fate", Refused: true, Error: "refused"}}
	}
	for name, c := range map[string]struct {
		change   func(*database.Facts)
		id       string
		status   Status
		measured string
		remedy   string
	}{
		"login":         {nil, "database", StatusOK, "8.0.15, as dba@%, encrypted with TLSv1.2 AES128-GCM-SHA256", ""},
		"no encryption": {func(f *database.Facts) { f.Encryption = "" }, "database", StatusOK, "not encrypted", ""},
		"wrong password": {func(f *database.Facts) { f.Error, f.Refused = "no", true }, "database", StatusRefused, "no",
			"mysql: {user: NAME, passwd: PASSWORD}"},
		"unreachable": {func(f *database.Facts) { f.Error = "refused" }, "database", StatusRefused, "refused",
			"192.168.0.77:3306 runs"},
		"settings": {nil, "database-settings", StatusOK,
			"max_connections 151, character set utf8mb4, zone CST, lower_case_table_names 0, sql_mode none", ""},
		"connections": {func(f *database.Facts) { f.MaxConnections = 100 }, "database-settings", StatusWarning,
			"max_connections 100", "= 150"},
		"all made": {nil, "database-rights", StatusOK, "there already: fate@%", ""},
		"all rights": {func(f *database.Facts) {
			nothingThere(f)
			f.Grants = []database.Grant{{Rights: []string{"ALL PRIVILEGES"}, Option: true}}
		}, "database-rights", StatusOK, "enough", ""},
		"few rights": {nothingThere, "database-rights", StatusRefused, "; CREATE USER on *.*; ",
			"config sql --for-dba"},
		"another address": {func(f *database.Facts) {
			nothingThere(f)
			f.Grants, f.Seen = []database.Grant{{Rights: []string{"ALL PRIVILEGES"}, Option: true}}, "10.0.0.9"
		}, "database-rights", StatusRefused, "sees this host as 10.0.0.9", "fate for 10.0.0.9"},
	} {
		t.Run(name, func(t *testing.T) {
			facts := goodAnswer()
			if c.change != nil {
				c.change(facts)
			}
			s := fatetest.DatabaseTestSpec(t, fatetest.OutsideCluster)
			checkResult(t, Run(s, &host.Facts{}, Input{Database: facts}), c.id, c.status,
				c.measured, c.remedy)
		})
	}
	s := fatetest.DatabaseTestSpec(t, fatetest.OutsideCluster)
	checkResult(t, Run(s, &host.Facts{}, Input{}), "database", StatusSkipped, "not asked", "")
}

func checkResult(t *testing.T, results []CheckResult, id string, status Status, measured, remedy string) {
	t.Helper()
	i := slices.IndexFunc(results, func(r CheckResult) bool { return r.ID == id })
	if i < 0 {
		t.Fatalf("no check %s", id)
	}
	r := results[i]
	if r.Status != status || !strings.Contains(r.Measured, measured) || !strings.Contains(r.Remedy, remedy) {
		t.Errorf("%+v; want %s, %q, %q", r, status, measured, remedy)
	}
}

func TestPreflightNamesOtherAccounts(t *testing.T) {
	s := fatetest.DatabaseTestSpec(t, "host: {partyid: 10000, ip: 192.168.0.1}\n")
	facts := &database.Facts{Others: []string{"@localhost", "bob@10.0.0.1"}}
	checkResult(t, Run(s, &host.Facts{}, Input{Database: facts}), "database-accounts", StatusWarning,
		"anonymous@localhost, bob@10.0.0.1", "DROP USER ''@'localhost', 'bob'@'10.0.0.1'")
	none := Input{Database: &database.Facts{}}
	checkResult(t, Run(s, &host.Facts{}, none), "database-accounts", StatusOK, "no others", "")
	for _, r := range Run(s, &host.Facts{}, Input{}) {
		if strings.HasPrefix(r.ID, "database") {
			t.Errorf("a database that is not there yet: %+v", r)
		}
	}
}

// TestOutsideDatabaseOfTheServiceAccount: without an administrator in the cluster file the service account makes the
// tables.
func TestOutsideDatabaseOfTheServiceAccount(t *testing.T) {
	s := fatetest.DatabaseTestSpec(t, strings.Replace(fatetest.OutsideCluster, "mysql: {user: dba, passwd: Admins1}\n",
		"", 1))
	db, ok := render.DatabaseOf(s)
	if !ok || !db.Manage || !db.AsService || db.AdminUser != "fate" || db.AdminPassword.Reveal() != "Service1" {
		t.Errorf("%+v", db)
	}
	question, ok := render.DatabaseQuestion(s)
	if !ok || question.Admin != "fate" || question.Address.Host != "192.168.0.77" {
		t.Errorf("%+v", question)
	}
	refused := Input{Database: &database.Facts{Error: "no", Refused: true}}
	checkResult(t, Run(s, &host.Facts{}, refused), "database", StatusRefused, "no", "config sql --for-dba")
	db, _ = render.DatabaseOf(fatetest.DatabaseTestSpec(t, fatetest.OutsideCluster))
	if db.AdminUser != "dba" || db.AdminPassword.Reveal() != "Admins1" || db.AsService {
		t.Errorf("%+v", db)
	}
}
