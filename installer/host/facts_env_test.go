package host

import (
	"context"
	"slices"
	"testing"
)

func TestVariableNames(t *testing.T) {
	got := variableNames("PATH=/usr/bin\nhttp_proxy=http://10.0.0.9:3128\nMULTI=$'a\\nb'\nno " +
		"variable\nPATH=/bin\n=x\na b=c\n")
	if want := []string{"MULTI", "PATH", "http_proxy"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestManagerEnvironmentIsNotGuessed holds that what was not asked is not known, rather than empty.
func TestManagerEnvironmentIsNotGuessed(t *testing.T) {
	h, err := New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	g := gatherer{h: h, f: &Facts{Unknown: Unknown{}, Init: "sysvinit"}}
	g.managerEnvironment(context.Background())
	if g.f.Unknown["environment"] == "" || g.f.Environment != nil {
		t.Errorf("%q, %q", g.f.Unknown, g.f.Environment)
	}
}
