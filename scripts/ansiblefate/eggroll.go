package ansiblefate

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// gcOptions are the JVM options of rollsite.
const gcOptions = "-XX:+UseG1GC -XX:+PrintGCDetails -XX:+PrintGCDateStamps -Xloggc:logs/eggroll/rollsite.gc.log"

func (h *host) eggrollFiles() []file {
	conf := h.l.EggrollConf()
	lib := path.Join(h.l.Eggroll(), "lib")
	files := []file{
		{path: path.Join(conf, "eggroll.properties"), text: h.eggrollProperties()},
		{path: path.Join(conf, "route_table.json"), text: h.routeTable()},
		{path: path.Join(conf, "log4j2.properties"),
			text: "name=PropertiesConfig\nrootLogger.level=INFO\n", brought: true},
		{path: h.l.MetaSchema(), text: "CREATE TABLE server_node (server_node_id BIGINT);\n", brought: true},
		{path: path.Join(h.l.Eggroll(), "bin", "fate-eggroll.sh"), mode: 0o755, text: eggrollScript},
		{path: path.Join(h.l.Eggroll(), "bin", "eggroll_boot.sh"), mode: 0o755,
			text: "#!/bin/bash\nexit 1\n", brought: true},
		{path: path.Join(h.l.Eggroll(), "python", "eggroll", "__init__.py"), brought: true},
		{path: path.Join(h.l.Eggroll(), "logs"), link: h.l.ComponentLogs("eggroll"), brought: true},
		{path: path.Join(h.l.EggrollData(), "NodeManagerMeta"), text: "1\n", brought: true},
	}
	for _, jar := range []string{"core", "roll-site", "roll-pair", "roll-frame"} {
		files = append(files, file{path: path.Join(lib, "eggroll-"+jar+"-"+h.versions["eggroll"]+".jar"),
			brought: true})
	}
	return append(files, file{path: path.Join(lib, "mysql-connector-java-8.0.28.jar"), brought: true})
}

func (h *host) eggrollProperties() string {
	out := []string{"[eggroll]"}
	set := func(key string, value any) { out = append(out, setting(key, value)) }
	const manager, node = "eggroll.resourcemanager.clustermanager.", "eggroll.resourcemanager.nodemanager."
	set(manager+"jdbc.driver.class.name", "com.mysql.cj.jdbc.Driver")
	zone := "Asia/Shanghai"
	if !h.isParty() || !h.atLeast(1, 11) {
		zone = "UTC"
	}
	const url = "jdbc:mysql://%s:%s/%s?useSSL=false&serverTimezone=%s&characterEncoding=utf8&allowPublicKeyRetrieval=true"
	if h.isParty() {
		set(manager+"jdbc.url", fmt.Sprintf(url, h.Main, "3306", "eggroll_meta", zone))
		set(manager+"jdbc.username", "fate")
		set(manager+"jdbc.password", UserPassword)
		set(manager+"host", h.Main)
		set(manager+"port", 4670)
		set(node+"port", 4671)
	} else {
		set(manager+"jdbc.url", fmt.Sprintf(url, "${eggroll_db_ip}", "${eggroll_db_port}", "${eggroll_db_name}", zone))
		set(manager+"jdbc.username", "${eggroll_db_username}")
		set(manager+"jdbc.password", "${eggroll_db_passwd}")
		set(manager+"host", "${clustermanager_ip}")
		set(manager+"port", "${clustermanager_port}")
		set(node+"port", "${nodemanager_port}")
	}
	set("eggroll.resourcemanager.process.tag", "DEFAULT")
	out = append(out, "")
	out = append(out, h.rollsite()...)
	egg := 4
	if !h.atLeast(1, 7) {
		egg = 2
	}
	set("eggroll.session.processors.per.node", egg)
	set("eggroll.session.start.timeout.ms", 180000)
	set("eggroll.rollpair.transferpair.sendbuf.size", 250000)
	set("eggroll.data.dir", h.l.EggrollData())
	set("eggroll.logs.dir", h.l.ComponentLogs("eggroll"))
	set("eggroll.bootstrap.root.script", "bin/eggroll_boot.sh")
	const boot = "eggroll.resourcemanager.bootstrap."
	set(boot+"egg_pair.exepath", "bin/roll_pair/egg_pair_bootstrap.sh")
	set(boot+"egg_pair.venv", h.l.PythonHome())
	set(boot+"egg_pair.pythonpath", strings.Join(h.l.PythonPath(), ":"))
	set(boot+"egg_pair.filepath", "python/eggroll/roll_pair/egg_pair.py")
	set(boot+"egg_pair.ld_library_path", "")
	set(boot+"egg_frame.exepath", "bin/roll_frame/egg_frame_bootstrap.sh")
	set(boot+"egg_frame.javahome", h.javaHome())
	set(boot+"egg_frame.classpath", "conf/:lib/*:./jvm/core/target/classes:./jvm/core/target/lib/*:"+
		"./jvm/roll_frame/target/classes:./jvm/roll_frame/target/lib/*")
	set(boot+"egg_frame.mainclass", "com.webank.eggroll.rollframe.EggFrameBootstrap")
	set(boot+"egg_frame.jvm.options", "")
	set("arrow.enable_unsafe_memory_access", true)
	set("hadoop.fs.defaultFS", "file:///")
	set("hadoop.dfs.nameservices", "")
	set("hadoop.dfs.namenode.rpc-address.nn1", "")
	set("hadoop.dfs.namenode.rpc-address.nn2", "")
	set("eggroll.rollsite.push.max.retry", 3)
	set("eggroll.rollsite.push.long.retry", 2)
	set("eggroll.rollsite.push.batches.per.stream", 10)
	set("eggroll.rollsite.adapter.sendbuf.size", 100000)
	if h.atLeast(1, 9) {
		set(manager+"jdbc.password.decryptor", "")
		set(manager+"jdbc.password.decryptor.args", "")
	}
	if h.isParty() && h.atLeast(1, 9) {
		set("eggroll.core.grpc.channel.keepalive.timeout.sec", 20)
		set(node+"containers.data.dir", path.Join(h.l.EggrollData(), "containers"))
	}
	return lines(out...)
}

