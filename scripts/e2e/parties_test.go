//go:build e2e

package e2e

import (
	"bytes"
	"testing"
)

// TestTwoParties connects a host and a guest directly and runs a job between them.
func TestTwoParties(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1", "guest=192.168.1.1")
	b.install("host", "--role", "host", "--party", "10000", "--peer", "192.168.1.1:9370")
	b.install("guest", "--role", "guest", "--party", "9999", "--peer", "192.168.0.1:9370")
	for _, host := range []string{"host", "guest"} {
		b.checkReady(host, modulesOfParty...)
	}
	b.toy("guest", "--guest", "9999", "--host", "10000")
	b.toy("host", "--guest", "10000", "--host", "9999")
}

// TestExchange connects three sides through an exchange: the host over TLS, the guest
// by polling, so that it need not accept connections.
func TestExchange(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1", "guest=192.168.1.1", "exchange=192.168.0.88")
	b.run("host", installerFile, "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.1.1", "--exchange",
		"192.168.0.88",
		"--tls", "host,exchange", "--polling", "guest", "--out", "/root/cluster.yaml")
	b.run("host", installerFile, "--config", "/root/cluster.yaml", "keys", "--out", "/root/keys")
	b.carry("/root/cluster.yaml", "host", "guest", "exchange")
	b.carry("/root/keys/exchange.tar.gz", "host", "exchange")

	b.install("exchange", "--config", "/root/cluster.yaml", "--keys", "/root/exchange.tar.gz")
	b.install("host", "--config", "/root/cluster.yaml", "--keys", "/root/keys/host.tar.gz")
	b.install("guest", "--config", "/root/cluster.yaml")
	b.checkReady("exchange", "fate-rollsite")
	for _, host := range []string{"host", "guest"} {
		b.checkReady(host, modulesOfParty...)
	}
	b.toy("guest", "--guest", "9999", "--host", "10000")
	b.toy("host", "--guest", "10000", "--host", "9999")

	t.Run("nothing readable crosses the TLS pair", func(t *testing.T) {
		b := b.on(t)
		clear := b.listen("guest", "192.168.0.88")
		stop := b.listen("host", "192.168.0.88")
		b.toy("host", "--guest", "10000", "--host", "9999")
		captured := stop()
		if len(captured) < 10_000 {
			t.Fatalf("only %d bytes were captured", len(captured))
		}
		const word = "secure_add_example" // in every message of the job
		if bytes.Contains(captured, []byte(word)) {
			t.Error("the job crossed the wire of the TLS pair in clear text")
		}
		if !bytes.Contains(clear(), []byte(word)) {
			t.Error("the job is not to be seen on the other wire: the test sees nothing")
		}
	})
	t.Run("the polling party comes back after the exchange was away", func(t *testing.T) {
		b := b.on(t)
		if err := b.PowerCut("exchange"); err != nil {
			t.Fatal(err)
		}
		b.awaitReady("exchange", "fate-rollsite")
		b.await("a job gets through again", func() bool {
			_, code, err := b.try("host", "fate-installer", "test", "toy", "--guest", "10000", "--host", "9999",
				"--timeout", "30s")
			return err == nil && code == 0
		})
	})
}
