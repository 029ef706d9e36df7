package render

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"

	"github.com/google/go-cmp/cmp"
)

func rendered(t *testing.T, s *cluster.Spec) map[string]string {
	t.Helper()
	files, err := Files(s)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, f := range files {
		out[f.Path] = string(f.Content)
	}
	return out
}

// TestOneListGivesTheGuidesHighAvailability compares with the files that upstream's guide corrects by hand.
func TestOneListGivesTheGuidesHighAvailability(t *testing.T) {
	for ip, reference := range map[string]string{
		"192.168.0.1": "service_conf.host1.corrected.yaml",
		"192.168.0.2": "service_conf.host2.corrected.yaml",
	} {
		s := fatetest.HASpec(t, fatetest.HACluster, ip)
		files := rendered(t, s)
		got := flatten(t, "x.yaml", []byte(files["/data/projects/fate/conf/service_conf.yaml"]))
		want := flatten(t, "x.yaml", fatetest.ReadFile(t, fatetest.Upstream+"/ha-fateflow/"+reference))
		// The reference spells defaults out that are not written, and leaves a name blank that is not used.
		delete(want, "use_deserialize_safe_module")
		delete(want, "fateflow.random_instance_id")
		want["private_key_file"] = "private_key.pem"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s service_conf.yaml (-guide +ours):\n%s", ip, diff)
		}
		var table, wantTable any
		unmarshal(t, []byte(files["/data/projects/fate/eggroll/conf/route_table.json"]), &table)
		unmarshal(t, fatetest.ReadFile(t, fatetest.Upstream+"/ha-fateflow/route_table.json"), &wantTable)
		if diff := cmp.Diff(wantTable, table); diff != "" {
			t.Errorf("%s route_table.json (-guide +ours):\n%s", ip, diff)
		}
		props := flatten(t, "x.properties", []byte(files["/data/projects/fate/eggroll/conf/eggroll.properties"]))
		if got := props["eggroll.rollsite.host"]; got != "192.168.0.1" {
			t.Errorf("%s: eggroll.rollsite.host is %s, the guide corrects it to 192.168.0.1", ip, got)
		}
	}
}

func TestHighAvailabilityRunsEachModuleWhereListed(t *testing.T) {
	first, second := fatetest.HASpec(t, fatetest.HACluster, "192.168.0.1"), fatetest.HASpec(t, fatetest.HACluster,
		"192.168.0.2")
	if got := first.Modules(); !slices.Equal(got, []cluster.Module{cluster.MySQL, cluster.ClusterManager,
		cluster.NodeManager, cluster.Rollsite, cluster.ZooKeeper,
		cluster.Nginx, cluster.FateFlow, cluster.FateBoard}) {
		t.Errorf("the first host runs %v", got)
	}
	if got := second.Modules(); !slices.Equal(got, []cluster.Module{cluster.FateFlow}) {
		t.Errorf("the second host runs %v, not FATE-Flow alone", got)
	}
	if got := second.Components(); !slices.Equal(got, []string{"jdk", "python", "eggroll", "fate", "fateflow"}) {
		t.Errorf("the second host gets %v", got)
	}
	db, _ := DatabaseOf(first)
	var hosts []string
	for _, u := range db.Users {
		if slices.Contains(u.Schemas, "fate_flow") {
			hosts = append(hosts, u.Host)
		}
	}
	slices.Sort(hosts)
	if !slices.Equal(hosts, []string{"127.0.0.1", "192.168.0.1", "192.168.0.2", "localhost"}) {
		t.Errorf("FATE-Flow's account exists for %v", hosts)
	}
	if db, _ := DatabaseOf(second); db.Manage {
		t.Error("the second host would manage the first one's database")
	}
}

func TestZooKeeperAndNginxAgreeWithTheGuide(t *testing.T) {
	files := rendered(t, fatetest.HASpec(t, fatetest.HACluster, "192.168.0.1"))
	got := flatten(t, "x.properties", []byte(files["/data/projects/zookeeper/conf/zoo.cfg"]))
	for key, want := range flatten(t, "x.properties", fatetest.ReadFile(t, fatetest.Upstream+"/ha-fateflow/zoo.cfg")) {
		if got[key] != want {
			t.Errorf("zoo.cfg: %s is %q, the guide has %q", key, got[key], want)
		}
	}
	if got := files["/data/projects/zookeeper/data/zookeeper/myid"]; got != "1\n" {
		t.Errorf("myid is %q", got)
	}
	conf := files["/data/projects/nginx/conf/nginx.conf"]
	const guide, ours = "max_fails=2 fail_timeout=60s", "max_fails=1 fail_timeout=5s"
	if listed := string(fatetest.ReadFile(t, "differences.md")); !strings.Contains(listed, guide) ||
		!strings.Contains(listed, ours) {
		t.Errorf("differences.md does not tell of %s", guide)
	}
	for line := range strings.Lines(string(fatetest.ReadFile(t,
		fatetest.Upstream+"/ha-fateflow/nginx-ha.corrected.conf"))) {
		if line = strings.Replace(strings.TrimSpace(line), guide, ours, 1); !strings.Contains(conf, line) {
			t.Errorf("nginx.conf lacks %q", line)
		}
	}
}

