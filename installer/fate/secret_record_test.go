package fate

import (
	"slices"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/step"
)

// TestChangedSecretRestartsItsReadersOnly changes one secret after the other and looks which programs the plan
// restarts.
func TestChangedSecretRestartsItsReadersOnly(t *testing.T) {
	spec := fatetest.PlanSpec(t, cluster.RoleHost, 10000)
	before := startInputs(t, spec)
	for name, want := range map[string][]string{
		"mysql_root":      nil,
		"mysql_user":      {"fate-clustermanager", "fate-fateflow"},
		"route_table_key": {"fate-rollsite"},
		"fateboard_admin": {"fate-fateboard"},
	} {
		changed := *spec
		changed.Secrets.Set(name, cluster.NewSecret("another-one"))
		var restarted []string
		for program, inputs := range startInputs(t, &changed) {
			if before[program] != inputs {
				restarted = append(restarted, program)
			}
		}
		slices.Sort(restarted)
		if !slices.Equal(restarted, want) {
			t.Errorf("%s restarts %q, want %q", name, restarted, want)
		}
		i := slices.IndexFunc(render.SecretUses(spec), func(u render.SecretUse) bool { return u.Name == name })
		if i < 0 || !slices.Equal(sortedCopy(render.SecretUses(spec)[i].Programs), want) {
			t.Errorf("%s: the uses %+v do not name %q", name, render.SecretUses(spec), want)
		}
		files, err := render.FilesWithSecrets(spec, []string{name})
		if err != nil || (len(files) == 0) != (name == "mysql_root") {
			t.Errorf("%s is in the files %q, %v", name, files, err)
		}
	}
}

func sortedCopy(s []string) []string { return slices.Sorted(slices.Values(s)) }

func startInputs(t *testing.T, s *cluster.Spec) map[string]string {
	t.Helper()
	plan, err := NewPlan(s, planInput())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, n := range plan.Nodes {
		if start, ok := n.Step.(step.StartPrograms); ok {
			out[start.Names[0]] = start.Inputs
		}
	}
	return out
}
