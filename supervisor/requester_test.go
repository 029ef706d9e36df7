package supervisor

import (
	"strings"
	"testing"
)

func TestCommandText(t *testing.T) {
	for _, c := range []struct{ words, want string }{
		{"fate-installer|svc|stop|mysql", "fate-installer svc stop mysql"},
		{"supervisorctl|-u|ops|-p|s3cret|stop|all", "supervisorctl -u ops -p [redacted] stop all"},
		{"mysql|-ps3cret", "mysql -p[redacted]"},
		{"x|--password=s3cret|--http-secret-key|s3cret|a", "x --password=[redacted] --http-secret-key [redacted] a"},
		{"curl|http://ops:s3cret@127.0.0.1:9001/RPC2", "curl http://ops:[redacted]@127.0.0.1:9001/RPC2"},
		{"env|DB_PASSWORD=s3cret|x", "env DB_PASSWORD=[redacted] x"},
		{"sh|-c|two words", "sh -c 'two words'"},
		{"x|\x1b[2Jy", "x \ufffd[2Jy"},
	} {
		if got := CommandText(strings.Split(c.words, "|")); got != c.want {
			t.Errorf("CommandText(%q) is %q, want %q", c.words, got, c.want)
		}
	}
	if got := CommandText([]string{strings.Repeat("ä", 2000)}); len(got) > maxCommandText+3 {
		t.Errorf("it has %d bytes", len(got))
	}
}

// TestRequesterOf: who asked is named, also when nothing knows that user.
func TestRequesterOf(t *testing.T) {
	if r := RequesterOf(0, 0); r.User != "root" {
		t.Errorf("the requester is %+v", r)
	}
	if r := RequesterOf(7654399, 0); r.User != "uid 7654399" {
		t.Errorf("a user that nothing knows is %+v", r)
	}
}
