package adopt

import (
	"strings"
	"testing"

	"fate-installer/scripts/ansiblefate"
)

// TestGivenFiles lists what operators changed in files that AnsibleFATE does not render: those of ZooKeeper and nginx,
// routes of message queues, and the scripts that start java.
func TestGivenFiles(t *testing.T) {
	h, dir := tree(t, ansiblefate.Options{HA: true, Flows: []string{"192.168.0.5"}})
	const fate = "data/projects/fate/"
	edit(t, dir, "data/projects/zookeeper/conf/zoo.cfg", "maxClientCnxns=1000",
		"maxClientCnxns=60\nautopurge.purgeInterval=24")
	edit(t, dir, "data/projects/nginx/conf/nginx.conf", "192.168.0.5:9360 weight=5", "192.168.0.5:9360 weight=1")
	edit(t, dir, "data/projects/nginx/conf/nginx.conf", "listen 9998;",
		"listen 9998;\nclient_max_body_size 10g;\nproxy_set_header Authorization \"Basic c2VjcmV0\";")
	edit(t, dir, fate+"conf/rabbitmq_route_table.yaml", "10.117.32.179", "10.1.1.1")
	edit(t, dir, fate+"fateboard/service.sh", "-Xmx2048m", "-Xmx8g -Djavax.net.ssl.keyStorePassword=hunter2")
	edit(t, dir, fate+"eggroll/bin/fate-eggroll.sh", "exec java", "exec java -XX:+UseParallelGC")
	o := options()
	o.Flows = []string{"192.168.0.1", "192.168.0.5"}
	p := mustPlan(t, h, o)
	want := []string{"rabbitmq_route_table.yaml 10000.host", "zoo.cfg maxClientCnxns", "zoo.cfg autopurge.purgeInterval",
		"nginx.conf http.upstream grpc_backend.server#2", "nginx.conf http.server#2.client_max_body_size",
		"nginx.conf http.server#2.proxy_set_header", "fate-eggroll.sh -XX:UseParallelGC", "service.sh -Xmx",
		"service.sh -Djavax.net.ssl.keyStorePassword"}
	if got := edits(p); strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("the edits are %q\nwant %q", got, want)
	}
	for _, d := range p.Operators() {
		if strings.Contains(*d.Theirs, "c2VjcmV0") || strings.Contains(*d.Theirs, "hunter2") {
			t.Errorf("%s %s is shown as %s", d.File, d.Key, *d.Theirs)
		}
		if strings.HasSuffix(d.Key, "client_max_body_size") && (*d.Theirs != "10g" || d.Line == 0 || d.Ours != nil) {
			t.Errorf("%+v", d)
		}
	}
	for _, f := range p.Files {
		if strings.Contains(f.File, "nginx") && (f.Action != actionKeep || !f.Compared || f.Differences == 0) {
			t.Errorf("%+v", f)
		}
	}
	checkComplete(t, p)
}

// TestLocalConfiguration holds that blocks of local.service_conf.yaml replace those of service_conf.yaml, as FATE-Flow
// reads them.
func TestLocalConfiguration(t *testing.T) {
	h, dir := tree(t, ansiblefate.Options{})
	put(t, dir, "data/projects/fate/conf/local.service_conf.yaml",
		"fateflow:\n  host: 192.168.0.1\n  http_port: 9381\n  grpc_port: 9360\n  proxy: rollsite\ndatabase:\n"+
			"  name: fate_flow\n  user: fate\n  passwd: an0therOne\n  host: 192.168.0.1\n  port: 3306\n")
	p := mustPlan(t, h, options())
	want := "httpPort: 9381 # /data/projects/fate/conf/local.service_conf.yaml:3"
	if !strings.Contains(p.ClusterFile, want) {
		t.Errorf("the cluster file lacks %q:\n%s", want, p.ClusterFile)
	}
	got := strings.Join(edits(p), ", ")
	for _, want := range []string{"service_conf.yaml fateflow.http_port", "local.service_conf.yaml fateflow.http_port",
		"local.service_conf.yaml database.passwd"} {
		if !strings.Contains(got, want) {
			t.Errorf("the edits lack %q: %s", want, got)
		}
	}
	if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "replaces blocks of") ||
		!strings.HasSuffix(p.Notes[0], "fateflow, database") {
		t.Errorf("the notes are %q", p.Notes)
	}
	for _, d := range p.Differences {
		for _, v := range []*string{d.Theirs, d.Ours} {
			if v != nil && strings.Contains(*v, "an0therOne") {
				t.Errorf("%+v has the password", d)
			}
		}
	}
	checkComplete(t, p)
}
