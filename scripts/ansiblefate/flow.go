package ansiblefate

import (
	"fmt"
	"path"
	"strings"
)

// yamlLines writes a mapping: a key that ends with a colon begins a block, whose keys are indented by the caller.
func yamlLines(pairs ...any) []string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, strings.TrimRight(fmt.Sprintf("%v: %v", pairs[i], pairs[i+1]), " "))
	}
	return out
}

func block(name string, list []string) []string {
	out := []string{name + ":"}
	for _, l := range list {
		out = append(out, "  "+l)
	}
	return out
}

func (h *host) flowFiles() []file {
	test := "data_base_dir: path(FATE)\n" // as FATE brings it; rendered only where FATE-Flow runs
	if h.runs("fateflow") {
		test = h.testConfig()
	}
	files := []file{
		{path: h.l.ServiceConf(), text: h.serviceConf()},
		{path: path.Join(h.l.ProjectConf(), "rabbitmq_route_table.yaml"), text: lines("9999:",
			"  host: 192.168.0.4", "  port: 5672", "10000:", "  host: 10.117.32.179", "  port: 6550")},
		{path: h.l.FlowServer(), text: "print('FATE-Flow')\n", brought: true},
		{path: path.Join(h.l.FatePython(), "federatedml", "__init__.py"), brought: true},
		{path: h.l.TestConfig(), text: test},
		{path: path.Join(h.l.PythonHome(), "bin", "python"),
			link: path.Join(h.l.Common(), "miniconda3/bin/python3"), brought: true},
		{path: path.Join(h.l.PythonHome(), "bin", "activate"), text: lines("export VIRTUAL_ENV="+h.l.PythonHome(),
			"export PATH=$VIRTUAL_ENV/bin:$PATH")},
		{path: path.Join(h.l.Common(), "miniconda3", "bin", "python3"), mode: 0o755,
			text: "#!/bin/sh\nexit 1\n", brought: true},
	}
	if h.l.Flat {
		return append(files,
			file{path: h.l.FateEnv(), text: h.fateEnv(), brought: true},
			file{path: path.Join(h.l.FatePython(), "fate_flow", "service.sh"), mode: 0o755, text: h.flowScript()},
			file{path: path.Join(h.l.FatePython(), "fate_flow", "model_local_cache", "model"),
				text: "a model\n", brought: true})
	}
	return append(files,
		file{path: path.Join(h.l.Fate(), "fate.env"), text: h.fateEnv(), brought: true},
		file{path: h.l.FateEnv(), link: "fate/fate.env", brought: true},
		file{path: path.Join(h.l.Fate(), "RELEASE.md"), text: "FATE " + h.Version + "\n", brought: true},
		file{path: path.Join(h.l.Flow(), "bin", "service.sh"), mode: 0o755, text: h.flowScript()},
		file{path: path.Join(h.l.Flow(), "logs"), link: h.l.ComponentLogs("fateflow"), brought: true},
		file{path: path.Join(h.l.Flow(), "model_local_cache", "guest#9999#guest-9999#host-10000#model", "v"),
			text: "a model\n", brought: true})
}

func (h *host) fateEnv() string {
	var out []string
	for _, key := range []string{"FATE", "FATEFlow", "FATEBoard", "EGGROLL", "PYTHON"} {
		if h.env[key] != "" {
			out = append(out, setting(key, h.env[key]))
		}
	}
	return lines(append(out, "CENTOS=7.2", "UBUNTU=16.04", "MAVEN=3.6.3", "JDK=8", "SPARK=3.3.1")...)
}

func (h *host) serviceConf() string {
	var out []string
	add := func(list ...string) { out = append(out, list...) }
	modern := h.atLeast(1, 7)
	if !modern {
		add("work_mode: 1")
	}
	add(yamlLines("use_registry", h.HA, "dependent_distribution", false, "encrypt_password", false,
		"encrypt_module", "fate_arch.common.encrypt_utils#pwdecrypt", "private_key_file", "private_key.pem",
		"private_key", "")...)
	if modern {
		add(yamlLines("party_id", h.Party)...)
		const hook = "fate_flow.hook.flow."
		add(block("hook_module", yamlLines("client_authentication", hook+"client_authentication",
			"site_authentication", hook+"site_authentication", "permission", hook+"permission"))...)
		add("hook_server_name:")
		add(block("authentication", append(
			block("client", yamlLines("switch", false, "http_app_key", "", "http_secret_key", "")),
			block("site", yamlLines("switch", false))...))...)
		add(block("permission", yamlLines("switch", false, "component", false, "dataset", false))...)
	}
	flow := yamlLines("host", h.flowHost(), "http_port", 9380, "grpc_port", 9360)
	if h.HA {
		ip, port := h.nginx()
		flow = append(flow, block("nginx", yamlLines("host", ip, "http_port", port-1, "grpc_port", port))...)
	}
	flow = append(flow, "proxy: rollsite")
	if modern {
		flow = append(flow, "protocol: default")
	}
	add(block("fateflow", flow)...)
	add(block("database", yamlLines("name", "fate_flow", "user", "fate", "passwd", UserPassword, "host", h.Main,
		"port", 3306, "max_connections", 100, "stale_timeout", 30))...)
	hosts, acl := []string{"hosts: []"}, "False"
	if h.HA {
		hosts, acl = []string{"hosts:", "- " + h.Main + ":2181"}, "True"
	}
	add(block("zookeeper", append(hosts, yamlLines("use_acl", acl, "user", "fate", "password", "fate")...))...)
	if modern {
		add(block("default_engines", yamlLines("computing", "eggroll", "federation", "eggroll",
			"storage", "eggroll"))...)
	}
	add(block("fate_on_eggroll", append(block("rollsite", yamlLines("host", h.Main, "port", 9370)),
		block("clustermanager", yamlLines("cores_per_node", 16, "nodes", len(h.Nodes)))...))...)
	board := h.Main
	if h.runs("fateboard") {
		board = h.IP
	}
	add(block("fateboard", yamlLines("host", board, "port", 8080))...)
	add(yamlLines("enable_model_store", h.HA)...)
	database := "database"
	if !modern {
		database = "name"
	}
	add(block("model_store_address", yamlLines("storage", "mysql", database, "fate_flow", "user", "fate",
		"passwd", UserPassword, "host", h.Main, "port", 3306, "max_connections", 10, "stale_timeout", 10))...)
	add(block("servings", []string{"hosts:", "- 127.0.0.1:8000"})...)
	add(block("fatemanager", yamlLines("host", "127.0.0.1", "port", 8001, "federatedId", 0))...)
	return lines(out...)
}

