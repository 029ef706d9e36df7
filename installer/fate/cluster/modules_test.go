package cluster

import (
	"slices"
	"testing"
)

// TestModuleTable holds that every module has an entry, in start order, and that what is installed has all that is
// asked of it.
func TestModuleTable(t *testing.T) {
	var got []Module
	for _, e := range moduleTable() {
		got = append(got, e.module)
		if e.module != RabbitMQ &&
			(e.addresses == nil || e.components == nil || e.port == nil && e.module != ZooKeeper) {
			t.Errorf("the entry of %s is not complete", e.module)
		}
	}
	if !slices.Equal(got, Modules) {
		t.Errorf("the table has %v, Modules %v", got, Modules)
	}
}
