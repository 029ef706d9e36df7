package supervisor

import (
	"slices"
	"strings"

	"fate-installer/supervisor/config"
)

// startOrder sorts names so that every program comes after those it depends on or needs; among programs that do not
// depend on each other, by priority and then by name. There must be no cycle.
func startOrder(programs map[string]*config.Program, names []string) []string {
	sorted := slices.Clone(names)
	slices.SortFunc(sorted, func(a, b string) int {
		if d := programs[a].Priority - programs[b].Priority; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n] = true
	}
	seen := make(map[string]bool, len(programs))
	order := make([]string, 0, len(names))
	var visit func(name string)
	visit = func(name string) {
		p := programs[name]
		if p == nil || seen[name] {
			return
		}
		seen[name] = true
		for _, d := range slices.Concat(p.DependsOn, p.Needs) {
			visit(d)
		}
		if wanted[name] {
			order = append(order, name)
		}
	}
	for _, n := range sorted {
		visit(n)
	}
	return order
}

// withDependencies adds to names everything they depend on or need, directly or not.
func withDependencies(programs map[string]*config.Program, names []string) []string {
	return closure(names, func(n string) []string {
		if p := programs[n]; p != nil {
			return slices.Concat(p.DependsOn, p.Needs)
		}
		return nil
	})
}

// withDependants adds to names everything that depends on them, directly or not.
func withDependants(programs map[string]*config.Program, names []string) []string {
	dependants := make(map[string][]string)
	for name, p := range programs {
		for _, d := range p.DependsOn {
			dependants[d] = append(dependants[d], name)
		}
	}
	return closure(names, func(n string) []string { return dependants[n] })
}

func closure(names []string, next func(string) []string) []string {
	seen := make(map[string]bool)
	var out []string
	for todo := slices.Clone(names); len(todo) > 0; {
		n := todo[0]
		todo = todo[1:]
		if seen[n] {
			continue
		}
		seen[n] = true
		out = append(out, n)
		todo = append(todo, next(n)...)
	}
	slices.Sort(out)
	return out
}
