package deploy

import (
	"path"
	"strings"
	"testing"

	"fate-installer/installer/backup"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
)

// TestRepeatedRequest: a restore that was killed after it installed the host is repeated with the same flags.
func TestRepeatedRequest(t *testing.T) {
	d := &Deployment{place: openTree(t, t.TempDir()).place, spec: fatetest.PlanSpec(t, cluster.RoleHost, 10000)}
	d.site.Sources = []Source{{Name: "c.yaml", Data: "host:\n"}}
	for want, q := range map[string]RestoreRequest{
		"--ip":     {IP: "10.9.9.9"},
		"--config": {Sources: []Source{{Name: "c.yaml", Data: "guest:\n"}}},
	} {
		if err := d.RefuseRequest(q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
	if err := d.RefuseRequest(RestoreRequest{IP: d.spec.IP,
		Sources: []Source{{Name: "/elsewhere/c.yaml", Data: "host:\n"}}}); err != nil {
		t.Error(err)
	}
	if err := d.host.MkdirAll(path.Dir(statePath(d.Layout())), host.FileMode{Perm: 0o755}); err != nil {
		t.Fatal(err)
	}
	if err := (&transition{place: d.place}).save(state.State{Phase: state.Restoring,
		Change: &state.Change{}}); err != nil {
		t.Fatal(err)
	}
	if err := d.RefuseRequest(RestoreRequest{IP: "10.9.9.9"}); err != nil {
		t.Errorf("while it is restored: %v", err)
	}
	a, b := keys.File{Name: "a.pem", Content: []byte("1")}, keys.File{Name: "b.pem", Content: []byte("2")}
	if !haveKeys([]keys.File{b, a}, []keys.File{a}) || haveKeys([]keys.File{b}, []keys.File{a}) ||
		haveKeys([]keys.File{{Name: "a.pem", Content: []byte("2")}}, []keys.File{a}) {
		t.Error("keys are compared wrongly")
	}
}

// TestRefuseServer: a backup of another kind of server, or of a newer one, is refused before the host is installed.
func TestRefuseServer(t *testing.T) {
	d := &Deployment{spec: fatetest.PlanSpec(t, cluster.RoleHost, 10000)}
	engine := d.spec.DatabaseEngine()
	version, other := d.spec.Versions[engine], map[string]string{"mysql": "mariadb", "mariadb": "mysql"}[engine]
	for want, db := range map[string]*backup.Database{
		"":                  {Flavour: engine, Version: version},
		"those of " + other: {Flavour: other, Version: version},
		"the older":         {Flavour: engine, Version: "99.1"},
	} {
		err := d.RefuseServer(&backup.Manifest{Database: db})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
	if err := d.RefuseServer(&backup.Manifest{}); err != nil {
		t.Error(err)
	}
}
