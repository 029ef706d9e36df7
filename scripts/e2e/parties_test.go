//go:build e2e

package e2e

import "testing"

// TestTwoParties connects a host and a guest directly and runs a job between them.
func TestTwoParties(t *testing.T) {
	b := newBench(t, "host=192.168.0.1", "guest=192.168.1.1")
	b.install("host", "--role", "host", "--party", "10000", "--peer", "192.168.1.1:9370")
	b.install("guest", "--role", "guest", "--party", "9999", "--peer", "192.168.0.1:9370")
	for _, host := range []string{"host", "guest"} {
		b.checkReady(host, modulesOfParty...)
	}
	b.toy("guest", "--guest", "9999", "--host", "10000")
	b.toy("host", "--guest", "10000", "--host", "9999")
}
