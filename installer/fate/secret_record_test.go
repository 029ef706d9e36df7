package fate

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"fate-installer/installer/step"
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

// TestSecretRecordsStayHidden prints a Spec with former values in every careless way.
func TestSecretRecordsStayHidden(t *testing.T) {
	for _, text := range secretForms(t,
		Spec{SecretRecords: SecretRecords{"mysql_root": {Former: []Secret{NewSecret("hidden-away")}}}}.SecretRecords) {
		if bytes.Contains([]byte(text), []byte("hidden-away")) {
			t.Errorf("shown: %s", text)
		}
	}
	spec := planSpec(t, RoleHost, 10000)
	spec.SecretRecords = SecretRecords{"mysql_root": {Former: []Secret{NewSecret("former-one")}}}
	if !slices.ContainsFunc(spec.AllSecrets(), NewSecret("former-one").Equal) {
		t.Error("what diagnose takes out lacks a former value")
	}
}

func FuzzDecodeSecretRecords(f *testing.F) {
	f.Add([]byte(`{"mysql_root": {"since": "2026-01-02T03:04:05Z", "former": ["x"], "replaced": ["00"]}}`))
	f.Add([]byte(`{"zookeeper": null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeSecretRecords(data)
		if err != nil {
			return
		}
		once, err := r.Encode()
		if err != nil {
			t.Skip(err) // a year that JSON cannot carry
		}
		again, err := DecodeSecretRecords(once)
		if err != nil {
			t.Fatalf("cannot read %s: %v", once, err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s becomes %s (%v)", once, twice, err)
		}
	})
}

// TestChangedSecretRestartsItsReadersOnly changes one secret after the other and looks which programs the plan
// restarts.
func TestChangedSecretRestartsItsReadersOnly(t *testing.T) {
	spec := planSpec(t, RoleHost, 10000)
	before := startInputs(t, spec)
	for name, want := range map[string][]string{
		"mysql_root":      nil,
		"mysql_user":      {"fate-clustermanager", "fate-fateflow"},
		"route_table_key": {"fate-rollsite"},
		"fateboard_admin": {"fate-fateboard"},
	} {
		changed := *spec
		changed.Secrets.Set(name, NewSecret("another-one"))
		var restarted []string
		for program, inputs := range startInputs(t, &changed) {
			if before[program] != inputs {
				restarted = append(restarted, program)
			}
		}
		slices.Sort(restarted)
		if !slices.Equal(restarted, want) {
			t.Errorf("%s restarts %q, want %q", name, restarted, want)
		}
		i := slices.IndexFunc(spec.SecretUses(), func(u SecretUse) bool { return u.Name == name })
		if i < 0 || !slices.Equal(sortedCopy(spec.SecretUses()[i].Programs), want) {
			t.Errorf("%s: the uses %+v do not name %q", name, spec.SecretUses(), want)
		}
		files, err := spec.FilesWithSecrets([]string{name})
		if err != nil || (len(files) == 0) != (name == "mysql_root") {
			t.Errorf("%s is in the files %q, %v", name, files, err)
		}
	}
}

func sortedCopy(s []string) []string { return slices.Sorted(slices.Values(s)) }

func startInputs(t *testing.T, s *Spec) map[string]string {
	t.Helper()
	plan, err := NewPlan(s, planInput())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, n := range plan.Nodes {
		if start, ok := n.Step.(step.StartPrograms); ok {
			out[start.Names[0]] = start.Inputs
		}
	}
	return out
}

func TestParseSecretName(t *testing.T) {
	for text, want := range map[string]string{"mysql_fate": "mysql_user", "mysql_user": "mysql_user",
		"fateboard": "fateboard_admin", "zookeeper": "zookeeper"} {
		if got, err := ParseSecretName(text); err != nil || got != want {
			t.Errorf("%s gives %q, %v", text, got, err)
		}
	}
	if _, err := ParseSecretName("mysql"); err == nil {
		t.Error("a name that does not exist is understood")
	}
}
