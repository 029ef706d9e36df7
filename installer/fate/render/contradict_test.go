package render

import (
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
)

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
		s := fatetest.HASpec(t, text, ip)
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