func (h *host) rollsite() []string {
	var out []string
	set := func(key string, value any) { out = append(out, setting("eggroll."+key, value)) }
	address, party := h.Main, strconv.Itoa(h.Party)
	if !h.isParty() {
		address, party = h.IP, "${id}"
	}
	set("rollsite.coordinator", "fate")
	set("rollsite.host", address)
	set("rollsite.port", 9370)
	set("rollsite.party.id", party)
	set("rollsite.route.table.path", "conf/route_table.json")
	set("rollsite.route.table.key", "fate")
	set("rollsite.route.table.whitelist", "127.0.0.1")
	set("rollsite.jvm.options", gcOptions)
	if h.TLS {
		set("rollsite.lan.insecure.channel.enabled", true)
		set("rollsite.secure.port", 9371)
		key := path.Join(h.l.Keys(), h.Role)
		for _, k := range [][2]string{{"client.ca.crt", "-client-ca.pem"}, {"client.crt", "-client-client.pem"},
			{"client.key", "-client-client.key"}, {"ca.crt", "-ca.pem"}, {"crt", "-server.pem"}, {"key", "-server.key"}} {
			set("core.security."+k[0]+".path", key+k[1])
		}
	}
	return append(out, "")
}

func endpoint(ip string, port int, secure bool) string {
	if secure {
		return fmt.Sprintf(`[{"is_secure": true, "ip": %q, "port": %d}]`, ip, port)
	}
	return fmt.Sprintf(`[{"ip": %q, "port": %d}]`, ip, port)
}

func (h *host) routeTable() string {
	remote := 9370
	if h.TLS {
		remote = 9371
	}
	var parties []string
	if h.isParty() {
		next := h.Peer
		if h.Exchange != "" {
			next = h.Exchange
		}
		flow, flowPort := h.flowHost(), 9360
		if h.HA {
			flow, flowPort = h.nginx()
		}
		parties = append(parties,
			fmt.Sprintf("    \"default\": {\n      \"default\": %s\n    }", endpoint(next, remote, h.TLS)),
			fmt.Sprintf("    \"%d\": {\n      \"default\": %s,\n      \"fateflow\": %s\n    }", h.Party,
				endpoint(h.Main, 9370, false), endpoint(flow, flowPort, false)))
	} else {
		for i, party := range []int{10000, 9999} {
			parties = append(parties, fmt.Sprintf("    \"%d\": {\n      \"default\": %s\n    }", party,
				endpoint(fmt.Sprintf("192.168.%d.1", i), remote, h.TLS)))
		}
	}
	return "{\n  \"route_table\": {\n" + strings.Join(parties, ",\n") +
		"\n  },\n  \"permission\": {\n    \"default_allow\": true\n  }\n}\n"
}
