package render

import (
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

func TestForeignDatabaseNeedsItsPassword(t *testing.T) {
	// without the module mysql
	c := fatetest.MustParse(t, fatetest.Upstream+"/setup-conf/extra-modules-subset/setup.conf")
	_, err := c.Spec(cluster.Selection{IP: "192.168.0.2", Env: fatetest.Env1113, Versions: fatetest.Versions1113,
		Secrets: fatetest.FixedSecrets})
	fatetest.WantProblem(t, err, "the password of its user fate is not given", "secrets: {mysql_user: ...}")
	more := cluster.Source{Name: "secrets.yaml", Data: []byte("secrets: {mysql_user: theirs, mysql_root: admins}\n")}
	if c,
		err = cluster.Parse(append(fatetest.Sources(t,
		fatetest.Upstream+"/setup-conf/extra-modules-subset/setup.conf"), more)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(cluster.Selection{IP: "192.168.0.2", Env: fatetest.Env1113, Versions: fatetest.Versions1113,
		Secrets: fatetest.FixedSecrets})
	if err != nil {
		t.Fatal(err)
	}
	if db, _ := DatabaseOf(s); db.Inside || !db.Manage || db.AdminPassword.Reveal() != "admins" ||
		db.Users[0].Password.Reveal() != "theirs" {
		t.Errorf("the database is %+v", db)
	}
}
