package cluster_test

import (
	"testing"

	"fate-installer/installer/fate/cluster"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"128G": 128 << 30, "1": 1, "512m": 512 << 20, "2T": 2 << 40, "3k": 3 << 10,
		"": 0, "keep": 0, "12G3": 0, "99999999999T": 0} {
		got, ok := cluster.ParseSize(text)
		if ok != (want > 0) || ok && got != want {
			t.Errorf("parseSize(%q) = %d, %v", text, got, ok)
		}
	}
}
