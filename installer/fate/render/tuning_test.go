package render

import (
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

func TestSizesFollowTheHostOnlyWhereNoneWasWritten(t *testing.T) {
	s := fatetest.Tuned(t, fatetest.OneHost, 4<<30, 8)
	if s.Side.Eggroll.Egg != 2 || s.Side.ClusterManager.CoresPerNode != 8 {
		t.Errorf("egg %d, cores %d", s.Side.Eggroll.Egg, s.Side.ClusterManager.CoresPerNode)
	}
	if got := heapOptions(s, cluster.Rollsite); !slices.Equal(got, []string{"-Xmx512m"}) {
		t.Errorf("rollsite on 4 GB: %v", got)
	}
	if s.Cluster.Host.Eggroll.Egg != cluster.DefaultEgg {
		t.Error("tuning one host changes the cluster, and with it every other host")
	}
	s = fatetest.Tuned(t,
		"host: {partyid: 10000, ip: 192.168.0.1, eggroll: {egg: 7}, clustermanager: {cores_per_node: 9}, "+
			"rollsite: {max_memory: 3G}}", 4<<30, 8)
	if s.Side.Eggroll.Egg != 7 || s.Side.ClusterManager.CoresPerNode != 9 || heapOptions(s,
		cluster.Rollsite)[0] != "-Xmx3G" {
		t.Errorf("written sizes are not kept: %d %d %v", s.Side.Eggroll.Egg, s.Side.ClusterManager.CoresPerNode,
			heapOptions(s, cluster.Rollsite))
	}
	for _, a := range s.Advice() {
		written := strings.HasPrefix(a.Key, "host.")
		if a.Applied == written {
			t.Errorf("advice on %s: fits %s, used %s", a.Key, a.Value, a.Used)
		}
	}
	for _, memory := range []uint64{0, 16 << 30, 128 << 30} {
		s = fatetest.Tuned(t, fatetest.OneHost, memory, 0)
		if len(heapOptions(s, cluster.ClusterManager)) != 0 || !slices.Equal(heapOptions(s, cluster.FateBoard),
			[]string{"-Xmx2048m", "-Xms2048m"}) {
			t.Errorf("%d bytes of memory: upstream's heaps are changed", memory)
		}
		if s.Side.Eggroll.Egg != cluster.DefaultEgg || databaseConnections(s) != 10000 {
			t.Errorf("%d bytes of memory: egg %d, connections %d", memory, s.Side.Eggroll.Egg, databaseConnections(s))
		}
	}
	if s = fatetest.Tuned(t, fatetest.OneHost, 8<<30, 2); s.Side.ClusterManager.CoresPerNode != 4 {
		t.Errorf("two cores make a pool of %d, which refuses every default job", s.Side.ClusterManager.CoresPerNode)
	}
	if got := fatetest.Tuned(t, fatetest.OneHost, 0, 0).Advice(); len(got) != 0 {
		t.Errorf("advice about an unknown host: %v", got)
	}
}

func TestKeysAreRenderedWithTheConfiguration(t *testing.T) {
	c, err := fatetest.ParseText(
		"host: {partyid: 10000, ip: 192.168.0.1, rollsite: {server_secure: true, client_secure: true}}")
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Env: fatetest.Env1113, Versions: fatetest.Versions1113,
		Keys: hostKeys(t)})
	if err != nil {
		t.Fatal(err)
	}
	files, err := Files(s)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if strings.HasPrefix(f.Path, s.Layout.Keys()) {
			found++
			if f.Perm != PermSecret || !slices.Equal(f.Programs, []string{"fate-rollsite"}) {
				t.Errorf("%s: mode %v, restarts %v", f.Path, f.Perm, f.Programs)
			}
		}
	}
	if found != 6 {
		t.Errorf("%d key files are rendered", found)
	}
}
