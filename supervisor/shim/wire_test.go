package shim

import (
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func fullSpec() *Spec {
	score := -17
	return &Spec{
		Path: "/bin/x y", Argv: []string{"x", "", "a\nb", "文"}, Env: []string{"A=1", "B="}, Dir: "/d", Umask: 0o27,
		Limits:      []Limit{{"limit_core", syscall.RLIMIT_CORE, 0, ^uint64(0)}, {"limit_nofile", syscall.RLIMIT_NOFILE, 1, 2}},
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

func TestErrorRoundTrip(t *testing.T) {
	want := &Error{"execute /bin/x", syscall.ENOENT}
	got, ok := DecodeError(want.Encode())
	if !ok || *got != *want {
		t.Errorf("%+v %v", got, ok)
	}
	if got.Error() != "cannot execute /bin/x: no such file or directory" {
		t.Error(got.Error())
	}
	if _, ok := DecodeError([]byte("nonsense")); ok {
		t.Error("nonsense was taken for a report")
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
