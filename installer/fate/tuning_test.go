package fate

import (
	"slices"
	"strings"
	"testing"
)

// TestEggFormula: the guide's formula gives both of upstream's defaults on the machines they were chosen for.
func TestEggFormula(t *testing.T) {
	for _, tc := range []struct{ cores, jobs, want int }{{16, 3, 4}, {8, 3, 2}, {64, 3, 17}, {2, 3, 1}, {1, 3, 1},
		{16, 1, 12}, {16, 0, 12}} {
		if got := EggsFor(tc.cores, tc.jobs); got != tc.want {
			t.Errorf("%d cores, %d jobs: %d, want %d", tc.cores, tc.jobs, got, tc.want)
		}
	}
}

func tuned(t *testing.T, text string, memory uint64, cpus int) *Spec {
	t.Helper()
	c, err := parseText(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(Selection{IP: "192.168.0.1", Env: env1113, Versions: versions1113, Memory: memory, CPUs: cpus})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSizesFollowTheHostOnlyWhereNoneWasWritten(t *testing.T) {
	s := tuned(t, oneHost, 4<<30, 8)
	if s.Side.Eggroll.Egg != 2 || s.Side.ClusterManager.CoresPerNode != 8 {
		t.Errorf("egg %d, cores %d", s.Side.Eggroll.Egg, s.Side.ClusterManager.CoresPerNode)
	}
	if got := s.heapOptions(Rollsite); !slices.Equal(got, []string{"-Xmx512m"}) {
		t.Errorf("rollsite on 4 GB: %v", got)
	}
	if s.Cluster.Host.Eggroll.Egg != defaultEgg {
		t.Error("tuning one host changes the cluster, and with it every other host")
	}
	s = tuned(t, "host: {partyid: 10000, ip: 192.168.0.1, eggroll: {egg: 7}, clustermanager: {cores_per_node: 9}, "+
		"rollsite: {max_memory: 3G}}", 4<<30, 8)
	if s.Side.Eggroll.Egg != 7 || s.Side.ClusterManager.CoresPerNode != 9 || s.heapOptions(Rollsite)[0] != "-Xmx3G" {
		t.Errorf("written sizes are not kept: %d %d %v", s.Side.Eggroll.Egg, s.Side.ClusterManager.CoresPerNode,
			s.heapOptions(Rollsite))
	}
	for _, a := range s.Advice() {
		written := strings.HasPrefix(a.Key, "host.")
		if a.Applied == written {
			t.Errorf("advice on %s: fits %s, used %s", a.Key, a.Value, a.Used)
		}
	}
	for _, memory := range []uint64{0, 16 << 30, 128 << 30} {
		s = tuned(t, oneHost, memory, 0)
		if len(s.heapOptions(ClusterManager)) != 0 || !slices.Equal(s.heapOptions(FateBoard),
			[]string{"-Xmx2048m", "-Xms2048m"}) {
			t.Errorf("%d bytes of memory: upstream's heaps are changed", memory)
		}
		if s.Side.Eggroll.Egg != defaultEgg || s.databaseConnections() != 10000 {
			t.Errorf("%d bytes of memory: egg %d, connections %d", memory, s.Side.Eggroll.Egg, s.databaseConnections())
		}
	}
	if s = tuned(t, oneHost, 8<<30, 2); s.Side.ClusterManager.CoresPerNode != 4 {
		t.Errorf("two cores make a pool of %d, which refuses every default job", s.Side.ClusterManager.CoresPerNode)
	}
	if got := tuned(t, oneHost, 0, 0).Advice(); len(got) != 0 {
		t.Errorf("advice about an unknown host: %v", got)
	}
}

func TestSecretsHideThemselves(t *testing.T) {
	s := tuned(t, "host: {partyid: 10000, ip: 192.168.0.1, mysql: {dbpasswd: hidden-away}}", 0, 0)
	for _, v := range s.Cluster.Values() {
		if strings.Contains(v.Value, "hidden-away") {
			t.Errorf("%s shows %s", v.Path, v.Value)
		}
	}
	for _, text := range secretForms(t, s) {
		if strings.Contains(text, "hidden-away") {
			t.Errorf("a secret is shown: %.200s", text)
		}
	}
}

func TestKeysAreRenderedWithTheConfiguration(t *testing.T) {
	c, err := parseText("host: {partyid: 10000, ip: 192.168.0.1, rollsite: {server_secure: true, client_secure: true}}")
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(Selection{IP: "192.168.0.1", Env: env1113, Versions: versions1113, Keys: hostKeys(t)})
	if err != nil {
		t.Fatal(err)
	}
	files, err := Render(s)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if strings.HasPrefix(f.Path, s.Layout.Keys()) {
			found++
			if f.Perm != permSecret || !slices.Equal(f.Programs, []string{"fate-rollsite"}) {
				t.Errorf("%s: mode %v, restarts %v", f.Path, f.Perm, f.Programs)
			}
		}
	}
	if found != 6 {
		t.Errorf("%d key files are rendered", found)
	}
}
