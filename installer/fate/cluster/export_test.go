package cluster

import (
	"path"
	"slices"
	"testing"
)

// Dashboard is a module that no FATE has.
const Dashboard Module = "dashboard"

// AddDashboard adds the entry of a made-up module to the table for the time of a test. It is all that is said of it.
func AddDashboard(t *testing.T, port int, command ...string) {
	table := moduleTable
	t.Cleanup(func() { moduleTable = table })
	home := func(l Layout, _ string) string { return path.Join(l.Project(), "dashboard") }
	moduleTable = append(slices.Clone(table), moduleEntry{
		module: Dashboard, key: "dashboard", group: "dashboard",
		addresses:  func(s *Side) []string { return s.AddressesOf(ClusterManager) },
		port:       func(*Side) int { return port },
		components: made("jdk", "dashboard"),
		main:       &component{name: "dashboard", envKey: "Dashboard", home: home, kept: []string{"charts"}},
		command:    func(*Spec) []string { return command },
		home:       func(s *Spec) string { return home(s.Layout, "") },
		logs:       "dashboard",
		logLink:    func(l Layout) string { return path.Join(home(l, ""), "logs") },
		mark:       processMark{"dashboard.jar", "the dashboard"},
		dataDirs:   func(l Layout) []string { return []string{l.EggrollData()} },
		heap:       heapShare{16, 192, 1024, 0},
		memory:     measured(Resident{300, 400}),
		wants:      func(*Spec) []Module { return []Module{ClusterManager} },
		jobsWant:   []Module{Rollsite},
		outward:    true,
		forPeople:  true,
		secrets:    func(*Spec) []string { return []string{"route_table_key"} },
	})
}
