package peer

import "testing"

func TestMTUInDoubt(t *testing.T) {
	r := &report{}
	r.add("mtu", OK, "", "1500 bytes")
	r.add("party", OK, "", "answers")
	r.mtuInDoubt()
	if m := r.results[0]; m.Status != Warning || m.Measured == "1500 bytes" || m.Remedy == "" ||
		r.results[1].Status != OK {
		t.Errorf("%+v", r.results)
	}
}
