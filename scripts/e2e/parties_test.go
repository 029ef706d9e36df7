//go:build e2e

package e2e

import (
	"bytes"
	"testing"
)

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

// TestExchange connects three sides through an exchange: the host over TLS, the guest
// by polling, so that nobody needs to be able to connect to it.
func TestExchange(t *testing.T) {
	b := newBench(t, "host=192.168.0.1", "guest=192.168.1.1", "exchange=192.168.0.88")
	b.run("host", installerFile, "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.1.1", "--exchange", "192.168.0.88",
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
			_, code, err := b.try("host", "fate-installer", "test", "toy", "--guest", "10000", "--host", "9999", "--timeout", "30s")
			return err == nil && code == 0
		})
	})
}

// TestHighAvailability runs two FATE-Flows behind nginx with ZooKeeper, and takes each
// of them away once.
func TestHighAvailability(t *testing.T) {
	b := newBench(t, "one=192.168.0.1", "two=192.168.0.2", "guest=192.168.1.1")
	b.run("one", installerFile, "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.1.1",
		"--host-flows", "192.168.0.1,192.168.0.2", "--out", "/root/cluster.yaml")
	b.carry("/root/cluster.yaml", "one", "two", "guest")
	for _, host := range []string{"one", "two", "guest"} {
		b.install(host, "--config", "/root/cluster.yaml")
	}
	for _, host := range []string{"one", "two"} {
		if programs, code := b.status(host); code != 0 || !programs["fate-fateflow"].Ready {
			t.Fatalf("host %s: exit status %d, programs %+v", host, code, programs)
		}
	}
	b.toy("one", "--guest", "10000", "--host", "9999")
	b.toy("two", "--guest", "10000", "--host", "9999")
	b.toy("guest", "--guest", "9999", "--host", "10000")

	for _, away := range []string{"one", "two"} {
		t.Run("without the flow of host "+away, func(t *testing.T) {
			b := b.on(t)
			b.run(away, "fate-installer", "svc", "stop", "fate-fateflow")
			// nginx leaves alone for a minute what it has seen failing, the other one too
			// when that has just come back.
			b.await("the other flow takes the jobs", func() bool {
				_, code, err := b.try("guest", "fate-installer", "test", "toy", "--guest", "9999", "--host", "10000")
				return err == nil && code == 0
			})
			b.run(away, "fate-installer", "svc", "start", "fate-fateflow")
			b.toy("guest", "--guest", "9999", "--host", "10000")
		})
	}
}
