package database

import (
	"slices"
	"testing"
)

func TestParseGrant(t *testing.T) {
	for _, c := range []struct {
		line   string
		want   Grant
		ok     bool
		covers string // a schema
	}{
		{"GRANT ALL PRIVILEGES ON `fate_flow`.* TO `fate`@`192.168.0.1`",
			Grant{[]string{"ALL PRIVILEGES"}, "fate_flow", false}, true, "fate_flow"},
		{"GRANT ALL PRIVILEGES ON `fate\\_%`.* TO 'dba'@'%' WITH GRANT OPTION",
			Grant{[]string{"ALL PRIVILEGES"}, `fate\_%`, true}, true, "fate_flow"},
		{"GRANT SELECT, CREATE USER ON *.* TO 'dba'@'%' WITH GRANT OPTION",
			Grant{[]string{"SELECT", "CREATE USER"}, "", true}, true, "any"},
		{"GRANT BACKUP_ADMIN,ROLE_ADMIN ON *.* TO `root`@`localhost`",
			Grant{[]string{"BACKUP_ADMIN", "ROLE_ADMIN"}, "", false}, true, ""},
		{"GRANT USAGE ON *.* TO `fate`@`x` IDENTIFIED BY PASSWORD '*00'", Grant{[]string{"USAGE"}, "", false}, true,
			""},
		{"GRANT SELECT ON `a``b`.* TO `x`@`%`", Grant{[]string{"SELECT"}, "a`b", false}, true, "a`b"},
		{"GRANT SELECT ON `mysql`.`user` TO `x`@`%`", Grant{}, false, ""},
		{"GRANT `dbas`@`%` TO `x`@`%`", Grant{}, false, ""},
		{"REVOKE SELECT ON `mysql`.* FROM `x`@`%`", Grant{}, false, ""},
	} {
		g, ok := parseGrant(c.line)
		if ok != c.ok || !slices.Equal(g.Rights, c.want.Rights) || g.Schema != c.want.Schema ||
			g.Option != c.want.Option {
			t.Errorf("%s: %+v, %v", c.line, g, ok)
		}
		if ok && !g.covers(c.covers) {
			t.Errorf("%s does not cover %q", c.line, c.covers)
		}
	}
	if (Grant{Schema: `fate\_flow`}).covers("fateXflow") || (Grant{Schema: "fate_flow"}).covers("fate_flow2") {
		t.Error("a grant covers another schema")
	}
}

func FuzzParseGrant(f *testing.F) {
	f.Add("GRANT ALL PRIVILEGES ON `fate\\_%`.* TO 'dba'@'%' WITH GRANT OPTION", "fate_flow")
	f.Add("GRANT SELECT ON `a``b`.* TO `x`@`%`", "a`b")
	f.Fuzz(func(t *testing.T, line, schema string) {
		if g, ok := parseGrant(line); ok {
			g.covers(schema)
			if len(g.Rights) == 0 {
				t.Error("a grant without rights")
			}
		}
	})
}
