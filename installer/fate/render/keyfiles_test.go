package render

import (
	"crypto/rand"
	"testing"
	"time"

	"fate-installer/installer/fate/keys"
)

// hostKeys are key files of a host.
func hostKeys(t *testing.T) []keys.File {
	t.Helper()
	set, err := keys.New(keys.Request{
		Sides: []keys.Side{{Role: "host", Names: []string{"192.168.0.1"}},
			{Role: "exchange", Names: []string{"192.168.0.88"}}},
		SharedCA: true, Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return set.Sides["host"]
}
