package fate

import (
	"path"
	"slices"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/step"
	"fate-installer/payload"
)

// TestNoProgramIsKnownBeforeItIsUnpacked: the supervisor starts a program as soon as it finds its file, so everything
// that the program is made of has to be there before the file.
func TestNoProgramIsKnownBeforeItIsUnpacked(t *testing.T) {
	const text = `
host:
  partyid: 10000
  ip: 192.168.0.1
  nodemanager: {ips: [192.168.0.1, 192.168.0.3]}
  fate_flow: {ips: [192.168.0.1, 192.168.0.2]}
  mysql: {dbpasswd: secret}
  zk: {lists: [{ip: 192.168.0.1}, {ip: 192.168.0.2}, {ip: 192.168.0.3}], passwd: secret}
  nginx: {ips: [192.168.0.1]}
`
	input := planInput()
	input.Components = append(input.Components, payload.Component{Name: "mysql", Version: "8.0.28"})
	for _, ip := range []string{"192.168.0.1", "192.168.0.2", "192.168.0.3"} {
		s := haSpec(t, text, ip)
		plan, err := NewPlan(s, input)
		if err != nil {
			t.Fatal(err)
		}
		for _, program := range Programs(s) {
			file := step.File{Path: path.Join(s.Layout.SupervisorPrograms(), program.Name+".conf")}.ID()
			before := predecessors(plan, file)
			for _, component := range s.componentsOf(program.Name) {
				unpack := step.Unpack{Component: component, Target: s.UnpackTarget(component)}.ID()
				if !slices.Contains(before, unpack) {
					t.Errorf("%s: %s is made known to the supervisor, and %s need not be unpacked by then", ip, program.Name, component)
				}
			}
		}
	}
}

// predecessors lists every step that has to be done before one.
func predecessors(plan engine.Plan, id string) []string {
	var out []string
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		for _, n := range plan.Nodes {
			if n.ID() != todo[0] {
				continue
			}
			for _, a := range n.After {
				if !slices.Contains(out, a) {
					out, todo = append(out, a), append(todo, a)
				}
			}
		}
	}
	return out
}
