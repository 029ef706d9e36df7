//go:build e2e

package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fate-installer/scripts/lab/lab"
)

// kills is how often the installer is killed: enough to hit every phase of an install
// over a few runs, few enough to be run each time.
const kills = 8

// TestKilledInstall kills the installer again and again at random moments, takes the
// power from the host in between, and expects that one more run completes the
// installation as if nothing had happened.
func TestKilledInstall(t *testing.T) {
	b := newBench(t, "host=192.168.0.1", "calm=192.168.0.2")
	start := time.Now()
	b.install("calm", "--role", "host", "--party", "10000")
	whole := time.Since(start)

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range kills {
		after := time.Duration(random.Int64N(int64(whole / 2)))
		finished := b.killAfter("host", after)
		t.Logf("run %d: killed after %v, finished before: %v", i, after.Round(time.Millisecond), finished)
		if finished { // what the former runs had left was done quickly; begin anew
			b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
		}
		if i == kills/2 {
			if err := b.PowerCut("host"); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.install("host", "--role", "host", "--party", "10000")
	b.checkReady("host", modulesOfParty...)
	b.toy("host")
	prune := append([]string{"/etc/hosts", "/etc/hostname", "/etc/machine-id", "/etc/systemd/network"}, notInstalled...)
	b.checkSame("host against one that was never disturbed", names(b.tree("calm", installed, prune...)), names(b.tree("host", installed, prune...)))
}

// killAfter runs the installer and kills it after a while; it returns whether the
// installer was done before.
func (b bench) killAfter(host string, after time.Duration) bool {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), after)
	defer cancel()
	err := b.Run(ctx, host, lab.Cmd{Args: []string{installerFile, "--role", "host", "--party", "10000"}})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		b.t.Fatalf("install on %s failed before it was killed: %v", host, err)
	}
	return err == nil
}

// names leaves of a tree what does not depend on secrets and time.
func names(tree map[string]string) map[string]string {
	list := make(map[string]string)
	for path, what := range tree {
		list[path] = strings.Join(strings.Fields(what)[:3], " ")
	}
	return list
}
