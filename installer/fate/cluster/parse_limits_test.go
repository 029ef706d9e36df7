package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"fate-installer/installer/problem"
)

// TestAliasesCannotMultiplyAFile: each level refers to the one before it a hundred times.
func TestAliasesCannotMultiplyAFile(t *testing.T) {
	aliases := func(name string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat("*"+name+",", n), ",") + "]"
	}
	merged := "zk: &big\n"
	for i := range 5_000 {
		merged += fmt.Sprintf("  k%d: v\n", i)
	}
	merged += "host:\n" + strings.Repeat("  <<: *big\n", 900)
	lists := "x: &a 1.1.1.1\ny: &b\n  name: n\n  ips: " + aliases("a", 300) + "\nz: &c\n  rules: " + aliases("b", 300) +
		"\nhost:\n  rollsite:\n    partys: " + aliases("c", 300) + "\n    route_tables: " + aliases("c", 90) + "\n"
	for name, text := range map[string]string{"merged": merged, "lists": lists} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]Source{{Name: "cluster.yaml", Data: []byte(text)}})
			var ps problem.Problems
			if !errors.As(err, &ps) {
				t.Fatalf("got %v, want problems", err)
			}
			if len(ps) > maxValues/2 {
				t.Errorf("%d problems", len(ps))
			}
		})
	}
}
