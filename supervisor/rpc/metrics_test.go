package rpc

import (
	"math"
	"strings"
	"testing"
)

// testGauges are those of the daemons of tests.
func testGauges() []Gauge {
	return []Gauge{{Name: "test_left_seconds", Help: "Time left.", Samples: []Sample{{Labels: []Label{{"file", "a"}},
		Value: 12}}}}
}

// TestGauges: labels may have any text, a value is not written as an exponent, and a gauge without values not at all.
func TestGauges(t *testing.T) {
	got := string(gaugesText([]Gauge{
		{Name: "a_seconds", Help: "A.", Samples: []Sample{
			{Labels: []Label{{"file", "x\"\\\n\xff"}, {"subject", "证书"}}, Value: -86400},
			{Labels: []Label{{"file", "y"}}, Value: math.Pow(10, 9)}}},
		{Name: "b", Help: "B."},
		{Name: "c", Help: "C.", Samples: []Sample{{Value: 0.5}}},
	}))
	want := "# HELP a_seconds A.\n# TYPE a_seconds gauge\n" +
		`a_seconds{file="x\"\\\n?",subject="证书"} -86400` + "\n" + `a_seconds{file="y"} 1000000000` + "\n" +
		"# HELP c C.\n# TYPE c gauge\nc 0.5\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestMetricsHaveGauges: the metrics of a daemon end with the gauges that it was started with.
func TestMetricsHaveGauges(t *testing.T) {
	d := startDaemon(t, "", func(*daemon) string { return "" })
	var text strings.Builder
	if err := d.client.Metrics(testContext(t), &text); err != nil ||
		!strings.HasSuffix(text.String(), "# TYPE test_left_seconds gauge\n"+`test_left_seconds{file="a"} 12`+"\n") {
		t.Errorf("%v\n%s", err, text.String())
	}
}
