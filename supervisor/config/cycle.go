package config

import "slices"

// findCycle returns the names of one cycle in the dependencies, beginning and ending with the same program and
// reading "depends on" from left to right, or nil. Unknown names are not followed.
func findCycle(programs []Program) []string {
	deps := make(map[string][]string, len(programs))
	for _, p := range programs {
		deps[p.Name] = slices.Concat(p.DependsOn, p.Needs)
	}
	const visiting, done = 1, 2
	mark := make(map[string]int, len(programs))
	var path []string
	var visit func(name string) []string
	visit = func(name string) []string {
		switch mark[name] {
		case done:
			return nil
		case visiting:
			return append(slices.Clone(path[slices.Index(path, name):]), name)
		}
		mark[name] = visiting
		path = append(path, name)
		for _, d := range deps[name] {
			if cycle := visit(d); cycle != nil {
				return cycle
			}
		}
		path = path[:len(path)-1]
		mark[name] = done
		return nil
	}
	for _, p := range programs {
		if cycle := visit(p.Name); cycle != nil {
			return cycle
		}
	}
	return nil
}
