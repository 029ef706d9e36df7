package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// release has the versions that upstream published together: fate.env of the tag, and the third-party versions of its
// offline package.
type release struct {
	fate, flow, board, eggroll, python, mysql, jdk string
}

// releases are read from fate.env at each FATE tag. They stand in for a payload when files are rendered without one.
var releases = []release{
	{"1.5.0", "", "1.5.0", "2.2.0", "3.6.5", "8.0.13", "8u192"},
	{"1.5.1", "", "1.5.1", "2.2.1", "3.6.5", "8.0.13", "8u192"},
	{"1.5.2", "", "1.5.2", "2.2.2", "3.6.5", "8.0.13", "8u192"},
	{"1.6.0", "", "1.6.0", "2.2.1", "3.6.5", "8.0.13", "8u192"},
	{"1.6.1", "", "1.6.0", "2.2.2", "3.6.5", "8.0.13", "8u192"},
	{"1.7.0", "1.7.0", "1.7.0", "2.4.0", "3.6.5", "8.0.13", "8u192"},
	{"1.7.1", "1.7.1", "1.7.2", "2.4.2", "3.6.5", "8.0.13", "8u192"},
	{"1.7.2", "1.7.2", "1.7.2.2", "2.4.3", "3.6.5", "8.0.28", "8u192"},
	{"1.7.3", "1.7.2", "1.7.2.2", "2.4.7", "3.6.5", "8.0.28", "8u192"},
	{"1.8.0", "1.8.0", "1.8.0", "2.4.4", "3.6.5", "8.0.28", "8u192"},
	{"1.8.1", "1.8.0", "1.8.0", "2.4.7", "3.6.5", "8.0.28", "8u192"},
	{"1.9.0", "1.9.0", "1.9.0", "2.4.5", "3.8", "8.0.28", "8u345"},
	{"1.9.1", "1.9.1", "1.9.1", "2.4.6", "3.8", "8.0.28", "8u345"},
	{"1.9.2", "1.9.1", "1.9.1", "2.4.7", "3.8", "8.0.28", "8u345"},
	{"1.10.0", "1.10.0", "1.10.0", "2.4.8", "3.8", "8.0.28", "8u345"},
	{"1.11.0", "1.11.0", "1.11.0", "2.4.9", "3.8", "8.0.28", "8u345"},
	{"1.11.1", "1.11.0", "1.11.0", "2.4.9", "3.8", "8.0.28", "8u345"},
	{"1.11.2", "1.11.1", "1.11.1", "2.5.1", "3.8", "8.0.28", "8u345"},
	{"1.11.3", "1.11.2", "1.11.2", "2.5.2", "3.8", "8.0.28", "8u345"},
	{"1.11.4", "1.11.2", "1.11.2", "2.5.3", "3.8", "8.0.28", "8u345"},
}

// Releases lists the versions of FATE that [Release] knows, the oldest first.
func Releases() []string {
	versions := make([]string, len(releases))
	for i, r := range releases {
		versions[i] = r.fate
	}
	return versions
}

// Release gives fate.env and the component versions of a published FATE.
func Release(version string) (env, versions map[string]string, err error) {
	i := slices.IndexFunc(releases, func(r release) bool { return r.fate == version })
	if i < 0 {
		return nil, nil, fmt.Errorf("cannot tell which components belong to FATE %s: the known releases are %s",
			version, strings.Join(Releases(), ", "))
	}
	r := releases[i]
	versions = map[string]string{
		"fate": r.fate, "fateflow": r.flow, boardComponent: r.board, "eggroll": r.eggroll, "python": r.python,
		"mysql": r.mysql, "jdk": r.jdk, "zookeeper": "3.5.8", "nginx": "1.26",
	}
	maps.DeleteFunc(versions, func(_, v string) bool { return v == "" })
	env = map[string]string{}
	for _, c := range allComponents() {
		if v := versions[c.name]; v != "" && c.envKey != "" {
			env[c.envKey] = v
		}
	}
	return env, versions, nil
}
