package preflight

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
	"fate-installer/installer/tools"

	"github.com/google/go-cmp/cmp"
)

// TestJudgePS holds what three programs named ps print against what eggroll reads.
func TestJudgePS(t *testing.T) {
	const heading = "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
	const shell = `bash -c echo $$; "$1" aux; exit $? trial /usr/bin/ps `
	for name, c := range map[string]struct{ out, want string }{
		"procps": {"4711\n" + heading +
			"root           1  0.0  0.0   2500  1500 ?        Ss   10:00   0:00 /sbin/init\n" +
			"root        4711  0.0  0.0   2500  1500 ?        S    10:00   0:00 " + shell + trialMark + "\n", ""},
		"procps that cuts": {"4711\n" + heading +
			"root        4711  0.0  0.0   2500  1500 ?        S    10:00   0:00 bash -c echo\n",
			"ps aux cuts long commands"},
		"busybox": {"4711\nPID   USER     TIME  COMMAND\n    1 root      0:00 init\n 4711 " +
			"root      0:00 " + shell + trialMark + "\n", "the second column of ps aux is not the process ID"},
		"busybox, the user's name is the ID": {"4711\nPID   USER     TIME  COMMAND\n   12 4711      0:00 sleep 9\n",
			"ps aux cuts long commands"},
		"nothing": {"", "the second column of ps aux is not the process ID"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := judgePS(c.out); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestToolTrials tries the programs of this machine, which are GNU's and procps's, and busybox's where it has a
// busybox.
func TestToolTrials(t *testing.T) {
	if diff := cmp.Diff(map[string]string(nil), tryTools(t, exec.LookPath)); diff != "" {
		t.Error(diff)
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("this machine has no busybox")
	}
	dir := t.TempDir()
	for _, name := range tools.Names() {
		if err := os.Symlink(busybox, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	faults := tryTools(t, func(name string) (string, error) { return filepath.Join(dir, name), nil })
	if diff := cmp.Diff(map[string]string{"ps": "the second column of ps aux is not the process ID"},
		faults); diff != "" {
		t.Error(diff)
	}
}

// tryTools returns what is wrong with each of the tools that find finds.
func tryTools(t *testing.T, find func(name string) (string, error)) map[string]string {
	t.Helper()
	var faults map[string]string
	tried := map[string]bool{}
	for _, trial := range toolTrials() {
		tried[trial.Program] = true
		file, err := find(trial.Program)
		if err != nil {
			t.Logf("this machine has no %s", trial.Program)
			continue
		}
		args := trial.Args(file)
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Stdin = strings.NewReader(trial.In)
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", trial.Program, err)
		}
		if fault := trial.Judge(string(out)); fault != "" {
			if faults == nil {
				faults = map[string]string{}
			}
			faults[trial.Program] = fault
		}
	}
	for _, name := range tools.Names() {
		if !tried[name] {
			t.Errorf("%s is not tried", name)
		}
	}
	return faults
}

// TestToolsComeFirstWhereTheHostsFail: the links of a plan, and their order in the PATH of the programs.
func TestToolsComeFirstWhereTheHostsFail(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	first := func(f *host.Facts) []string {
		var names []string
		for _, l := range ToolLinks(s, f) {
			if filepath.Dir(l.Path) == s.Layout.ToolsFirst() {
				names = append(names, filepath.Base(l.Path))
			}
		}
		return names
	}
	for name, c := range map[string]struct {
		facts host.Facts
		want  []string
	}{
		"all do":        {host.Facts{}, nil},
		"ps of busybox": {host.Facts{Failing: host.Failing{"ps": "the second column is another"}}, []string{"ps"}},
		"two": {host.Facts{Failing: host.Failing{"xargs": "status 1", "awk": "status 1"}},
			[]string{"awk", "xargs"}},
		"directory tree": {host.Facts{Rooted: true}, []string{"ps"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, first(&c.facts)); diff != "" {
				t.Error(diff)
			}
		})
	}
	dirs := filepath.SplitList(render.EggrollEnvironment(s, "nodemanager")["PATH"])
	before, host, after := slices.Index(dirs, s.Layout.ToolsFirst()), slices.Index(dirs, "/usr/local/bin"),
		slices.Index(dirs, s.Layout.Tools())
	if before < 0 || host < before || after < host {
		t.Errorf("PATH has another order: %s", dirs)
	}
}

// TestFailingProgramIsReported: check says which program of the host is not used, and why.
func TestFailingProgramIsReported(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	f := fatetest.GatherTree(t, "debian12", Questions(s))
	f.Programs["ps"], f.Failing = "/bin/ps", host.Failing{"ps": "the second column of ps aux is not the process ID"}
	want := "/bin/ps does not do what eggroll needs (the second column of ps aux is not the process ID), " +
		"fate-installer's own serves instead"
	err := errors.New("there is no check of programs")
	for _, r := range Run(s, f, Input{Components: fatetest.Components, Platform: "linux/amd64"}) {
		if r.ID == "programs" {
			if err = nil; r.Status != StatusOK || !strings.Contains(r.Measured, want) {
				t.Errorf("%s: %s", r.Status, r.Measured)
			}
		}
	}
	if err != nil {
		t.Error(err)
	}
}
