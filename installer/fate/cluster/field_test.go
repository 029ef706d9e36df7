package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/problem"
)

// TestFieldFiles reads what people really hand over. One mistake is one message, at its own place, in the words of the
// mistake.
func TestFieldFiles(t *testing.T) {
	const ok = ""
	for name, want := range map[string]string{
		"b1-bom.yaml":          ok,
		"c1-bom-comment.yaml":  ok,
		"c2-bom-docstart.yaml": ok,
		"c5-bom-setup.conf":    ok,
		"a2b-fate_host":        ok,
		"b18-ipcidr.yaml":      `b18-ipcidr.yaml:3:7: "192.168.0.1/24" has a prefix length; write 192.168.0.1`,
		"b24-ansible-vault.yaml": "b24-ansible-vault.yaml:1:1: the file is encrypted by ansible-vault; decrypt it " +
			"first: ansible-vault view",
		"b25-jinja.yaml": "b25-jinja.yaml:3:7: host.ip is {{ host_ip }}, a template that only ansible fills in; " +
			"write the value itself",
		"b4-fullwidth.yaml": `b4-fullwidth.yaml:2:10: there is a full-width colon ("：") here; write a colon and a space`,
		"b8-nbsp.yaml":      `b8-nbsp.yaml:2:1: there is a no-break space ("\u00a0") here; write a space`,
		"d4-kube.yaml": "d4-kube.yaml:1:1: this is KubeFATE's cluster.yaml, which installs FATE into Kubernetes; " +
			"make a cluster file of its values: " +
			"fate-installer init --guest 9999:ADDRESS --guest-default 192.168.10.1:30101 --no-fateboard --out " +
			"cluster.yaml",
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata/field", name))
			if err != nil {
				t.Fatal(err)
			}
			oneProblem(t, cluster.Source{name, data}, want)
		})
	}
}

