package fate

import (
	"strings"
	"testing"
)

// TestContradictions changes one thing at a time in the file of a host that is installed.
func TestContradictions(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string // text of haCluster, and what becomes of it
		want     string // blank: no contradiction
	}{
		"the same file":         {"host:", "host:", ""},
		"a further nodemanager": {"  mysql:", "  nodemanager: {ips: [192.168.0.1, 192.168.0.7]}\n  mysql:", ""},
		"a further route": {"      - id: 10000\n",
			"      - {id: 9998, routes: [{name: default, ip: 192.168.7.7, port: 9370}]}\n      - id: 10000\n", ""},
		"another board login": {"  mysql:", "  fateboard: {passwd: other}\n  mysql:", ""},
		"another database": {"mysql: {dbpasswd: fate_deV2999}",
			"mysql: {dbpasswd: fate_deV2999, ips: [192.168.0.2]}",
			"mysql is at 192.168.0.1:3306 here, and at 192.168.0.2:3306"},
		"module leaves": {"mysql: {dbpasswd: fate_deV2999}", "mysql: {dbpasswd: fate_deV2999, ips: [192.168.0.2]}",
			"mysql runs on this host"},
		"another port": {"  mysql: {", "  clustermanager: {port: 4770}\n  mysql: {",
			"clustermanager is at 192.168.0.1:4670 here"},
		"another password": {"fate_deV2999", "An0ther_one", "the password of the database user in the cluster file"},
		"another registry": {"lists: [{ip: 192.168.0.1}]", "lists: [{ip: 192.168.0.2}]",
			"the registry includes 192.168.0.1:2181 here"},
		"another next hop": {"ip: 192.168.0.3, port: 9370", "ip: 192.168.0.4, port: 9370",
			"party default is routed to 192.168.0.3:9370 in plain here, and to 192.168.0.4:9370"},
		"a route gone": {"      - {id: default, routes: [{name: default, ip: 192.168.0.3, port: 9370}]}\n", "",
			"the cluster file has no such route"},
		"another schema": {"  mysql:", "  eggroll: {dbname: meta2}\n  mysql:",
			"eggroll.dbname is eggroll_meta here, and meta2"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(haCluster, c.old) {
				t.Fatalf("%q is not in the file", c.old)
			}
			got := Contradictions(haSpec(t, haCluster, "192.168.0.1"),
				haSpec(t, strings.Replace(haCluster, c.old, c.new, 1), "192.168.0.1"))
			if c.want == "" && len(got) > 0 || !strings.Contains(got.Error(), c.want) {
				t.Errorf("got %q, want %q", got.Error(), c.want)
			}
			if strings.Contains(got.Error(), "An0ther") || strings.Contains(got.Error(), "deV2999") {
				t.Errorf("a password is shown: %s", got.Error())
			}
		})
	}
}

// TestNeeds lists what each program of a party on three hosts waits for elsewhere.
func TestNeeds(t *testing.T) {
	const text = `
host:
  partyid: 10000
  ip: 192.168.0.1
  nodemanager: {ips: [192.168.0.2, 192.168.0.3]}
  fate_flow: {ips: [192.168.0.1, 192.168.0.2]}
  mysql: {ips: [192.168.0.3], dbpasswd: secret}
  zk: {lists: [{ip: 192.168.0.1}, {ip: 192.168.0.2}, {ip: 192.168.0.3}], passwd: secret}
  nginx: {ips: [192.168.0.1]}
`
	for ip, want := range map[string]map[string]string{
		"192.168.0.1": {
			"fate-mysql": "", "fate-rollsite": "", "fate-clustermanager": "mysql at 192.168.0.3:3306",
			"fate-fateflow": "mysql at 192.168.0.3:3306; 1 of zookeeper at 192.168.0.2:2181, 192.168.0.3:2181",
		},
		"192.168.0.2": {
			"fate-nodemanager": "clustermanager at 192.168.0.1:4670",
			"fate-fateflow": "mysql at 192.168.0.3:3306; clustermanager at 192.168.0.1:4670; 1 of zookeeper at " +
				"192.168.0.1:2181, 192.168.0.3:2181",
		},
		"192.168.0.3": {"fate-mysql": "", "fate-nodemanager": "clustermanager at 192.168.0.1:4670",
			"fate-zookeeper": "1 of zookeeper at 192.168.0.1:2181, 192.168.0.2:2181"},
	} {
		s := haSpec(t, text, ip)
		for program, needs := range want {
			var got []string
			for _, n := range s.Needs(program) {
				got = append(got, n.String())
				if !n.Inside || !strings.Contains(n.Remedy(), "./fate-installer --config cluster.yaml") {
					t.Errorf("%s: %s: what to do is %q", ip, program, n.Remedy())
				}
			}
			if strings.Join(got, "; ") != needs {
				t.Errorf("%s: %s needs %q, want %q", ip, program, strings.Join(got, "; "), needs)
			}
		}
		for _, p := range Programs(s) {
			if forEver := p.StartRetries == retryForEver; forEver != (len(s.Needs(p.Name)) > 0) {
				t.Errorf("%s: %s is retried %d times, and needs %v", ip, p.Name, p.StartRetries, s.Needs(p.Name))
			}
		}
	}
}

// TestNeedOfAnOutsideModule names no command of ours.
func TestNeedOfAnOutsideModule(t *testing.T) {
	s := haSpec(t, strings.Replace(haCluster, "mysql: {dbpasswd: fate_deV2999}",
		"mysql: {type: outside, ips: [192.168.0.77], dbpasswd: x}", 1), "192.168.0.2")
	needs := s.Needs("fate-fateflow")
	if len(needs) == 0 || needs[0].Inside || !strings.Contains(needs[0].Remedy(), "start the mysql on 192.168.0.77") {
		t.Errorf("got %+v", needs)
	}
}
