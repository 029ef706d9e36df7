package fate

import (
	"slices"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/step"
)

// The tests in this file hold what AnsibleFATE gets wrong about privileges and operation, by number, against what this
// package makes of it; faults_test.go has what it gets wrong in its results.

// TestFault05RightsAreGivenSparingly: no account gets sudo unasked, the firewall stays on with the ports open that
// other hosts connect to, and what the operator wants kept is kept.
func TestFault05RightsAreGivenSparingly(t *testing.T) {
	spec := fatetest.PlanSpec(t, cluster.RoleHost, 10000)
	for _, n := range planOf(t, spec).Nodes {
		switch s := n.Step.(type) {
		case step.Sudoers:
			t.Errorf("%s is planned", n.ID())
		case step.Firewall:
			if s.Disable || slices.Contains(s.Ports, 3306) || !slices.Contains(s.Ports, 9370) {
				t.Errorf("firewall: %s", s.Describe())
			}
		}
	}
	spec.OS = spec.OS.Without([]string{"selinux", "firewall"})
	for _, n := range planOf(t, spec).Nodes {
		switch n.Step.(type) {
		case step.SELinux, step.Firewall:
			t.Errorf("%s is planned although it is to be kept", n.ID())
		}
	}
	spec.OS.Sudoers = "grant"
	if !slices.ContainsFunc(planOf(t, spec).Nodes, func(n engine.Node) bool { return n.ID() == "sudoers:app" }) {
		t.Error("sudo was asked for and is not planned")
	}
}

func planOf(t *testing.T, spec *cluster.Spec) engine.Plan {
	t.Helper()
	plan, err := NewPlan(spec, planInput())
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestFault20ModelsOutliveTheirComponent: replacing or removing FATE-Flow must not take the trained models along.
func TestFault20ModelsOutliveTheirComponent(t *testing.T) {
	plan, err := NewPlan(fatetest.PlanSpec(t, cluster.RoleHost, 10000), planInput())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range plan.Nodes {
		if u, ok := n.Step.(step.Unpack); ok && u.Component == "fateflow" &&
			!slices.Contains(u.Keep, "model_local_cache") {
			t.Errorf("unpacking FATE-Flow keeps only %q", u.Keep)
		}
	}
}
