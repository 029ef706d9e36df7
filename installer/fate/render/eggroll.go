package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"fate-installer/installer/fate/cluster"
)

func renderEggroll(s *cluster.Spec) ([]File, error) {
	if !s.HasEggroll() {
		return nil, nil
	}
	programs := running(s, cluster.ClusterManager, cluster.NodeManager, cluster.Rollsite, cluster.FateFlow)
	table, err := routeTable(s)
	if err != nil {
		return nil, err
	}
	return []File{
		{
			Path: s.Layout.EggrollProperties(), Content: eggrollProperties(s), Perm: PermSecret,
			Secret: true, Component: "eggroll", Programs: programs,
		},
		// rollsite reloads the table every minute: no program is restarted for a new route.
		{Path: s.Layout.RouteTable(), Content: table, Perm: permConfig, Component: "eggroll"},
		{
			Path: path.Join(s.Layout.EggrollConf(), "log4j2.properties"), Content: log4jProperties(), Perm: permConfig,
			Component: "eggroll", Programs: running(s, cluster.ClusterManager, cluster.NodeManager, cluster.Rollsite),
		},
	}, nil
}

// eggrollProperties is read by java.util.Properties, which takes the section title for a key without harm, and by
// python's configparser, which needs it.
func eggrollProperties(s *cluster.Spec) []byte {
	p := &properties{header: "[eggroll]\n"}
	side := s.Side
	const manager = "eggroll.resourcemanager.clustermanager."
	const node = "eggroll.resourcemanager.nodemanager."
	p.set(manager+"jdbc.driver.class.name", "com.mysql.cj.jdbc.Driver")
	if s.Role == cluster.RoleExchange { // a rollsite without party reads none of these, and has nothing to put in
		for _, key := range []string{manager + "jdbc.url", manager + "jdbc.username", manager + "jdbc.password",
			manager + "host", manager + "port", node + "port"} {
			p.set(key, "")
		}
	} else {
		p.set(manager+"jdbc.url", fmt.Sprintf(
			"jdbc:mysql://%s:%d/%s?useSSL=false&%s&characterEncoding=utf8&allowPublicKeyRetrieval=true",
			cluster.FirstAddress(side.MySQL.IPs), side.MySQL.Port, side.Eggroll.DBName, s.Profile.JDBCTimeZone()))
		p.set(manager+"jdbc.username", side.MySQL.User)
		p.set(manager+"jdbc.password", s.DatabasePassword())
		p.set(manager+"host", cluster.FirstAddress(side.ClusterManager.IPs))
		p.set(manager+"port", side.ClusterManager.Port)
		p.set(node+"port", side.NodeManager.Port)
		if s.Profile.NodesRegister() && s.Runs(cluster.NodeManager) {
			// Without it the node registers whatever interface java finds first.
			p.set(node+"host", s.IP)
		}
	}
	if s.Profile.NodesRegister() && len(side.NodeManager.IPs) > 1 {
		// 2.5.3 gives work to a node for five minutes after its last sign of life, and each such job fails.
		p.set(manager+"node.heartbeat.expire.count", missedHeartbeats)
	}
	p.set("eggroll.resourcemanager.process.tag", processTag)
	rollsiteProperties(s, p)
	p.set("eggroll.session.processors.per.node", side.Eggroll.Egg)
	p.set("eggroll.session.start.timeout.ms", 180000)
	p.set("eggroll.rollpair.transferpair.sendbuf.size", 250000)
	p.set("eggroll.data.dir", s.Layout.EggrollData())
	p.set("eggroll.logs.dir", s.Layout.ComponentLogs("eggroll"))
	p.set("eggroll.bootstrap.root.script", "bin/eggroll_boot.sh")
	workerProperties(s, p)
	p.set("arrow.enable_unsafe_memory_access", true)
	p.set("hadoop.fs.defaultFS", "file:///")
	for _, key := range []string{"nameservices", "namenode.rpc-address.nn1", "namenode.rpc-address.nn2"} {
		p.set("hadoop.dfs."+key, "")
	}
	p.set("eggroll.rollsite.push.max.retry", 3)
	p.set("eggroll.rollsite.push.long.retry", 2)
	p.set("eggroll.rollsite.push.batches.per.stream", 10)
	p.set("eggroll.rollsite.adapter.sendbuf.size", 100000)
	p.set(manager+"jdbc.password.decryptor", "")
	p.set(manager+"jdbc.password.decryptor.args", "")
	if s.Role != cluster.RoleExchange {
		p.set("eggroll.core.grpc.channel.keepalive.timeout.sec", 20)
		p.set(node+"containers.data.dir", path.Join(s.Layout.EggrollData(), "containers"))
	}
	return p.encodeBoth()
}

