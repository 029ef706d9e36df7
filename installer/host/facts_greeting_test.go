package host

import (
	"net"
	"testing"
)

// TestGreeting: a server that speaks first is listened to, and one that ends the connection at once is no error.
func TestGreeting(t *testing.T) {
	for name, text := range map[string]string{"a greeting": "J\x00\x00\x00\x0a8.0.28\x00", "silence": ""} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err == nil {
					_, _ = conn.Write([]byte(text))
					conn.Close()
				}
			}()
			r := reach(t.Context(), Target{Addr: l.Addr().String(), Greets: true})
			if !r.Connected || string(r.Greeting) != text {
				t.Errorf("connected %v, greeting %q", r.Connected, r.Greeting)
			}
		})
	}
}
