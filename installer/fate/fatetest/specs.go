package fatetest

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/payload"
)

// FixedSecrets stand for generated ones, so that a rendering can be compared.
var FixedSecrets = cluster.Secrets{
	MySQLRoot: cluster.NewSecret("drawn-root"), MySQLUser: cluster.NewSecret("drawn-user"),
	ZooKeeper:     cluster.NewSecret("drawn-registry"),
	RouteTableKey: cluster.NewSecret("drawn-route-key"), FateBoardAdmin: cluster.NewSecret("drawn-board"),
}

// Env1113 and Versions1113 are the fate.env and payload that the reference files were rendered for.
var (
	Env1113      = map[string]string{"FATE": "1.11.3", "FATEFlow": "1.11.2", "FATEBoard": "1.11.2", "EGGROLL": "2.5.2"}
	Versions1113 = map[string]string{"mysql": "8.0.28", "jdk": "8u345", "python": "3.8", "eggroll": "2.5.2",
		"fate": "1.11.3", "fateflow": "1.11.2", "fateboard": "1.11.2"}
)

// Merged is a with the entries of b, which win.
func Merged[V any](a, b map[string]V) map[string]V {
	out := maps.Clone(a)
	if out == nil {
		out = make(map[string]V)
	}
	maps.Copy(out, b)
	return out
}

// SpecOf is the Spec of a cluster file on one of its hosts, for a release.
func SpecOf(t *testing.T, text, ip, release string) *cluster.Spec {
	t.Helper()
	c, err := ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	env, versions, err := cluster.Release(release)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(cluster.Selection{IP: ip, Env: env, Versions: versions, Secrets: FixedSecrets})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// SpecError returns the error of the Spec of 192.168.0.1.
func SpecError(t *testing.T, text, release string) error {
	t.Helper()
	c, err := ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	env, versions, err := cluster.Release(release)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Spec(cluster.Selection{IP: "192.168.0.1", Env: env, Versions: versions, Secrets: FixedSecrets})
	return err
}

// HASpec is the Spec of a cluster file with ZooKeeper and nginx on one of its hosts.
func HASpec(t *testing.T, text, ip string) *cluster.Spec {
	t.Helper()
	c, err := ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	versions := Merged(Versions1113, map[string]string{"zookeeper": "3.5.8", "nginx": "1.26.0"})
	s, err := c.Spec(cluster.Selection{IP: ip, Versions: versions, Env: Env1113})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Tuned is the Spec of a host with so many bytes of memory and so many processors.
func Tuned(t *testing.T, text string, memory uint64, cpus int) *cluster.Spec {
	t.Helper()
	c, err := ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Env: Env1113, Versions: Versions1113, Memory: memory,
		CPUs: cpus})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// DatabaseTestSpec is the Spec of 192.168.0.1 with the fixed secrets.
func DatabaseTestSpec(t *testing.T, file string) *cluster.Spec {
	t.Helper()
	c, err := ParseText(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Env: Env1113, Versions: Versions1113, Secrets: FixedSecrets})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// PlanComponents is a payload with everything, as the demo's.
func PlanComponents() []payload.Component {
	var out []payload.Component
	for _, name := range []string{"mariadb", "jdk", "python", "eggroll", "fate", "fateflow", "fateboard",
		"zookeeper", "nginx"} {
		out = append(out, payload.Component{Name: name, Version: "1.0", Digest: "sha256-of-" + name, Size: 10 << 20})
	}
	return out
}

// PlanSpec is the Spec of a role as --role and --party give it, with a payload of PlanComponents.
func PlanSpec(t *testing.T, role cluster.Role, party int) *cluster.Spec {
	t.Helper()
	secrets, err := cluster.NewSecrets(bytes.NewReader(make([]byte, 1024)))
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, c := range PlanComponents() {
		versions[c.Name] = c.Version
	}
	c := cluster.DefaultCluster(role, party, "192.168.0.1", "192.168.0.2:9370")
	spec, err := c.Spec(cluster.Selection{
		Role: role, Party: party, IP: "192.168.0.1", LocalAddrs: []string{"192.168.0.1"}, Base: "/data", User: "app",
		Group:    "apps",
		Versions: versions, Env: map[string]string{"FATE": "1.11.4", "FATEFlow": "1.11.2", "FATEBoard": "1.11.2",
			"EGGROLL": "2.5.3"}, Secrets: secrets,
	})
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// Components are those of a payload, with sizes like the real ones.
var Components = []payload.Component{
	{Name: "mysql", Version: "8.0.28", Digest: "m", Size: 1200 << 20, Files: 300, Dirs: 40},
	{Name: "jdk", Version: "8u345", Digest: "j", Size: 400 << 20, Files: 1600, Dirs: 150},
	{Name: "python", Version: "3.8.13", Digest: "p", Size: 3 << 30, Files: 60000, Dirs: 6000, Links: 20},
	{Name: "eggroll", Version: "2.5.1", Digest: "e", Size: 200 << 20, Files: 700, Dirs: 90},
	{Name: "fate", Version: "1.11.2", Digest: "f", Size: 100 << 20, Files: 2500, Dirs: 300},
	{Name: "fateflow", Version: "1.11.1", Digest: "w", Size: 20 << 20, Files: 500, Dirs: 60},
	{Name: "fateboard", Version: "1.11.1", Digest: "b", Size: 100 << 20, Files: 10, Dirs: 3},
}

// PreflightSpec is the Spec of a host of that address, for a payload of Components.
func PreflightSpec(t *testing.T, ip string) *cluster.Spec {
	t.Helper()
	versions := map[string]string{}
	for _, c := range Components {
		versions[c.Name] = c.Version
	}
	secrets, err := cluster.NewSecrets(strings.NewReader(strings.Repeat("secret", 100)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := cluster.DefaultCluster(cluster.RoleHost, 10000, ip, "192.168.0.99:9371:secure").Spec(cluster.Selection{
		IP: ip, Versions: versions, Env: map[string]string{"FATE": "1.11.2", "EGGROLL": "2.5.1"}, Secrets: secrets,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
