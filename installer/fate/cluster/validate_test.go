package cluster_test

import (
	"errors"
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/problem"
)

// side makes a one-side file with some extra lines inside it.
func oneSide(lines string) string {
	return "host:\n  partyid: 10000\n  ip: 192.168.0.1\n" + indent(lines)
}

func indent(lines string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		b.WriteString("  " + line)
	}
	return b.String() + "\n"
}

const bothSides = `host: {partyid: 10000, ip: 192.168.0.1%s}
guest: {partyid: 9999, ip: 192.168.0.2%s}
`

func two(host, guest string) string {
	return strings.Replace(strings.Replace(bothSides, "%s", host, 1), "%s", guest, 1)
}

const tlsOn = ", rollsite: {server_secure: true, client_secure: true}"

func TestMistakesAreNamedWithPlaceAndFix(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"unknown key", oneSide("rollsit: {}"), []string{"cluster.yaml:4:3", `unknown key "rollsit"`,
			`did you mean "rollsite"?`}},
		{"unknown key deep down", oneSide("fate_flow: {httpport: 9380}"),
			[]string{"cluster.yaml:4:15", `did you mean "httpPort"?`}},
		{"unknown key far from all", oneSide("zzzzzzzz: 1"), []string{"the keys there are", "clustermanager"}},
		{"key twice", "host:\n  partyid: 1\n  partyid: 2\n", []string{"cluster.yaml:3:3", "already at line 2"}},
		{"text for a number", oneSide("mysql: {port: many}"), []string{"cluster.yaml:4:17", "whole number"}},
		{"leading zero", oneSide("mysql: {port: 03306}"), []string{"without a leading zero"}},
		{"text for a switch", oneSide("mysql: {enable: maybe}"), []string{"true or false"}},
		{"text for a list", oneSide("mysql: {ips: 192.168.0.1}"), []string{"must be a list"}},
		{"list for a text", oneSide("mysql: {dbuser: [a]}"), []string{"single value"}},
		{"text for a block", oneSide("mysql: yes"), []string{"must be a mapping"}},
		{"broken YAML", "host:\n  partyid: [1\n", []string{"cluster.yaml:", "not YAML"}},
		{"no side", "pname: fate\n", []string{"no side is described"}},
		{"not a mapping", "- host\n", []string{"not a cluster file"}},
		{"alias of nothing", oneSide("mysql: *base"), []string{"refers to nothing"}},

		{"no party id", "host: {ip: 192.168.0.1}", []string{"no party id"}},
		{"party id of 11 digits", "host: {partyid: 12345678901, ip: 192.168.0.1}", []string{"1 to 10 digits"}},
		{"party id zero", "host: {partyid: 0, ip: 192.168.0.1}", []string{"1 to 10 digits"}},
		{"exchange with party id", "exchange: {partyid: 5, ip: 192.168.0.9}", []string{"an exchange has no party id"}},
		{"same party id", "host: {partyid: 1, ip: 10.0.0.1}\nguest: {partyid: 1, ip: 10.0.0.2}",
			[]string{"cluster.yaml:2:18", "same party id 1"}},
		{"same host", "host: {partyid: 1, ip: 10.0.0.1}\nguest: {partyid: 2, ip: 10.0.0.1}",
			[]string{"both the host and the guest"}},

		{"octet", oneSide("mysql: {ips: [192.168.1.300]}"), []string{"cluster.yaml:4:17", "no IPv4 address"}},
		{"ipv6", oneSide("mysql: {ips: ['fe80::1']}"), []string{"is an IPv6 address"}},
		{"loopback", oneSide("fate_flow: {ips: [127.0.0.1]}"), []string{"something else on every host"}},
		{"any address", oneSide("fate_flow: {ips: [0.0.0.0]}"), []string{"something else on every host"}},
		{"address twice", oneSide("nodemanager: {ips: [10.0.0.1, 10.0.0.1]}\nmysql: {dbpasswd: x}"),
			[]string{"lists 10.0.0.1 twice"}},
		{"module without address", "host:\n  partyid: 1\n  fateboard: {enable: true}\n",
			[]string{"fateboard is enabled but has no address"}},
		{"flow without eggroll", "host:\n  partyid: 1\n  fate_flow: {ips: [10.0.0.1]}\n  mysql: {ips: [10.0.0.1]}\n",
			[]string{"clustermanager has no address"}},
		{"several rollsites of a party", oneSide("rollsite: {ips: [192.168.0.1, 192.168.0.5]}"),
			[]string{"rollsite runs on one host"}},
		{"several databases", oneSide("mysql: {ips: [192.168.0.1, 192.168.0.5], dbpasswd: x}"),
			[]string{"mysql runs on one host"}},

		{"port clash", oneSide("fateboard: {port: 9380}"), []string{"cluster.yaml:4:21",
			"both want port 9380 on 192.168.0.1"}},
		{"port out of range", oneSide("mysql: {port: 70000}"), []string{"cannot be 70000"}},
		{"zookeeper's admin port",
			oneSide("fate_flow: {ips: [192.168.0.1, 192.168.0.2]}\nmysql: {dbpasswd: x}\nnginx: {ips: " +
				"[192.168.0.1]}\nzk: {lists: [{ip: 192.168.0.1}], admin_port: 8080}"),
			[]string{"both want port 8080"}},
		{"no cores", oneSide("clustermanager: {cores_per_node: 0}"),
			[]string{"cluster.yaml:4:36", "1 nodes with 0 cores"}},
		{"engine", oneSide("fate_flow: {default_engines: egroll}"), []string{`did you mean "eggroll"?`}},
		{"proxy past rollsite", oneSide("fate_flow: {proxy: nginx}"), []string{"talk through rollsite"}},
		{"mysql type", oneSide("mysql: {type: external}"), []string{"inside, outside"}},
		{"database name", oneSide("eggroll: {dbname: 'a;b'}"), []string{"letters, digits and underscores"}},
		{"half of an app key", oneSide("fate_flow: {http_app_key: abc}"),
			[]string{"both http_app_key and http_secret_key"}},
		{"model store on the internet", oneSide("model_store: {enable: true, storage: tencent_cos}"),
			[]string{"does not reach"}},
		{"heap", oneSide("rollsite: {max_memory: lots}"), []string{"java heap size"}},
		{"several hosts without password",
			oneSide("nodemanager: {ips: [192.168.0.1, 192.168.0.5]}\nclustermanager: {ips: [192.168.0.5]}"),
			[]string{"several hosts that log into the database"}},
		{"outside database without password", oneSide("mysql: {type: outside, ips: [10.9.9.9]}"),
			[]string{"the database is outside"}},
		{"project name", "pname: fate2\nhost: {partyid: 1, ip: 10.0.0.1}",
			[]string{"cluster.yaml:1:8", "pname cannot be"}},
		{"deploy mode", "deploy_mode: uninstall\nhost: {partyid: 1, ip: 10.0.0.1}",
			[]string{"run fate-installer uninstall"}},
		{"directories apart", "base: /data\nlbase: /var/log/fate\nhost: {partyid: 1, ip: 10.0.0.1}",
			[]string{"cluster.yaml:2:8", "all directories move together", "write /data/logs"}},
		{"deploy module", "deploy_modules: [mysql, egroll]\nhost: {partyid: 1, ip: 10.0.0.1}",
			[]string{`did you mean "eggroll"?`}},
		{"os policy", "host: {partyid: 1, ip: 10.0.0.1}\nos: {selinux: off}\n",
			[]string{"cluster.yaml:2:15", "permissive, keep"}},
		{"os variable", "host: {partyid: 1, ip: 10.0.0.1}\nos: {pass_environment: [TZ, 'a=b']}\n",
			[]string{"cluster.yaml:2", "a=b", "no variable is called"}},
		{"os swap", "host: {partyid: 1, ip: 10.0.0.1}\nos: {swap: lots}\n",
			[]string{"cluster.yaml:2:12", "auto, keep or a size"}},
		{"os name", "host: {partyid: 1, ip: 10.0.0.1}\nos:\n  names:\n    10.0.0.1: my host\n",
			[]string{"cluster.yaml:4", "my host", "no host can have"}},
		{"os address", "host: {partyid: 1, ip: 10.0.0.1}\nos:\n  names:\n    host1: 10.0.0.1\n",
			[]string{"cluster.yaml:4", "is no address"}},

		{"own party missing", oneSide(
			"rollsite: {route_tables: [{id: default, routes: [{name: default, ip: 10.0.0.9, port: 9370}]}]}"),
			[]string{"no entry for its own party 10000"}},
		{"own route elsewhere",
			oneSide("rollsite: {route_tables: [{id: 10000, routes: [{name: default, ip: 10.0.0.9, port: 9370}, " +
				"{name: fateflow, ip: 192.168.0.1, port: 9360}]}]}"),
			[]string{"would not know itself", "write ip: 192.168.0.1 and port: 9370"}},
		{"own flow missing", oneSide(
			"rollsite: {route_tables: [{id: 10000, routes: [{name: default, ip: 192.168.0.1, port: 9370}]}]}"),
			[]string{"no route named fateflow"}},
		{"own flow elsewhere",
			oneSide("rollsite: {route_tables: [{id: 10000, routes: [{name: default, ip: 192.168.0.1, port: 9370}, " +
				"{name: fateflow, ip: 192.168.0.7, port: 9360}]}]}"),
			[]string{"but fate_flow is 192.168.0.1:9360"}},
		{"flow name misspelt",
			oneSide("rollsite: {route_tables: [{id: 10000, routes: [{name: default, ip: 192.168.0.1, port: 9370}, " +
				"{name: fate_flow, ip: 192.168.0.1, port: 9360}]}]}"),
			[]string{`no message ever takes a route named "fate_flow"`}},
		{"party twice", oneSide(
			"rollsite:\n  route_tables:\n    - {id: 5, routes: [{name: default, ip: 10.0.0.5, port: 9370}]}\n    - " +
				"{id: 5, routes: [{name: default, ip: 10.0.0.6, port: 9370}]}"),
			[]string{"cluster.yaml:7:10", "the party 5 has a second entry"}},
		{"route to itself", oneSide(
			"rollsite:\n  route_tables:\n    - {id: default, routes: [{name: default, ip: 192.168.0.1, port: 9370}]}"),
			[]string{"leads back to the host's own rollsite"}},
		{"loopback as peer", oneSide(
			"rollsite:\n  route_tables:\n    - {id: 9999, routes: [{name: default, ip: 127.0.0.1, port: 9370}]}"),
			[]string{"cluster.yaml:6:49", "something else on every host"}},
		{"route without port",
			oneSide("rollsite:\n  route_tables:\n    - {id: 9999, routes: [{name: default, ip: 10.0.0.2}]}"),
			[]string{"has the port 0"}},
		{"only a flow route", oneSide(
			"rollsite:\n  route_tables:\n    - {id: 9999, routes: [{name: fateflow, ip: 10.0.0.2, port: 9360}]}"),
			[]string{"no route named default"}},
		{"party id of a route",
			oneSide("rollsite:\n  route_tables:\n    - {id: everyone, routes: [{name: default, ip: 10.0.0.2, port: " +
				"9370}]}"), []string{`for the party "everyone"`}},

		{"secure route without TLS",
			oneSide("rollsite:\n  route_tables:\n    - {id: 9999, routes: [{name: default, ip: 10.0.0.2, port: 9371, " +
				"is_secure: true}]}"), []string{"wants TLS, but the host has no TLS"}},
		{"one direction of TLS", oneSide("rollsite: {server_secure: true}"),
			[]string{"server_secure and client_secure of the host differ"}},
		{"TLS not a pair", two(tlsOn, ""), []string{"only the host has TLS"}},
		{"TLS past a plain exchange", two(tlsOn, tlsOn) + "exchange: {ip: 192.168.0.88}",
			[]string{"cannot work with an exchange between them"}},
		{"ssl_roles of three", two("", "") + "ssl_roles: [host, guest, exchange]", []string{"TLS joins two"}},
		{"ssl_roles against the switches", two("", "") + "ssl_roles: [host, guest]", []string{"the host has no TLS"}},
		{"client certificates without TLS", oneSide("rollsite: {client_auth: true}"),
			[]string{"no meaning without TLS"}},
		{"TLS port in plain", two(
			", rollsite: {server_secure: true, client_secure: true, route_tables: [{id: default, routes: [{name: "+
				"default, ip: 192.168.0.2, port: 9371}]}, {id: 10000, routes: [{name: default, ip: 192.168.0.1, "+
				"port: 9370}, {name: fateflow, ip: 192.168.0.1, port: 9360}]}]}", tlsOn),
			[]string{"port 9371 of the guest speaks only TLS"}},
		{"plain port with TLS",
			two(", rollsite: {server_secure: true, client_secure: true, route_tables: [{id: default, routes: [{name: "+
				"default, ip: 192.168.0.2, port: 9370, is_secure: true}]}, {id: 10000, routes: [{name: default, ip: "+
				"192.168.0.1, port: 9370}, {name: fateflow, ip: 192.168.0.1, port: 9360}]}]}", tlsOn),
			[]string{"plain port of the guest"}},
		{"own route secure", oneSide(
			"rollsite: {server_secure: true, client_secure: true, route_tables: [{id: 10000, routes: [{name: " +
				"default, ip: 192.168.0.1, port: 9370, is_secure: true}, {name: fateflow, ip: 192.168.0.1, port: " +
				"9360}]}]}"),
			[]string{"the own party's route default has is_secure"}},
		{"foreign flow with TLS",
			oneSide("rollsite:\n  server_secure: true\n  client_secure: true\n  route_tables:\n    - {id: 9999, " +
				"routes: [{name: default, ip: 10.0.0.2, port: 9371, is_secure: true}, {name: fateflow, ip: 10.0.0.2, " +
				"port: 9360}]}"),
			[]string{"speak TLS on its route fateflow as well"}},

		{"polling without exchange", two(", rollsite: {polling: {enable: true}}", ""),
			[]string{"only an exchange can be polled"}},
		{"polling one-sided", two(", rollsite: {polling: {enable: true}}", "") + "exchange: {ip: 192.168.0.88}",
			[]string{"the exchange's polling is off"}},
		{"polling for no party", "exchange: {ip: 10.0.0.9, rollsite: {polling: {enable: true}}}",
			[]string{"on for no party"}},
		{"polling for a stranger", "exchange: {ip: 10.0.0.9, rollsite: {polling: {enable: true, ids: [7]}}}",
			[]string{"the party 7 polls, but has no entry"}},
		{"polling that the party does not do", two("", "") +
			"exchange: {ip: 192.168.0.88, rollsite: {polling: {enable: true, ids: [10000]}}}",
			[]string{"the host 10000, which does not poll"}},

		{"spark with exchange",
			"host: {partyid: 1, ip: 10.0.0.1, fate_flow: {default_engines: spark, federation: rabbitmq, storage: " +
				"localfs, proxy: nginx}, nginx: {host: 10.0.0.8}, rabbitmq: {enable: true}}\nexchange: {ip: 10.0.0.9}",
			[]string{"knows no exchange"}},
		{"spark over rollsite",
			"host: {partyid: 1, ip: 10.0.0.1, fate_flow: {default_engines: spark, federation: rabbitmq, storage: " +
				"localfs, proxy: rollsite}, rabbitmq: {enable: true}}", []string{"fate_flow.proxy cannot be rollsite"}},
		{"spark without its queue",
			"host: {partyid: 1, ip: 10.0.0.1, fate_flow: {default_engines: spark, federation: pulsar, storage: " +
				"localfs, proxy: nginx}, nginx: {host: 10.0.0.8}}", []string{"the block pulsar is not enabled"}},
		{"spark alone with direct calls",
			"host: {partyid: 1, ip: 10.0.0.1, fate_flow: {default_engines: spark, federation: rabbitmq, storage: " +
				"localfs}, rabbitmq: {enable: true}}", []string{"not in the cluster file"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := fatetest.ParseText(tc.text)
			fatetest.WantProblem(t, err, tc.want...)
		})
	}
}

func TestTenMistakesAtOnce(t *testing.T) {
	_, err := fatetest.ParseText(fatetest.TenMistakes)
	var ps problem.Problems
	if !errors.As(err, &ps) {
		t.Fatal(err)
	}
	marked := make(map[int]bool)
	for i, line := range strings.Split(fatetest.TenMistakes, "\n") {
		if strings.Contains(line, "# ") {
			marked[i+1] = true
		}
	}
	for _, p := range ps {
		if !marked[p.Line] && p.Line != 21 { // the own party's missing fateflow, which follows from the tenth
			t.Errorf("a follow-up complaint: %s", p)
		}
		delete(marked, p.Line)
		if p.Col == 0 || p.Fix == "" {
			t.Errorf("no column or fix: %s", p)
		}
	}
	if len(marked) > 0 {
		t.Errorf("nothing about lines %v in:\n%v", marked, err)
	}
}