// missedHeartbeats is how many a node may miss, one each ten seconds, before no work is given to it any more.
const missedHeartbeats = 3

// processTag marks eggroll's processes on their command lines; upstream's scripts look for it.
const processTag = "DEFAULT"

func rollsiteProperties(s *cluster.Spec, p *properties) {
	r := s.Side.Rollsite
	p.set("eggroll.rollsite.coordinator", r.Coordinator)
	p.set("eggroll.rollsite.host", rollsiteHost(s))
	p.set("eggroll.rollsite.port", r.Port)
	if s.Role == cluster.RoleExchange {
		p.set("eggroll.rollsite.party.id", "")
	} else {
		p.set("eggroll.rollsite.party.id", s.PartyID)
	}
	p.set("eggroll.rollsite.route.table.path", "conf/route_table.json")
	p.set("eggroll.rollsite.route.table.key", s.Secrets.RouteTableKey.Reveal())
	p.set("eggroll.rollsite.route.table.whitelist", "127.0.0.1")
	p.set("eggroll.rollsite.jvm.options", strings.Join(rollsiteJVM(s), " "))
	if s.Side.Secure() {
		tlsProperties(s, p)
	}
	if r.Polling.Enable {
		end := "client"
		if s.Role == cluster.RoleExchange {
			end = "server"
		}
		p.set("eggroll.rollsite.polling."+end+".enabled", true)
	}
}

// rollsiteHost is the address of the side's rollsite as its own route spells it. On each of several exchanges it is
// that exchange's own address.
func rollsiteHost(s *cluster.Spec) string {
	if s.Role == cluster.RoleExchange && s.Runs(cluster.Rollsite) {
		return s.IP
	}
	if own, ok := s.Side.Route(s.Side.ID(), cluster.RouteDefault); ok {
		return own.IP
	}
	return cluster.FirstAddress(s.Side.Rollsite.IPs)
}

func tlsProperties(s *cluster.Spec, p *properties) {
	p.set("eggroll.rollsite.lan.insecure.channel.enabled", true)
	// The code's own default is 9380, which is FATE-Flow's port.
	p.set("eggroll.rollsite.secure.port", s.Side.Rollsite.SecurePort)
	const security = "eggroll.core.security."
	k := s.KeyFiles()
	p.set(security+"client.ca.crt.path", k.PeerCA)
	p.set(security+"client.crt.path", k.ClientCert)
	p.set(security+"client.key.path", k.ClientKey)
	p.set(security+"ca.crt.path", k.CA)
	p.set(security+"crt.path", k.ServerCert)
	p.set(security+"key.path", k.ServerKey)
	if s.Side.Rollsite.ClientAuth {
		p.set(security+"secure.client.auth.enabled", true)
	}
}

func workerProperties(s *cluster.Spec, p *properties) {
	const boot = "eggroll.resourcemanager.bootstrap."
	p.set(boot+"egg_pair.exepath", "bin/roll_pair/egg_pair_bootstrap.sh")
	p.set(boot+"egg_pair.venv", s.Layout.PythonHome())
	p.set(boot+"egg_pair.pythonpath", strings.Join(s.Layout.PythonPath(), ":"))
	p.set(boot+"egg_pair.filepath", "python/eggroll/roll_pair/egg_pair.py")
	p.set(boot+"egg_pair.ld_library_path", "")
	p.set(boot+"egg_frame.exepath", "bin/roll_frame/egg_frame_bootstrap.sh")
	p.set(boot+"egg_frame.javahome", s.JavaHome())
	p.set(boot+"egg_frame.classpath",
		"conf/:lib/*:./jvm/core/target/classes:./jvm/core/target/lib/*:./jvm/roll_frame/target/classes:./jvm/roll_frame/target/lib/*")
	p.set(boot+"egg_frame.mainclass", "com.webank.eggroll.rollframe.EggFrameBootstrap")
	p.set(boot+"egg_frame.jvm.options", "")
}

