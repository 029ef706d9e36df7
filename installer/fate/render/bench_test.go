package render

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

// exchangeOf is an exchange with a route for each of n parties.
func exchangeOf(n int) []byte {
	var b strings.Builder
	b.WriteString("exchange:\n  ip: 192.168.0.88\n  rollsite:\n    route_tables:\n")
	for i := range n {
		fmt.Fprintf(&b, "      - id: %d\n        routes:\n          - name: default\n            ip: 10.%d.%d.%d\n   "+
			"         port: 9370\n            is_secure: false\n",
			i+1, i/62500, i/250%250, i%250+1)
	}
	return []byte(b.String())
}

func loadAndRender(tb testing.TB, data []byte) {
	tb.Helper()
	c, err := cluster.Parse([]cluster.Source{{Name: "exchange", Data: data}})
	if err != nil {
		tb.Fatal(err)
	}
	s, err := c.Spec(cluster.Selection{IP: "192.168.0.88", Env: fatetest.Env1113, Versions: fatetest.Versions1113,
		Secrets: fatetest.FixedSecrets})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := Files(s); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkRouteTable loads, validates and renders an exchange. What one party costs must not depend on their number.
func BenchmarkRouteTable(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		data := exchangeOf(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				loadAndRender(b, data)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/party")
		})
	}
}

// TestMemoryGrowsWithThePartiesOnly counts bytes, which unlike time are the same on every machine.
func TestMemoryGrowsWithThePartiesOnly(t *testing.T) {
	allocated := func(n int) float64 {
		data := exchangeOf(n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		loadAndRender(t, data)
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	}
	small, large := allocated(500), allocated(10000)
	if large > 1.5*small {
		t.Errorf("a party takes %.0f bytes among 500, and %.0f among 10000", small, large)
	}
}
