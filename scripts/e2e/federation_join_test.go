//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestPartiesJoinAndLeave tests two sides against each other before anything is installed, and then takes a party out
// of the exchange's route table and puts it back, without a restart of anything.
func TestPartiesJoinAndLeave(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1", "guest=192.168.1.1")
	b.run("host", installerFile, "init", "--host", "10000:192.168.0.1", "--guest", "9999:192.168.1.1", "--tls",
		"host,guest", "--out", "/root/cluster.yaml")
	b.run("host", installerFile, "--config", "/root/cluster.yaml", "keys", "--out", "/root/keys")
	b.carry("/root/cluster.yaml", "host", "guest")
	b.carry("/root/keys/guest.tar.gz", "host", "guest")
	config := map[string][]string{
		"host":  {"--config", "/root/cluster.yaml", "--keys", "/root/keys/host.tar.gz"},
		"guest": {"--config", "/root/cluster.yaml", "--keys", "/root/guest.tar.gz"},
	}

	t.Run("tested before anything is installed", func(t *testing.T) {
		b := b.on(t)
		b.refused("host", 3, []string{"connection refused", "party test --listen"},
			append([]string{"party", "test"}, config["host"]...)...)
		b.run("guest", "systemd-run", "--quiet", "--unit=party-test", installerFile, "party", "test", "--listen",
			"--config", "/root/cluster.yaml", "--keys", "/root/guest.tar.gz")
		b.await("the guest listens", func() bool {
			_, code, err := b.try("host", append([]string{installerFile, "party", "test"}, config["host"]...)...)
			return err == nil && code == 0
		})
		report := b.run("host", append([]string{installerFile, "party", "test"}, config["host"]...)...)
		t.Logf("party test:\n%s", report)
		for _, want := range []string{"guest-server.fate.fedai.org", "the port refuses clear text",
			"party 9999 answers", "back", "host-server.fate.fedai.org", "the other clock is"} {
			if !strings.Contains(report, want) {
				t.Errorf("party test does not say %q", want)
			}
		}
		b.run("guest", "systemctl", "stop", "party-test")
	})

	for _, host := range []string{"host", "guest"} {
		b.install(host, config[host]...)
	}
	b.toy("guest", "--guest", "9999", "--host", "10000")

	t.Run("tested when it runs", func(t *testing.T) {
		b := b.on(t)
		report := b.run("guest", "fate-installer", "party", "test", "10000")
		t.Logf("party test:\n%s", report)
		for _, want := range []string{"host-server.fate.fedai.org", "party 10000 answers",
			"a message of 32 KiB arrives", "comes back here"} {
			if !strings.Contains(report, want) {
				t.Errorf("party test does not say %q", want)
			}
		}
		if out, code, _ := b.try("guest", "fate-installer", "party", "test", "12345"); code != 3 ||
			!strings.Contains(out, "12345") {
			t.Errorf("a party that no side is: exit status %d\n%s", code, out)
		}
	})
	t.Run("a route that leads nowhere, and back", func(t *testing.T) {
		b := b.on(t)
		before := b.checkReady("host", modulesOfParty...)
		out := b.run("host", "fate-installer", "party", "add", "9999:192.168.1.77:9371:secure")
		if !strings.Contains(out, "active now, nothing was restarted") {
			t.Errorf("party add says:\n%s", out)
		}
		if b.tryToy("host", "--guest", "10000", "--host", "9999") {
			t.Error("a job got to a party whose route leads nowhere")
		}
		b.run("host", "fate-installer", "party", "add", "9999:192.168.1.1:9371:secure")
		b.toy("host", "--guest", "10000", "--host", "9999")
		for name, p := range b.checkReady("host", modulesOfParty...) {
			if p.PID != before[name].PID {
				t.Errorf("%s was restarted", name)
			}
		}
		list := b.run("host", "fate-installer", "party", "list", "-o", "json")
		if !strings.Contains(list, `"from": "party add"`) {
			t.Errorf("party list:\n%s", list)
		}
		b.run("host", "fate-installer", "party", "remove", "9999")
		b.toy("host", "--guest", "10000", "--host", "9999") // by the default route
	})
}
