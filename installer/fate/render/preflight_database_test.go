package render

import (
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
)

func TestDatabaseSQL(t *testing.T) {
	const twoFlows = "  fate_flow: {ips: [192.168.0.1, 192.168.0.2]}\n  nginx: {type: outside, ips: [192.168.0.9]}\n" +
		"  zk: {enable: true, type: outside, lists: [{ip: 192.168.0.9}]}\n  mysql:"
	s := fatetest.DatabaseTestSpec(t, strings.Replace(fatetest.OutsideCluster, "  mysql:", twoFlows, 1))
	statements, ok := DatabaseSQL(s, `it's\`)
	if !ok {
		t.Fatal("no outside database")
	}
	const rights = "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, CREATE ROUTINE, ALTER ROUTINE, " +
		"EXECUTE ON "
	want := []string{
		"CREATE DATABASE IF NOT EXISTS `eggroll_meta` CHARACTER SET latin1;",
		"CREATE DATABASE IF NOT EXISTS `fate_flow` CHARACTER SET utf8mb3;",
		`CREATE USER IF NOT EXISTS 'fate'@'192.168.0.1' IDENTIFIED BY 'it''s\\';`,
		rights + "`eggroll\\_meta`.* TO 'fate'@'192.168.0.1';", rights + "`fate\\_flow`.* TO 'fate'@'192.168.0.1';",
		`CREATE USER IF NOT EXISTS 'fate'@'192.168.0.2' IDENTIFIED BY 'it''s\\';`,
		rights + "`fate\\_flow`.* TO 'fate'@'192.168.0.2';",
	}
	if !slices.Equal(statements, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(statements, "\n"), strings.Join(want, "\n"))
	}
	removal, _ := DatabaseRemovalSQL(s)
	if want := []string{"DROP USER IF EXISTS 'fate'@'192.168.0.1';", "DROP USER IF EXISTS 'fate'@'192.168.0.2';",
		"DROP DATABASE IF EXISTS `eggroll_meta`;", "DROP DATABASE IF EXISTS `fate_flow`;"}; !slices.Equal(removal,
		want) {
		t.Errorf("removal %q", removal)
	}
	if _, ok := DatabaseSQL(fatetest.DatabaseTestSpec(t, "host: {partyid: 10000, ip: 192.168.0.1}\n"), ""); ok {
		t.Error("statements for a database of ours")
	}
}