// oneProblem parses a source and wants one problem that begins so, or none.
func oneProblem(t *testing.T, src cluster.Source, want string) {
	t.Helper()
	_, err := cluster.Parse([]cluster.Source{src})
	if want == "" {
		if err != nil {
			t.Errorf("got %v", err)
		}
		return
	}
	var problems problem.Problems
	if !errors.As(err, &problems) || len(problems) != 1 || !strings.HasPrefix(problems[0].String(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestOneMistakeIsOneMessage(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"underscore", "host:\n  partyid: 10000\n  ip: VM_0_1_centos\n",
			`c.yaml:3:7: "VM_0_1_centos" has an underscore, which no host name may have: Java's programs do not connect to it; write the IPv4 address of the host, or rename it, for example to VM-0-1-centos`},
		{"underscore of a peer", "host: {partyid: 1, ip: 10.0.0.1}\nguest:\n  partyid: 2\n  ip: VM_0_2\n",
			`c.yaml:4:7: "VM_0_2" has an underscore`},
		{"underscore in a route",
			"host:\n  partyid: 1\n  ip: 10.0.0.1\n  rollsite:\n    default_rules:\n    - {name: default, ip: vm_2, " +
				"port: 9370}\n    rules:\n" +
				"    - {name: default, ip: 10.0.0.1, port: 9370}\n    - {name: fateflow, ip: 10.0.0.1, port: 9360}\n",
			`c.yaml:6:27: "vm_2" has an underscore`},
		{"IPv6", "host:\n  partyid: 1\n  ip: fd00::1\n",
			`c.yaml:3:7: "fd00::1" is an IPv6 address, and FATE's programs reach each other over IPv4 only; write an IPv4 address`},
		{"loopback", "host:\n  partyid: 1\n  ip: 127.0.0.1\n",
			"c.yaml:3:7: 127.0.0.1 means something else on every host"},
		{"port", "host:\n  partyid: 1\n  ip: 10.0.0.1:9370\n",
			`c.yaml:3:7: "10.0.0.1:9370" has a port; write 10.0.0.1 here`},
		{"URL", "host:\n  partyid: 1\n  ip: http://10.0.0.1\n", `c.yaml:3:7: "http://10.0.0.1" is a URL`},
		{"two addresses", "host:\n  partyid: 1\n  ip: 10.0.0.1,10.0.0.2\n",
			`c.yaml:3:7: "10.0.0.1,10.0.0.2" is more than one address`},
		{"full-width comma", "host:\n  partyid: 1\n  ip: 10.0.0.1\n  nodemanager: {ips: [10.0.0.1，10.0.0.2]}\n",
			`c.yaml:4:31: there is a full-width comma ("，") here`},
		{"full-width colon alone", "host:\n  partyid：10000\n", "c.yaml:2:10: there is a full-width colon"},
		{"full-width digits", "host:\n  partyid: １0000\n  ip: 10.0.0.1\n", "c.yaml:2:12: there is a full-width 1"},
		{"typographic quotes", "host:\n  partyid: 1\n  ip: “10.0.0.1”\n", "c.yaml:3:7: there is a typographic quote"},
		{"no-break space in a value", "host:\n  partyid: 1\n  ip: 10.0.0.1\u00a0\n",
			"c.yaml:3:15: there is a no-break space"},
		{"vault value", "host:\n  partyid: 1\n  ip: 10.0.0.1\n  mysql:\n    dbpasswd: !vault |\n      " +
			"$ANSIBLE_VAULT;1.1;AES256\n      3132\n",
			"c.yaml:5:15: host.mysql.dbpasswd is encrypted by ansible-vault; write the value itself"},
		{"template password", "host:\n  partyid: 1\n  ip: 10.0.0.1\n  mysql: {dbpasswd: \"{{ vault_pw }}\"}\n",
			"c.yaml:4:21: host.mysql.dbpasswd is {{ vault_pw }}, a template"},
		{"template without quotes", "host:\n  partyid: 1\n  ip: {{ host_ip }}\n", "c.yaml:3:"},
		{"braces in a password", "host:\n  partyid: 1\n  ip: 10.0.0.1\n  mysql: {dbpasswd: \"a{{b}}c\"}\n", ""},
		{"mistyped key", "host:\n  prtyid: 1\n  ip: 10.0.0.1\n",
			`c.yaml:2:3: unknown key "prtyid" in host; did you mean "partyid"?`},
		{"alias above its anchor", "host:\n  partyid: 1\n  mysql:\n    ips: [*ip]\n  ip: &ip 10.0.0.1\n",
			"c.yaml:4:11: the alias *ip is used above the place where it is defined, line 5"},
		{"alias of an unknown key's value", "x-ip: &ip 10.0.0.1\nhost:\n  partyid: 1\n  ip: *ip\n",
			`c.yaml:1:1: unknown key "x-ip"`},
		{"alias of the same document", "host:\n  partyid: &id 1\n  ip: &ip 10.0.0.1\n  mysql: {ips: [*ip]}\n", ""},
		{"alias of the last anchor above",
			"host:\n  partyid: 1\n  ip: &ip 10.0.0.1\n  mysql: {ips: [*ip]}\nguest:\n  partyid: 2\n  ip: &ip " +
				"10.0.0.2\n  mysql: {ips: [*ip]}\n", ""},
		{"comment in Chinese", "# 主机：一\nhost:\n  partyid: 1 # ：\n  ip: 10.0.0.1\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) { oneProblem(t, cluster.Source{"c.yaml", []byte(tt.text)}, tt.want) })
	}
}

func TestUTF16IsNamed(t *testing.T) {
	var data []byte
	for _, unit := range utf16.Encode([]rune("\ufeffhost:\n  partyid: 1\n  ip: 10.0.0.1\n")) {
		data = append(data, byte(unit), byte(unit>>8))
	}
	oneProblem(t, cluster.Source{"c.yaml", data}, "c.yaml: not YAML: it is UTF-16 text")
}

// TestKubeClusterWithSeveralParties offers what init has flags for, and the rest for party add.
func TestKubeClusterWithSeveralParties(t *testing.T) {
	text := "chartName: fate\npartyId: 9999\nmodules: [rollsite, fateboard]\nrollsite:\n  %s\n"
	peers := "partyList: [{partyId: 1, partyIp: 10.0.0.1, partyPort: 30101}, {partyId: 2, partyIp: 10.0.0.2, " +
		"partyPort: 30102}]"
	for rollsite, want := range map[string]string{
		peers: "--guest-default 10.0.0.1:30101 --out cluster.yaml, with ADDRESS for this host's and --host instead " +
			"of --guest where the party is the host; " +
			"after the installation: fate-installer party add 2:10.0.0.2:30102",
		"exchange: {ip: 10.0.0.9, port: 30000}": "--guest-default 10.0.0.9:30000 --out",
	} {
		_, err := cluster.Parse([]cluster.Source{{"k.yaml", fmt.Appendf(nil, text, rollsite)}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestHostWithIPv6Only(t *testing.T) {
	c, err := fatetest.ParseText("host: {partyid: 1, ip: 10.0.0.1}\n")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Spec(cluster.Selection{Base: "/data", LocalAddrs: []string{"fd00::1"}})
	if err == nil || !strings.Contains(err.Error(),
		"this host has only IPv6 addresses (fd00::1), FATE's programs reach each other over IPv4 only") {
		t.Errorf("got %v", err)
	}
}
