package render

import (
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/supervisor/config"
)

// TestHeal: FATE-Flow is restarted for want of a worker only where the cluster file asks for it, and its registration
// is looked at as before.
func TestHeal(t *testing.T) {
	const (
		one   = "host: {partyid: 10000, ip: 192.168.0.1}\n"
		flows = "host:\n  partyid: 10000\n  ip: 192.168.0.1\n  fate_flow: {ips: [192.168.0.1, 192.168.0.2]}\n  " +
			"mysql: {dbpasswd: secret}\n" +
			"  zk: {lists: [{ip: 192.168.0.1}], passwd: secret}\n  nginx: {ips: [192.168.0.1]}\n"
		heal = "heal: {fate_flow: true}\n"
	)
	for name, tt := range map[string]struct {
		text                 string
		liveness, workersToo bool
	}{
		"not asked for":            {one, false, false},
		"refused":                  {one + "heal: {fate_flow: false}\n", false, false},
		"asked for":                {one + heal, true, true},
		"registered":               {flows, true, false},
		"registered and asked for": {flows + heal, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := fatetest.HASpec(t, tt.text, "192.168.0.1")
			programs := Programs(s)
			p := programs[slices.IndexFunc(programs,
				func(p config.Program) bool { return p.Name == cluster.FateFlow.Program() })]
			if p.HasLiveness() != tt.liveness || slices.Contains(p.LivenessExec, "--worker-state") != tt.workersToo {
				t.Errorf("liveness %q", p.LivenessExec)
			}
			if state := p.ReadyExec[len(p.ReadyExec)-1]; tt.workersToo &&
				p.LivenessExec[len(p.LivenessExec)-1] != state {
				t.Errorf("readiness keeps %s, liveness reads %q", state, p.LivenessExec)
			}
			i := slices.IndexFunc(s.Cluster.Values(), func(v cluster.Value) bool { return v.Path == "heal.fate_flow" })
			if i < 0 {
				t.Fatal("config show has no heal.fate_flow")
			}
			v := s.Cluster.Values()[i]
			if written := strings.Contains(tt.text, "heal"); (v.Value == "true") != tt.workersToo ||
				(v.Origin != "default") != written {
				t.Errorf("config show: %+v", v)
			}
		})
	}
}
