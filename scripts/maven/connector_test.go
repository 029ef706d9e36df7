package maven

import "testing"

func TestConnector(t *testing.T) {
	for version, want := range map[string]string{"8.0.28": "mysql-connector-java-8.0.28.jar",
		"8.4.0": "mysql-connector-j-8.4.0.jar"} {
		if a, err := Connector(version); err != nil || a.File() != want {
			t.Errorf("%s is %s, want %s (%v)", version, a.File(), want, err)
		}
	}
	if _, err := Connector("5.1.49"); err == nil {
		t.Error("a driver without a digest was accepted")
	}
}
