//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fate-installer/scripts/lab/lab"
)

// kills is how often an install is killed.
var kills = repeats(50, 300)

// TestKilledInstall kills the installer again and again at random moments, takes the
// power from the host in between, and expects that one more run completes the
// installation as if nothing had happened. Each run goes on where the last was killed,
// so most need not last long to get to where none was killed before; some have to, for
// the steps that take their time.
func TestKilledInstall(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1", "calm=192.168.0.2")
	start := time.Now()
	b.install("calm", "--role", "host", "--party", "10000")
	whole := time.Since(start)

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range kills {
		after := time.Duration(math.Pow(random.Float64(), 3) * float64(whole) / 2)
		finished := b.killAfter("host", after)
		t.Logf("run %d: killed after %v, finished before: %v", i, after.Round(time.Millisecond), finished)
		if finished { // what the former runs had left was done quickly; begin again
			b.run("host", installerFile, "uninstall", "--yes", "--purge-data")
		}
		if i%(kills/3) == kills/6 {
			if err := b.PowerCut("host"); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.install("host", "--role", "host", "--party", "10000")
	b.checkReady("host", modulesOfParty...)
	b.checkSame("tree against that of a host that was never disturbed",
		names(b.tree("calm", installed, notCompared...)), names(b.tree("host", installed, notCompared...)))
	b.checkSame("database against that of a host that was never disturbed",
		b.database("calm", "192.168.0.2"), b.database("host", "192.168.0.1"))
	b.toy("host")
}

// killAfter runs the installer and kills it after a while; it returns whether the
// installer was done before.
func (b bench) killAfter(host string, after time.Duration) bool {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), after)
	defer cancel()
	var out bytes.Buffer
	err := b.Run(ctx, host, lab.Cmd{Args: []string{installerFile, "--role", "host", "--party", "10000"},
		Stdout: &out, Stderr: &out})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		b.t.Fatalf("install on %s failed before it was killed: %v\n%s", host, err, &out)
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
