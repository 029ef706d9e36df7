package fate

import (
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
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
			if !strings.Contains(fatetest.HACluster, c.old) {
				t.Fatalf("%q is not in the file", c.old)
			}
			got := Contradictions(fatetest.HASpec(t, fatetest.HACluster, "192.168.0.1"),
				fatetest.HASpec(t, strings.Replace(fatetest.HACluster, c.old, c.new, 1), "192.168.0.1"))
			if c.want == "" && len(got) > 0 || !strings.Contains(got.Error(), c.want) {
				t.Errorf("got %q, want %q", got.Error(), c.want)
			}
			if strings.Contains(got.Error(), "An0ther") || strings.Contains(got.Error(), "deV2999") {
				t.Errorf("a password is shown: %s", got.Error())
			}
		})
	}
}
