package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"fate-installer/payload"

	"github.com/google/go-cmp/cmp"
)

func TestOpen(t *testing.T) {
	public, private, err := payload.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := payload.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Report{sample(), spoiled(hostile)} {
		plain, signed := fileOf(t, r, nil), fileOf(t, r, &private)
		o := mustOpen(t, plain)
		if o.KeyID != "" {
			t.Errorf("a report without a signature names the key %s", o.KeyID)
		}
		wantUnproven(t, "no signature", o.SignedBy(public))
		o = mustOpen(t, signed)
		if err := o.SignedBy(public); err != nil || o.KeyID != payload.KeyID(public) {
			t.Error(o.KeyID, err)
		}
		wantUnproven(t, "another key", o.SignedBy(other))
		if diff := cmp.Diff(r.Checks, o.Report.Checks); diff != "" && r.Host.Name != hostile {
			t.Error(diff)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, signed); err != nil {
			t.Fatal(err)
		}
		if err := mustOpen(t, compact.Bytes()).SignedBy(public); err != nil {
			t.Errorf("another layout: %v", err)
		}
	}
}

// TestChanges changes bytes all over a signed report, and cuts it: no change of its data passes.
func TestChanges(t *testing.T) {
	public, private, err := payload.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	file := fileOf(t, sample(), &private)
	want := mustOpen(t, file).Digest
	const stride = 11
	for i := 0; i < len(file); i += stride {
		changed := bytes.Clone(file)
		changed[i] ^= 1
		o, err := Open(changed)
		if err == nil && o.SignedBy(public) == nil && o.Digest != want {
			t.Fatalf("byte %d: a changed report is taken for the signed one", i)
		}
		if err != nil && !isUnproven(err) { // the digit of the format was changed
			wantDamaged(t, "a changed byte", err)
		}
	}
	for i := 0; i < len(file)-3; i += stride { // the last are the bracket, and the end of the line
		if _, err := Open(file[:i]); err == nil {
			t.Fatalf("%d bytes are taken for a report", i)
		}
	}
	replace := func(old, new string) []byte { return bytes.Replace(file, []byte(old), []byte(new), 1) }
	for what, data := range map[string][]byte{
		"nothing":          nil,
		"null":             []byte("null"),
		"an array":         []byte("[1]"),
		"more":             append(bytes.Clone(file), "{}"...),
		"a second report":  replace(`"report"`, `"report": {}, "report"`),
		"another Report":   replace(`"report"`, `"Report": {}, "report"`),
		"a second outcome": replace(`"measured"`, `"measured": "fine", "measured"`),
		"no format":        replace(`"format": 1,`, ``),
		"a new value":      replace(`"7.6 GiB"`, `"64 GiB"`),
		"too deep":         []byte(`{"report":` + strings.Repeat("[", 1e5)),
		"too long":         make([]byte, MaxSize+1),
		"no signature":     []byte(`{"format":1,"digest":"","report":null,"signature":"x"}`),
	} {
		_, err := Open(data)
		wantDamaged(t, what, err)
	}
	_, err = Open(replace(`"format": 1`, `"format": 2, "seals": []`)) // with a key that this program does not know
	wantUnproven(t, "another format", err)
	other := sample()
	other.Kind = "something else"
	_, err = Open(fileOf(t, other, &private))
	wantDamaged(t, "another kind", err)
}

func fileOf(t testing.TB, r *Report, key *payload.PrivateKey) []byte {
	t.Helper()
	s, err := NewSeal(r, key)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func mustOpen(t *testing.T, data []byte) *Opened {
	t.Helper()
	o, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func wantDamaged(t *testing.T, what string, err error) {
	t.Helper()
	var damaged *DamagedError
	if !errors.As(err, &damaged) {
		t.Errorf("%s: %v", what, err)
	}
}

func wantUnproven(t *testing.T, what string, err error) {
	t.Helper()
	if !isUnproven(err) || !strings.HasPrefix(err.Error(), "the report is not proved: ") {
		t.Errorf("%s: %v", what, err)
	}
}

func isUnproven(err error) bool {
	var unproven *UnprovenError
	return errors.As(err, &unproven)
}

// FuzzOpen reads files from elsewhere: a report that passes has the digest that it names, and no other data has its
// signature.
func FuzzOpen(f *testing.F) {
	public, private, err := payload.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	signed := fileOf(f, sample(), &private)
	f.Add(signed)
	f.Add(fileOf(f, spoiled(hostile), nil))
	f.Add([]byte(`{"format":1,"digest":"","report":{"kind":"` + Kind + `"}}`))
	want, err := Open(signed)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Open(data)
		if err != nil {
			return
		}
		if o.Report.Kind != Kind || o.Digest != digestOf(o.text) {
			t.Errorf("%+v", o)
		}
		if o.SignedBy(public) == nil && o.Digest != want.Digest {
			t.Error("other data has the signature")
		}
		var out bytes.Buffer
		if err := WritePage(&out, &o.Report, &Seal{}, "zh"); err != nil {
			t.Error(err)
		}
	})
}
