package cluster_test

import (
	"bytes"
	"slices"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

// TestSecretRecordsStayHidden prints a Spec with former values in every careless way.
func TestSecretRecordsStayHidden(t *testing.T) {
	for _, text := range secretForms(t,
		cluster.Spec{SecretRecords: cluster.SecretRecords{"mysql_root": {Former: []cluster.Secret{
			cluster.NewSecret("hidden-away")}}}}.SecretRecords) {
		if bytes.Contains([]byte(text), []byte("hidden-away")) {
			t.Errorf("shown: %s", text)
		}
	}
	spec := fatetest.PlanSpec(t, cluster.RoleHost, 10000)
	spec.SecretRecords = cluster.SecretRecords{"mysql_root": {Former: []cluster.Secret{
		cluster.NewSecret("former-one")}}}
	if !slices.ContainsFunc(spec.AllSecrets(), cluster.NewSecret("former-one").Equal) {
		t.Error("what diagnose takes out lacks a former value")
	}
}

func FuzzDecodeSecretRecords(f *testing.F) {
	f.Add([]byte(`{"mysql_root": {"since": "2026-01-02T03:04:05Z", "former": ["x"], "replaced": ["00"]}}`))
	f.Add([]byte(`{"zookeeper": null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := cluster.DecodeSecretRecords(data)
		if err != nil {
			return
		}
		once, err := r.Encode()
		if err != nil {
			t.Skip(err) // a year that JSON cannot carry
		}
		again, err := cluster.DecodeSecretRecords(once)
		if err != nil {
			t.Fatalf("cannot read %s: %v", once, err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s becomes %s (%v)", once, twice, err)
		}
	})
}

func TestParseSecretName(t *testing.T) {
	for text, want := range map[string]string{"mysql_fate": "mysql_user", "mysql_user": "mysql_user",
		"fateboard": "fateboard_admin", "zookeeper": "zookeeper"} {
		if got, err := cluster.ParseSecretName(text); err != nil || got != want {
			t.Errorf("%s gives %q, %v", text, got, err)
		}
	}
	if _, err := cluster.ParseSecretName("mysql"); err == nil {
		t.Error("a name that does not exist is understood")
	}
}
