package fate

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/golden"
	"fate-installer/installer/host"
	"fate-installer/payload"
)

func planInput() PlanInput {
	return PlanInput{
		Facts: &host.Facts{}, Components: fatetest.PlanComponents(),
		SiteFile:      "/data/projects/common/fate-installer/site.json",
		Site:          []byte("{}"),
		ProgramDigest: "sha256-of-program", UnitName: "fate-supervisor.service",
		UnitPath: "/etc/systemd/system/fate-supervisor.service", Unit: []byte("[Unit]\n"),
	}
}

func TestPlansOfTheRoles(t *testing.T) {
	for _, tt := range []struct {
		role  cluster.Role
		party int
	}{{cluster.RoleHost, 10000}, {cluster.RoleGuest, 9999}, {cluster.RoleExchange, 0}} {
		t.Run(string(tt.role), func(t *testing.T) {
			plan, err := NewPlan(fatetest.PlanSpec(t, tt.role, tt.party), planInput())
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, filepath.Join("testdata", "plans", string(tt.role)+".golden"), planText(plan))
			again, err := NewPlan(fatetest.PlanSpec(t, tt.role, tt.party), planInput())
			if err != nil || planText(again) != planText(plan) {
				t.Errorf("the same input gave another plan (%v)", err)
			}
		})
	}
}

// TestPlansOnMachines: what each distribution is prepared with, and before what.
func TestPlansOnMachines(t *testing.T) {
	for machine, ip := range fatetest.Machines {
		t.Run(machine, func(t *testing.T) {
			s := fatetest.PreflightSpec(t, ip)
			in := planInput()
			in.Components, in.Facts = fatetest.Components, fatetest.GatherTree(t, machine, preflight.Questions(s))
			plan, err := NewPlan(s, in)
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, filepath.Join("testdata", "plans", machine+".golden"), planText(plan))
		})
	}
}

// planText prints each step with what it waits for, without what it waits for by way of others.
func planText(plan engine.Plan) string {
	var b strings.Builder
	earlier := waitsFor(plan)
	for _, n := range plan.Nodes {
		fmt.Fprintf(&b, "%s\n", n.ID())
		if d, ok := n.Step.(engine.Describer); ok {
			fmt.Fprintf(&b, "    %s\n", d.Describe())
		}
		for _, a := range slices.Compact(slices.Sorted(slices.Values(n.After))) {
			if !slices.ContainsFunc(n.After, func(other string) bool { return other != a && earlier[other][a] }) {
				fmt.Fprintf(&b, "    after %s\n", a)
			}
		}
	}
	return b.String()
}

// waitsFor gives for each step all that it waits for, directly or not.
func waitsFor(plan engine.Plan) map[string]map[string]bool {
	after, all := map[string][]string{}, map[string]map[string]bool{}
	for _, n := range plan.Nodes {
		after[n.ID()] = n.After
	}
	var of func(id string) map[string]bool
	of = func(id string) map[string]bool {
		if all[id] == nil {
			all[id] = map[string]bool{}
			for _, a := range after[id] {
				all[id][a] = true
				maps.Copy(all[id], of(a))
			}
		}
		return all[id]
	}
	for id := range after {
		of(id)
	}
	return all
}

// The order that the documented faults of hand-made installations come from: each is a step that ran too early.
func TestPlanOrder(t *testing.T) {
	plan, err := NewPlan(fatetest.PlanSpec(t, cluster.RoleHost, 10000), planInput())
	if err != nil {
		t.Fatal(err)
	}
	earlier := waitsFor(plan)
	for _, tt := range []struct{ step, earlier, why string }{
		{"database-init:/data/projects/data/fate/mysql", "file:/data/projects/common/fate-installer/secrets.json",
			"a run killed after the database took its password must know it"},
		{"file:/data/projects/fate/common/mysql/mariadb-1.0/conf/probe.cnf",
			"database-init:/data/projects/data/fate/mysql",
			"the server must know the password before its readiness probe uses it"},
		{"start:fate-mysql", "database-init:/data/projects/data/fate/mysql",
			"a server started on no data directory dies"},
		{"start:fate-fateflow", "start:fate-mysql", "FATE-Flow exits when the database is not there"},
		{"start:fate-clustermanager", "database:/data/projects/fate/common/mysql/mariadb-1.0/run/mysql.sock",
			"clustermanager logs in at start"},
		{"start:fate-nodemanager", "start:fate-clustermanager", "a nodemanager registers itself"},
		{"start:fate-fateflow", "link:/data/projects/fate/fate.env", "FATE-Flow looks up its own version at run time"},
		{"file:/data/projects/fate/eggroll/conf/route_table.json", "unpack:/data/projects/fate/eggroll",
			"the tree appears by one rename and would replace the file"},
		{"file:/data/projects/common/supervisord/supervisord.d/fate-fateflow.conf", "start:fate-mysql",
			"a program the supervisor knows is started"},
	} {
		if !earlier[tt.step][tt.earlier] {
			t.Errorf("%s does not wait for %s: %s", tt.step, tt.earlier, tt.why)
		}
	}
	if earlier["database-init:/data/projects/data/fate/mysql"]["unpack:/data/projects/fate/common/jdk/jdk-1.0"] {
		t.Error("the database waits for the JDK, though they have nothing to do with each other")
	}
}

func TestPlanNamesAMissingComponent(t *testing.T) {
	in := planInput()
	in.Components = slices.DeleteFunc(in.Components, func(c payload.Component) bool { return c.Name == "eggroll" })
	_, err := NewPlan(fatetest.PlanSpec(t, cluster.RoleHost, 10000), in)
	if err == nil || !strings.Contains(err.Error(), "eggroll") {
		t.Errorf("got %v, want an error that names eggroll", err)
	}
}

// No plan may show a password: plans are printed, logged and mailed around.
func TestPlanShowsNoSecret(t *testing.T) {
	spec := fatetest.PlanSpec(t, cluster.RoleHost, 10000)
	plan, err := NewPlan(spec, planInput())
	if err != nil {
		t.Fatal(err)
	}
	text := planText(plan) + fmt.Sprintf("%v %+v", plan, plan)
	for _, name := range cluster.SecretNames() {
		if secret := spec.Secrets.Get(name).Reveal(); secret != "" && strings.Contains(text, secret) {
			t.Errorf("the plan shows %s", name)
		}
	}
}
