package adopt

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// given reports whether a key of a file that is not rendered has the value that FATE brings, or the one of upstream's
// guide for high availability.
func (t *templates) given(doc *document, key, value string) bool {
	switch doc.kind {
	case kindZooKeeper:
		return t.zooKeeper(key, value)
	case kindNginx:
		return t.nginx(key, value)
	case kindQueues:
		want, known := queueRoutes[path.Base(doc.file)][key]
		return known && want == value
	case kindScript:
		want, known := scriptOptions[key]
		return known && (value == want || want == anything)
	}
	return false
}

// zooKeeper compares with section 2.1.2 of the guide. Ports are given where the configuration of FATE-Flow has them.
func (t *templates) zooKeeper(key, value string) bool {
	l := t.s.Layout
	guide := map[string]string{"tickTime": "2000", "initLimit": "10", "syncLimit": "5", "maxClientCnxns": "1000",
		"admin.serverPort": "8081", "dataDir": l.ZooKeeperData(), "dataLogDir": path.Join(l.ZooKeeper(), "logs")}
	if want, ok := guide[key]; ok {
		return value == want
	}
	for _, e := range t.s.Side.ZK.Lists {
		switch {
		case key == "clientPort" && value == fmt.Sprint(e.Port):
			return true
		case strings.HasPrefix(key, "server.") && value == e.IP+":2888:3888":
			return true
		}
	}
	return false
}

// nginxDefaults are what nginx's own file has.
var nginxDefaults = map[string][]string{"worker_processes": {"1", "auto"}, "events.worker_connections": {"1024"},
	"http.include": {"mime.types"}, "http.default_type": {"application/octet-stream"}, "http.sendfile": {"on"},
	"http.keepalive_timeout": {"65"}}

// nginx compares with nginx's own file and with section 2.2 of the guide: balancers of both ports of FATE-Flow, and a
// server for each.
func (t *templates) nginx(key, value string) bool {
	if values, ok := nginxDefaults[key]; ok {
		return slices.Contains(values, value)
	}
	flow, nginx := t.s.Side.FateFlow, t.s.Side.Nginx
	block, directive := key, ""
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		block, directive = key[:i], key[i+1:]
	}
	directive, _, _ = strings.Cut(directive, "#")
	switch {
	case strings.HasPrefix(block, "http.upstream ") && directive == "server":
		for _, ip := range flow.IPs {
			for _, port := range []int{flow.GRPCPort, flow.HTTPPort} {
				if value == fmt.Sprintf("%s:%d weight=5 max_fails=2 fail_timeout=60s", ip, port) {
					return true
				}
			}
		}
	case !strings.HasPrefix(block, "http.server"):
	case directive == "listen":
		return value == fmt.Sprintf("%d http2", nginx.GRPCPort) || value == fmt.Sprint(nginx.HTTPPort)
	case directive == "server_name":
		return value == nginx.Host || slices.Contains(nginx.IPs, value)
	case strings.HasSuffix(block, ".location /") && (directive == "proxy_pass" || directive == "grpc_pass"):
		return value == "grpc://grpc_backend" || value == "http://http_backend" && directive == "proxy_pass"
	}
	return false
}

// queueRoutes are what FATE brings. A party with eggroll does not read them.
var queueRoutes = map[string]map[string]string{
	"rabbitmq_route_table.yaml": {"9999.host": "192.168.0.4", "9999.port": "5672", "10000.host": "10.117.32.179",
		"10000.port": "6550"},
	"pulsar_route_table.yaml": {"9999.host": "192.168.0.4", "9999.port": "6650", "9999.sslPort": "6651",
		"9999.proxy": "", "9999.local": "false", "10000.host": "192.168.0.3", "10000.port": "6650",
		"10000.sslPort": "6651", "10000.proxy": "", "10000.local": "true"},
}

// anything stands for a value that says where the script is.
const anything = "*"

// scriptOptions are those that AnsibleFATE's scripts give to java.
var scriptOptions = map[string]string{"-Dlog4j.configurationFile": anything, "-Dspring.config.location": anything,
	"-Dssh_config_file": anything, "-DFATE_DEPLOY_PREFIX": anything, "-Xmx": "2048m", "-Xms": "2048m",
	"-XX:PrintGCDetails": "+", "-XX:PrintGCDateStamps": "+", "-Xloggc": "gc.log", "-XX:HeapDumpOnOutOfMemoryError": "+"}
