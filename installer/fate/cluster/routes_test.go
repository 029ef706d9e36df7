package cluster

import "testing"

func FuzzSpecialRoute(f *testing.F) {
	for _, s := range []string{"8888:192.168.2.1:9370", "default:fate.example.com:9371:secure", "1:2:3:4:5", "::",
		"x:y:z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		party, r, reason := parseSpecialRoute(s)
		if reason != "" {
			return
		}
		back := party + ":" + r.Endpoint()
		if r.IsSecure {
			back += ":secure"
		}
		party2, r2, reason := parseSpecialRoute(back)
		if reason != "" || party2 != party || r2 != r {
			t.Errorf("%q becomes %q, which is %v %q", s, back, r2, reason)
		}
	})
}

func FuzzInitSide(f *testing.F) {
	f.Add("10000:192.168.0.1")
	f.Add("192.168.0.88,192.168.0.89")
	f.Fuzz(func(t *testing.T, s string) {
		for _, role := range Roles {
			in, err := ParseInitSide(role, s)
			if err != nil {
				continue
			}
			for _, ip := range in.IPs {
				if !validAddress(ip) {
					t.Errorf("%q gives the address %q", s, ip)
				}
			}
		}
	})
}
