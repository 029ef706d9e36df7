package cluster

import (
	"slices"
	"testing"
	"time"
)

func TestSecretRecords(t *testing.T) {
	was := Secrets{MySQLRoot: NewSecret("root-1"), MySQLUser: NewSecret("user-1")}
	is := Secrets{MySQLRoot: NewSecret("root-2"), MySQLUser: NewSecret("user-1"), ZooKeeper: NewSecret("new")}
	r := SecretRecords{}
	if !r.Begin(was, is) || r.Begin(was, is) {
		t.Error("Begin does not report what it changed")
	}
	if got := r.Unfinished(); !slices.Equal(got, []string{"mysql_root"}) {
		t.Errorf("unfinished: %q", got)
	}
	r.Replace("mysql_root", NewSecret("root-1"))
	r.Replace("zookeeper", Secret{})

	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeSecretRecords(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, inFile, stored, want string }{
		{"mysql_root", "root-1", "root-2", "root-2"}, // the file still has what was replaced
		{"mysql_root", "root-3", "root-2", "root-3"}, // the file has a newer one
		{"mysql_root", "root-1", "", "root-1"},       // the stored ones are lost
		{"mysql_user", "file", "stored", "file"},
		{"mysql_user", "", "stored", "stored"},
	} {
		var inFile, stored Secrets
		inFile.Set(tt.name, NewSecret(tt.inFile))
		stored.Set(tt.name, NewSecret(tt.stored))
		if got := again.effective(inFile, stored).Get(tt.name).Reveal(); got != tt.want {
			t.Errorf("%s: file %q, stored %q give %q, want %q", tt.name, tt.inFile, tt.stored, got, tt.want)
		}
	}
	if now := time.Now(); !again.End(now, []string{"zookeeper"}) || again["zookeeper"].Since.IsZero() ||
		again["mysql_root"].Since.IsZero() || len(again.Unfinished()) != 0 {
		t.Errorf("after the end: %+v", again)
	}
	for _, bad := range []string{`{"mysql": {}}`, `[]`, `{"mysql_root": {"former": [1]}}`} {
		if _, err := DecodeSecretRecords([]byte(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}
