package keys

import (
	"crypto/rand"
	"slices"
	"testing"
)

func FuzzKeyFiles(f *testing.F) {
	set, err := New(Request{Sides: twoSides(true).Sides, SharedCA: true, Now: testNow, Random: zeroReader{}})
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range set.Sides["host"] {
		f.Add(file.Content)
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		var files []File
		for _, name := range []string{"ca.pem", "client-ca.pem", "server.pem", "server.key", "client-client.pem",
			"client-client.key"} {
			files = append(files, File{"host-" + name, data})
		}
		Check("host", []string{"192.168.0.1"}, files, testNow)
	})
}

// FuzzPeerKeys reads what the other side sends: requests and answers.
func FuzzPeerKeys(f *testing.F) {
	side := Side{Role: "host", Names: []string{"192.168.0.1", "fate.example.com"}}
	own, request, err := Own(side, false, testNow, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	parsed, err := ParsePeerRequest(request)
	if err != nil || !slices.Equal(parsed.Names, side.Names) || parsed.Role != "host" {
		f.Fatalf("%+v, %v", parsed, err)
	}
	ca := Authority{Name: "fate_host", Cert: own[0].Content, Key: own[1].Content}
	answer, err := parsed.Sign(ca, true, side.Names, testNow, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request)
	f.Add(answer)
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := ParsePeerRequest(data); err == nil && (p.Role == "" || p.client == nil || p.server == nil) {
			t.Errorf("an incomplete request is taken: %+v", p)
		}
		for _, shared := range []bool{false, true} {
			files, err := Complete("host", own, data, shared)
			if err == nil && len(files) != 6 {
				t.Errorf("%d files", len(files))
			}
		}
	})
}

// zeroReader is a random source for seeds; the keys themselves do not come from it.
type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 7
	}
	return len(p), nil
}
