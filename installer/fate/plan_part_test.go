package fate

import (
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/database"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/step"
)

func partOf(t *testing.T, mode Mode, modules ...string) engine.Plan {
	t.Helper()
	in := planInput()
	var err error
	if in.Modules, err = cluster.ParseModules(modules); err != nil {
		t.Fatal(err)
	}
	in.Mode = mode
	plan, err := NewPlan(fatetest.PlanSpec(t, cluster.RoleHost, 10000), in)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func idsOf(plan engine.Plan, prefix string) []string {
	var out []string
	for _, n := range plan.Nodes {
		if id, ok := strings.CutPrefix(n.ID(), prefix); ok {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// TestOnlySomeModules: a part has its own components and programs, and every file of it is as in the whole.
func TestOnlySomeModules(t *testing.T) {
	whole := partOf(t, ModeDeploy)
	for _, tt := range []struct {
		only, programs, trees string
	}{
		{"mysql", "fate-mysql", "common/mysql/mariadb-1.0 eggroll"}, // eggroll brings the schema
		{"eggroll", "fate-clustermanager fate-nodemanager fate-rollsite",
			"common/jdk/jdk-1.0 common/python/venv eggroll fate fateflow"},
		{"mysql,eggroll", "fate-clustermanager fate-mysql fate-nodemanager fate-rollsite",
			"common/jdk/jdk-1.0 common/mysql/mariadb-1.0 common/python/venv eggroll fate fateflow"},
		{"fate_flow", "fate-fateflow", "common/jdk/jdk-1.0 common/python/venv eggroll fate fateflow"},
		{"fateboard", "fate-fateboard", "common/jdk/jdk-1.0 fateboard"},
		{"rollsite", "fate-rollsite", "common/jdk/jdk-1.0 eggroll"},
	} {
		plan := partOf(t, ModeDeploy, strings.Split(tt.only, ",")...)
		if got := strings.Join(idsOf(plan, "start:"), " "); got != tt.programs {
			t.Errorf("%s starts %s, want %s", tt.only, got, tt.programs)
		}
		if got := strings.Join(idsOf(plan, "unpack:/data/projects/fate/"), " "); got != tt.trees {
			t.Errorf("%s unpacks %s, want %s", tt.only, got, tt.trees)
		}
		for _, n := range plan.Nodes {
			if file, ok := n.Step.(step.File); ok && !sameFile(whole, file) {
				t.Errorf("%s writes another %s", tt.only, file.Path)
			}
		}
	}
}

func sameFile(plan engine.Plan, want step.File) bool {
	return slices.ContainsFunc(plan.Nodes, func(n engine.Node) bool {
		file, ok := n.Step.(step.File)
		return ok && file.Path == want.Path && string(file.Content) == string(want.Content)
	})
}

// TestModesDivideTheWork: install and config together are deploy, and install neither configures nor starts.
func TestModesDivideTheWork(t *testing.T) {
	install, deploy := partOf(t, ModeInstall), partOf(t, ModeDeploy)
	for _, n := range install.Nodes {
		switch s := n.Step.(type) {
		case step.StartPrograms, step.BootUnit, database.Contents, database.Init:
			t.Errorf("mode install has %s", n.ID())
		case step.File:
			if !strings.HasPrefix(s.Path, "/data/projects/common/fate-installer/") {
				t.Errorf("mode install writes %s", s.Path)
			}
		}
		if !slices.Contains(idsOf(deploy, ""), n.ID()) {
			t.Errorf("mode install has %s, which deploy has not", n.ID())
		}
	}
	if got, want := len(Unpacking(install).Nodes), len(Unpacking(deploy).Nodes); got != want || want == 0 {
		t.Errorf("mode install unpacks %d components, deploy %d", got, want)
	}
	if got, want := idsOf(partOf(t, ModeConfig), ""), idsOf(deploy, ""); !slices.Equal(got, want) {
		t.Errorf("mode config looks at %d things, deploy at %d", len(got), len(want))
	}
}

func TestModulesAreNamedAsUpstreamDoes(t *testing.T) {
	for _, name := range cluster.ModuleNames() {
		if m, err := cluster.ParseModules([]string{name}); err != nil || len(m) == 0 {
			t.Errorf("%s: %v %v", name, m, err)
		}
	}
	if _, err := cluster.ParseModules([]string{"mysql", "flow"}); err == nil || !strings.Contains(err.Error(),
		`"flow"`) ||
		!strings.Contains(err.Error(), "fate_flow") {
		t.Errorf("error %v", err)
	}
	in := planInput()
	in.Modules = []cluster.Module{cluster.MySQL}
	if _, err := NewPlan(fatetest.PlanSpec(t, cluster.RoleExchange, 0), in); err == nil ||
		!strings.Contains(err.Error(), "runs on this host") {
		t.Errorf("a part that is not here: %v", err)
	}
}
