package shim

import (
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func fullSpec() *Spec {
	score := -17
	return &Spec{
		Path: "/bin/x y", Argv: []string{"x", "", "a\nb", "文"}, Env: []string{"A=1", "B="}, Tasks: "/t", Dir: "/d",
		Umask: 0o27,
		Limits: []Limit{{"limit_core", syscall.RLIMIT_CORE, 0, ^uint64(0)},
			{"limit_nofile", syscall.RLIMIT_NOFILE, 1, 2}},
		OOMScoreAdj: &score, SetUser: true, UID: 1000, GID: 100, Groups: []int{4, 5},
	}
}

func TestSpecRoundTrip(t *testing.T) {
	for _, want := range []*Spec{fullSpec(), {Path: "p", Argv: []string{"p"}, Env: []string{}, Umask: -1}} {
		got, ok := decode(want.Encode())
		if !ok {
			t.Fatalf("%+v was not understood", want)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

// TestCutOrders holds that orders which are not whole are no orders: their sender has died.
func TestCutOrders(t *testing.T) {
	whole := fullSpec().Encode()
	for n := range whole {
		if _, ok := decode(whole[:n]); ok {
			t.Fatalf("the first %d of %d bytes were taken for orders", n, len(whole))
		}
	}
	if _, ok := decode(append(whole, 0)); ok {
		t.Error("more than whole orders were taken")
	}
}

func TestOutcomeRoundTrip(t *testing.T) {
	failed := &Error{"execute /bin/x", syscall.ENOENT}
	if failed.Error() != "cannot execute /bin/x: no such file or directory" {
		t.Error(failed.Error())
	}
	for _, want := range []*Outcome{{}, {Err: failed}, {Notes: []string{"a", "b"}},
		{Notes: []string{"a"}, Err: failed}} {
		got, ok := DecodeOutcome(want.Encode())
		if d := cmp.Diff(want, got); !ok || d != "" {
			t.Errorf("%v %s", ok, d)
		}
	}
	two := append((&Outcome{Notes: []string{"a"}}).Encode(), (&Outcome{Err: failed}).Encode()...)
	if got, ok := DecodeOutcome(two); !ok || len(got.Notes) != 1 || *got.Err != *failed {
		t.Errorf("two reports: %+v", got)
	}
	for _, nonsense := range []string{"nonsense", "note\x00", "note\x00cut", "error\x00x\x00y\x00",
		"error\x00x\x001\x00note\x00late\x00"} {
		if _, ok := DecodeOutcome([]byte(nonsense)); ok {
			t.Errorf("%q was taken for a report", nonsense)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(fullSpec().Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, ok := decode(data)
		if !ok {
			return
		}
		again, ok := decode(s.Encode())
		if !ok {
			t.Fatalf("%q", data)
		}
		if d := cmp.Diff(s, again); d != "" {
			t.Fatal(d)
		}
	})
}
