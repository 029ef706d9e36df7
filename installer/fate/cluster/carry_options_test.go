package cluster_test

import (
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

func TestTextsThatNoFileCanCarryAreRefused(t *testing.T) {
	for _, tc := range []struct{ yaml, file, char string }{
		{`mysql: {dbpasswd: 'a\b'}`, "eggroll.properties", `'\'`},
		{`mysql: {dbpasswd: '100%'}`, "eggroll.properties", `'%'`},
		{`mysql: {dbpasswd: '密码'}`, "eggroll.properties", `'密'`},
		{`mysql: {dbpasswd: ' x'}`, "eggroll.properties", "a blank at its end"},
		{`fateboard: {passwd: 'a${b}'}`, "application.properties", "${"},
		{`fateboard: {passwd: '#{x}'}`, "application.properties", "#{"},
		{`secrets: {mysql_root: "a\tb"}`, "no configuration file", "U+0009"},
		{`rollsite: {coordinator: 'a\b'}`, "eggroll.properties", `'\'`},
	} {
		_, err := fatetest.ParseText("host:\n  partyid: 10000\n  ip: 192.168.0.1\n  " + tc.yaml + "\n")
		fatetest.WantProblem(t, err, "cluster.yaml:4:", tc.file, tc.char)
	}
}

func TestBaseDirectoriesThatCannotBeUsed(t *testing.T) {
	for base, reason := range map[string]string{
		"/da:ta": "PATH", "/da%ta": "configparser", `/da\ta`: "backslash", "/da$ta": "nginx.conf", "/da,ta": "Spring",
		"/数据":    "beyond ASCII",
		"/da ta": "egg_pair_bootstrap.sh", "/da=ta": "egg_pair_bootstrap.sh", "/da[t]a": "pattern",
		"data": "not absolute", "/da#ta": "comment", `/da"ta`: "quote",
	} {
		c := cluster.DefaultCluster(cluster.RoleHost, 10000, "192.168.0.1", "")
		_, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Base: base})
		fatetest.WantProblem(t, err, reason)
	}
	c := cluster.DefaultCluster(cluster.RoleHost, 10000, "192.168.0.1", "")
	if _, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Base: "/srv/fate-1.11_(new)+a@b~c&d"}); err != nil {
		t.Errorf("a base directory that everything can carry: %v", err)
	}
}
