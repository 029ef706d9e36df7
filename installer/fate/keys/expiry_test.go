package keys

import (
	"slices"
	"testing"
	"time"
)

// TestExpiries holds each validity at a chosen clock, to the second at its borders.
func TestExpiries(t *testing.T) {
	set := mustKeys(t, twoSides(true))
	files := set.Sides["host"]
	var leaf Certificate
	for _, c := range Expiries(files, testNow) {
		if c.Validity != Valid || c.Subject == "" || c.Problem != "" {
			t.Errorf("new: %+v", c)
		}
		if c.File == "host-server.pem" {
			leaf = c
		}
	}
	if want := testNow.Add(LeafValidity); !leaf.NotAfter.Equal(want) || leaf.DaysLeft != 3650 {
		t.Fatalf("%+v, not %v", leaf, want)
	}
	for _, tt := range []struct {
		now  time.Time
		want Validity
		days int
		bad  bool
		text string
	}{
		{leaf.NotAfter.Add(-30 * 24 * time.Hour), Valid, 30, false, "it expires on 2036-02-27"},
		{leaf.NotAfter.Add(-30*24*time.Hour + time.Second), Expiring, 29, false, "it expires on 2036-02-27"},
		{leaf.NotAfter, Expiring, 0, false, "it expires on 2036-02-27"},
		{leaf.NotAfter.Add(time.Second), Expired, -1, true, "it expired on 2036-02-27"},
		{leaf.NotAfter.Add(50 * 24 * time.Hour), Expired, -50, true, "it expired on 2036-02-27"},
		{leaf.NotBefore.Add(-time.Second), NotYet, 3650, true, "it is valid only from 2026-03-01 11:00:00 UTC"},
	} {
		list := Expiries(files, tt.now)
		c := list[slices.IndexFunc(list, func(c Certificate) bool { return c.File == "host-server.pem" })]
		if c.Validity != tt.want || c.DaysLeft != tt.days || c.Bad() != tt.bad || c.String() != tt.text {
			t.Errorf("at %v: %+v, %q", tt.now, c, c)
		}
	}
}

// TestExpiryOfAChain: the certificate that ends first counts, wherever it stands, and a key next to it does not.
func TestExpiryOfAChain(t *testing.T) {
	files := mustKeys(t, twoSides(true)).Sides["host"]
	ca, server, key := file(t, files, "host-ca.pem"), file(t, files, "host-server.pem"), file(t, files, "host-server.key")
	for _, content := range [][]byte{slices.Concat(server, ca), slices.Concat(key, ca, server)} {
		list := Expiries([]File{{"a.pem", content}, {"a.key", key}}, testNow)
		if len(list) != 1 || !list[0].NotAfter.Equal(testNow.Add(LeafValidity)) {
			t.Errorf("%+v", list)
		}
	}
	for _, content := range []string{"", "text", string(key),
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		list := Expiries([]File{{"a.pem", []byte(content)}}, testNow)
		if len(list) != 1 || list[0].Validity != Unreadable || list[0].Problem == "" || !list[0].Bad() {
			t.Errorf("%q: %+v", content, list)
		}
	}
}

func FuzzExpiries(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list := Expiries([]File{{"a.pem", data}}, testNow)
		if len(list) != 1 || list[0].Validity == "" {
			t.Errorf("%+v", list)
		}
	})
}