// routeTable is read again by rollsite every minute. Only the first endpoint of a list is ever used.
func routeTable(s *cluster.Spec) ([]byte, error) {
	type endpoint struct {
		IP       string `json:"ip"`
		Port     int    `json:"port"`
		IsSecure bool   `json:"is_secure,omitempty"`
		Polling  bool   `json:"is_polling,omitempty"`
	}
	parties := make(orderedMap[orderedMap[[]endpoint]], 0, len(s.Side.Rollsite.RouteTables))
	for _, p := range s.Side.Rollsite.RouteTables {
		polled := s.Side.Polls(p.ID)
		var routes orderedMap[[]endpoint]
		for _, r := range p.Routes {
			routes = append(routes, entry[[]endpoint]{r.Name, []endpoint{{r.IP, r.Port, r.IsSecure, polled}}})
		}
		parties = append(parties, entry[orderedMap[[]endpoint]]{p.ID, routes})
	}
	table := struct {
		RouteTable orderedMap[orderedMap[[]endpoint]] `json:"route_table"`
		Permission struct {
			DefaultAllow bool `json:"default_allow"`
		} `json:"permission"`
	}{RouteTable: parties}
	table.Permission.DefaultAllow = true
	compact, err := json.Marshal(table)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the route table: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("cannot lay out the route table: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// orderedMap is a JSON object that keeps the operator's order, in which a route table is easier to check.
type orderedMap[V any] []entry[V]

type entry[V any] struct {
	key   string
	value V
}

// MarshalJSON writes the entries as one object.
func (m orderedMap[V]) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(e.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// log4jProperties is upstream's logging with an end: files are also cut at a size and removed after 30 days.
func log4jProperties() []byte {
	p := &properties{}
	const pattern = "[%-5level][%r][%d{yyyy-MM-dd} %d{HH:mm:ss,SSS}][%t,pid:%pid,tid:%T][%c{1.}:%L] - %msg%n"
	p.set("name", "PropertiesConfig")
	p.set("property.logDir", "${env:EGGROLL_LOG_DIR:-logs/}/${env:EGGROLL_SESSION_ID:-eggroll}")
	p.set("property.logFile", "${env:EGGROLL_LOG_FILE:-eggroll}")
	p.set("property.logPattern", pattern)
	for _, a := range []struct{ id, name, file string }{
		{"file", "LOGFILE", "${logFile}.jvm.log"},
		{"errorlog", "ERRORLOG", "${logFile}.jvm.err.log"},
		{"audit", "LOGAUDIT", "${logFile}-audit.log"},
	} {
		k := "appender." + a.id + "."
		p.set(k+"type", "RollingFile")
		p.set(k+"name", a.name)
		p.set(k+"fileName", "${logDir}/"+a.file)
		p.set(k+"filePattern", "${logDir}/%d{yyyy}/%d{MM}/%d{dd}/"+a.file+".%d{yyyy-MM-dd-HH}.%i.gz")
		p.set(k+"layout.type", "PatternLayout")
		p.set(k+"layout.pattern", "${logPattern}")
		p.set(k+"policies.type", "Policies")
		p.set(k+"policies.time.type", "TimeBasedTriggeringPolicy")
		p.set(k+"policies.time.interval", 1)
		p.set(k+"policies.time.modulate", true)
		p.set(k+"policies.size.type", "SizeBasedTriggeringPolicy")
		p.set(k+"policies.size.size", "200MB")
		p.set(k+"strategy.type", "DefaultRolloverStrategy")
		p.set(k+"strategy.max", 20)
		p.set(k+"strategy.delete.type", "Delete")
		p.set(k+"strategy.delete.basePath", "${logDir}")
		p.set(k+"strategy.delete.maxDepth", 4)
		p.set(k+"strategy.delete.ifFileName.type", "IfFileName")
		p.set(k+"strategy.delete.ifFileName.glob", "*/*/*/"+a.file+".*")
		p.set(k+"strategy.delete.ifLastModified.type", "IfLastModified")
		p.set(k+"strategy.delete.ifLastModified.age", "30d")
	}
	p.set("rootLogger.level", "${env:EGGROLL_LOG_LEVEL:-INFO}")
	p.set("rootLogger.appenderRef.file.ref", "LOGFILE")
	p.set("rootLogger.appenderRef.errorlog.ref", "ERRORLOG")
	p.set("rootLogger.appenderRef.errorlog.level", "ERROR")
	p.set("logger.netty.name", "io.grpc.netty")
	p.set("logger.netty.level", "INFO")
	p.set("logger.audit.name", "audit")
	p.set("logger.audit.level", "INFO")
	p.set("logger.audit.appenderRef.file.ref", "LOGAUDIT")
	p.set("logger.audit.additivity", false)
	return p.encodeJava()
}