func TestEnsembleAndSeveralBalancers(t *testing.T) {
	text := strings.NewReplacer(
		"lists: [{ip: 192.168.0.1}]", "lists: [{ip: 192.168.0.1}, {ip: 192.168.0.2}, {ip: 192.168.0.3, port: 2182}]",
		"nginx: {ips: [192.168.0.1]}", "nginx: {ips: [192.168.0.1, 192.168.0.2], host: 192.168.0.100}",
		"ip: 192.168.0.3, port: 9370}", "ip: 192.168.9.9, port: 9370}",
		"ip: 192.168.0.1, port: 9999}", "ip: 192.168.0.100, port: 9999}",
		"ips: [192.168.0.1, 192.168.0.2]}", "ips: [192.168.0.1, 192.168.0.2, 192.168.0.3]}",
	).Replace(fatetest.HACluster)
	for i, ip := range []string{"192.168.0.1", "192.168.0.2", "192.168.0.3"} {
		s := fatetest.HASpec(t, text, ip)
		files := rendered(t, s)
		if got := files["/data/projects/zookeeper/data/zookeeper/myid"]; got != string(rune('1'+i))+"\n" {
			t.Errorf("%s: myid is %q", ip, got)
		}
		zoo := flatten(t, "x.properties", []byte(files["/data/projects/zookeeper/conf/zoo.cfg"]))
		if zoo["server.2"] != "192.168.0.2:2888:3888" || zoo["server.3"] != "192.168.0.3:2888:3888" {
			t.Errorf("%s: zoo.cfg has %v", ip, zoo)
		}
		if s.Runs(cluster.Nginx) != (i < 2) {
			t.Errorf("%s: nginx runs: %v", ip, s.Runs(cluster.Nginx))
		}
		conf := flatten(t, "x.yaml", []byte(files["/data/projects/fate/conf/service_conf.yaml"]))
		if conf["fateflow.nginx.host"] != "192.168.0.100" || conf["zookeeper.hosts[2]"] != "192.168.0.3:2182" {
			t.Errorf("%s: service_conf.yaml has nginx %s and zookeeper %s", ip, conf["fateflow.nginx.host"],
				conf["zookeeper.hosts[2]"])
		}
	}
}

// TestSecondFlowFileOfTheGuide reads the var file that the guide has the operator write for the second host, and does
// what the guide then does by hand: the rollsite of the first host is used, and none is started here.
func TestSecondFlowFileOfTheGuide(t *testing.T) {
	c := fatetest.MustParse(t, fatetest.Upstream+"/ha-fateflow/fate_host.second-flow")
	s, err := c.Spec(cluster.Selection{LocalAddrs: []string{"192.168.0.2"}, Versions: fatetest.Versions1113,
		Env: fatetest.Env1113})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Modules(); !slices.Equal(got, []cluster.Module{cluster.FateFlow}) {
		t.Errorf("the second host runs %v", got)
	}
	files := rendered(t, s)
	conf := flatten(t, "x.yaml", []byte(files["/data/projects/fate/conf/service_conf.yaml"]))
	for key, want := range map[string]string{
		"fateflow.host": "192.168.0.2", "fate_on_eggroll.rollsite.host": "192.168.0.1", "database.host": "192.168.0.1",
		"use_registry": "true", "zookeeper.hosts[0]": "192.168.0.1:2181", "enable_model_store": "true",
	} {
		if conf[key] != want {
			t.Errorf("%s is %q, want %q", key, conf[key], want)
		}
	}
	if len(c.Notes()) == 0 {
		t.Error("nothing says that no rollsite is started")
	}
}

func unmarshal(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

// TestNginxAcceptsItsConfiguration asks nginx itself, where there is one.
func TestNginxAcceptsItsConfiguration(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("no nginx on this machine")
	}
	c, err := fatetest.ParseText(fatetest.HACluster)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Versions: fatetest.Merged(fatetest.Versions1113,
		map[string]string{"zookeeper": "3.5.8", "nginx": "1.26"}), Env: fatetest.Env1113})
	if err != nil {
		t.Fatal(err)
	}
	s.Layout.Base = t.TempDir() + "/a b"
	for _, dir := range []string{s.Layout.ComponentLogs("nginx"), s.Layout.Nginx() + "/run",
		s.Layout.Nginx() + "/conf"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	conf := rendered(t, s)[s.Layout.NginxConf()]
	if err := os.WriteFile(s.Layout.NginxConf(), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(nginx, "-t", "-p", s.Layout.Nginx(), "-c",
		s.Layout.NginxConf()).CombinedOutput(); err != nil {
		t.Errorf("nginx -t: %v\n%s", err, out)
	}
}