// flowHost is the address of the FATE-Flow that this host knows: its own, if it has one.
func (h *host) flowHost() string {
	if h.runs("fateflow") {
		return h.IP
	}
	return h.Main
}

func (h *host) testConfig() string {
	const suites = "examples/data/upload_config/"
	out := yamlLines("data_base_dir", h.l.Project(), "cache_directory", "examples/cache/",
		"performance_template_directory", "examples/benchmark_performance/",
		"flow_test_config_directory", "examples/flow_test_template/hetero_lr/flow_test_config.yaml",
		"min_test_data_config", suites+"min_test_data_testsuite.json",
		"all_examples_data_config", suites+"all_examples_data_testsuite.json", "fate_base", h.l.Fate(),
		"clean_data", true)
	party := fmt.Sprintf("[%d]", h.Party)
	out = append(out, block("parties", yamlLines("guest", party, "host", party, "arbiter", party))...)
	out = append(out, "services:", "  - flow_services:",
		fmt.Sprintf("      - {address: %s:9380, parties: %s}", h.flowHost(), party),
		"    serving_setting:", "      address: 127.0.0.1:8059", "    ssh_tunnel:", "      enable: false",
		"      ssh_address: <remote ip>:<remote port>", "      ssh_username:", "      ssh_password:",
		`      ssh_priv_key: "~/.ssh/id_rsa"`)
	return lines(out...)
}

func (h *host) boardFiles() []file {
	version := h.versions["fateboard"]
	jar := "fateboard-" + version + ".jar"
	return []file{
		{path: h.l.BoardProperties(), text: h.boardProperties()},
		{path: path.Join(h.l.Board(), jar), brought: true},
		{path: path.Join(h.l.Board(), "fateboard.jar"), link: jar, brought: true},
		{path: path.Join(h.l.Board(), "service.sh"), mode: 0o755, text: boardScript},
		{path: path.Join(h.l.Board(), "logs"), link: h.l.ComponentLogs("fateboard"), brought: true},
	}
}

func (h *host) boardProperties() string {
	var out []string
	set := func(key string, value any) { out = append(out, setting(key, value)) }
	set("server.port", 8080)
	set("fateflow.url", "http://"+h.flowHost()+":9380")
	if h.atLeast(1, 9) {
		set("fateflow.url-list", "")
	}
	if h.atLeast(1, 8) {
		set("fateflow.http_app_key", "")
		set("fateflow.http_secret_key", "")
	}
	set("spring.http.encoding.charset", "UTF-8")
	set("spring.http.encoding.enabled", true)
	set("server.tomcat.uri-encoding", "UTF-8")
	if h.atLeast(1, 8) {
		set("fateboard.front_end.cors", false)
		set("fateboard.front_end.url", "http://localhost:8028")
	}
	set("server.tomcat.max-threads", 1000)
	set("server.tomcat.max-connections", 20000)
	set("spring.servlet.multipart.max-file-size", "10MB")
	set("spring.servlet.multipart.max-request-size", "100MB")
	set("spring.servlet.session.timeout", "1800s")
	set("server.compression.enabled", true)
	set("server.compression.mime-types", "application/json,application/xml,text/html,text/xml,text/plain")
	set("server.board.login.username", "admin")
	set("server.board.login.password", BoardPassword)
	if h.atLeast(1, 11) {
		set("server.board.encrypt.private_key", "")
		set("server.board.encrypt.enable", false)
	}
	set("server.servlet.session.timeout", "4h")
	set("server.servlet.session.cookie.max-age", "4h")
	set("management.endpoints.web.exposure.exclude", "*")
	if h.atLeast(1, 9) {
		set("feign.client.config.default.connectTimeout", 10000)
		set("feign.client.config.default.readTimeout", 10000)
	}
	if !h.atLeast(1, 8) {
		set("spring.datasource.driver-Class-Name", "com.mysql.cj.jdbc.Driver")
		set("fateboard.datasource.jdbc-url", "jdbc:mysql://"+h.Main+":3306/fate_flow?characterEncoding=utf8"+
			"&characterSetResults=utf8&autoReconnect=true&failOverReadOnly=false&serverTimezone=GMT%2B8")
		set("fateboard.datasource.username", "fate")
		set("fateboard.datasource.password", UserPassword)
		set("spring.session.store-type", "jdbc")
		set("spring.session.jdbc.initialize-schema", "always")
	}
	return lines(out...)
}
