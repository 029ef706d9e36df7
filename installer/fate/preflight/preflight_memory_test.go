package preflight

import (
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/payload"
)

// TestMemoryNeeds adds up the programs of hosts of each role, both generations and both databases.
func TestMemoryNeeds(t *testing.T) {
	env19 := map[string]string{"FATE": "1.9.1", "FATEFlow": "1.9.1", "FATEBoard": "1.9.1", "EGGROLL": "2.4.6"}
	const mib = 1 << 20
	for name, test := range map[string]struct {
		cluster         string
		ip              string
		env             map[string]string
		database        string
		memory          uint64
		idle, used, job uint64 // MiB
	}{
		"1.11, MySQL": {fatetest.OneHost, "192.168.0.1", fatetest.Env1113, "mysql", 0, 262 + 237 + 253 + 125 + 586 +
			108 + 40,
			533 + 237 + 384 + 277 + 586 + 128 + 40, 2*255 + 94},
		"1.11, MySQL with performance_schema": {
			"host: {partyid: 10000, ip: 192.168.0.1, mysql: {performance_schema: true}}", "192.168.0.1",
			fatetest.Env1113, "mysql", 0, 262 + 237 + 253 + 125 + 586 + 389 + 40,
			533 + 237 + 384 + 277 + 586 + 510 + 40, 2*255 + 94},
		"1.11, MariaDB": {fatetest.OneHost, "192.168.0.1", fatetest.Env1113, "mariadb", 0, 262 + 237 + 253 + 125 +
			586 + 111 + 40,
			533 + 237 + 384 + 277 + 586 + 128 + 40, 2*255 + 94},
		"1.9, MySQL": {fatetest.OneHost, "192.168.0.1", env19, "mysql", 0, 262 + 204 + 253 + 125 + 568 + 108 + 40,
			348 + 204 + 336 + 279 + 568 + 128 + 40, 2*255 + 94},
		"1.9, MariaDB": {fatetest.OneHost, "192.168.0.1", env19, "mariadb", 0, 262 + 204 + 253 + 125 + 568 + 111 + 40,
			348 + 204 + 336 + 279 + 568 + 128 + 40, 2*255 + 94},
		"exchange": {"exchange: {ip: 192.168.0.88}", "192.168.0.88", fatetest.Env1113, "mysql", 0,
			253 + 40, 384 + 40, 0},
		"heaps of a small host": {fatetest.OneHost, "192.168.0.1", fatetest.Env1113, "mysql", 2 << 30, 262 + 237 +
			253 + 125 + 392 + 108 +
			40, 392 + 237 + 384 + 277 + 392 + 128 + 40, 2*255 + 94},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := fatetest.ParseText(test.cluster)
			if err != nil {
				t.Fatal(err)
			}
			versions := map[string]string{test.database: "8.0.28", "jdk": "8u345", "python": "3.8.13"}
			s, err := c.Spec(cluster.Selection{IP: test.ip, Env: test.env, Versions: versions, Memory: test.memory})
			if err != nil {
				t.Fatal(err)
			}
			p := &preflight{s: s, f: goodFacts(s)}
			modules, idle, used, job := p.memoryNeeds()
			if idle != test.idle*mib || used != test.used*mib || job != test.job*mib {
				t.Errorf("%d idle, %d used, %d for a job, want %d, %d, %d: %s", idle/mib, used/mib, job/mib, test.idle,
					test.used, test.job, memoryText(modules))
			}
			p.in.Components = []payload.Component{{Name: "eggroll", StandIn: true}, {Name: "fateflow", StandIn: true}}
			modules, _, _, job = p.memoryNeeds()
			if text := memoryText(modules); strings.Contains(text, "rollsite") || strings.Contains(text, "fate_flow") ||
				job != 0 {
				t.Errorf("stand-ins are counted: %s, %d for a job", text, job)
			}
		})
	}
}
