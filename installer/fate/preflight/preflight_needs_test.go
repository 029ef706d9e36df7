package preflight

import (
	"slices"
	"testing"

	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
	"fate-installer/payload"
)

// TestPreflightNeeds holds that what was recorded of the programs inside counts, rather than what is usual.
func TestPreflightNeeds(t *testing.T) {
	const ip = "192.168.0.1"
	s := fatetest.PreflightSpec(t, ip)
	f := goodFacts(s)
	f.Glibc = "2.28"
	f.Libraries = host.Libraries{"libz.so.1": "/lib64"}
	with := func(component string, n payload.Needs) []payload.Component {
		out := slices.Clone(fatetest.Components)
		for i := range out {
			if out[i].Name == component {
				out[i].Needs = &n
			}
		}
		return out
	}
	for name, test := range map[string]struct {
		component string
		needs     payload.Needs
		id        string
		status    Status // blank: there is no such check
		measured  string
	}{
		"newer C library":    {"jdk", payload.Needs{Glibc: "2.34"}, "glibc", StatusRefused, "2.28"},
		"as new":             {"jdk", payload.Needs{Glibc: "2.28"}, "glibc", StatusOK, "2.28"},
		"not installed here": {"nginx", payload.Needs{Glibc: "2.34"}, "glibc", StatusOK, "2.28"},
		"takes libaio": {"mysql", payload.Needs{Programs: []string{"libaio.so.1"}}, "library:libaio.so.1",
			StatusRefused, "not found"},
		"brings libaio": {"mysql", payload.Needs{}, "library:libaio.so.1", "", ""},
		"takes another": {"mysql", payload.Needs{Programs: []string{"libtinfo.so.5", "libz.so.1"}},
			"libraries:mysql", StatusWarning, "not found: libtinfo.so.5"},
		"the server's own": {"mysql", payload.Needs{Programs: []string{"liburing.so.2"},
			By: map[string][]string{"liburing.so.2": {"bin/mysqld"}}}, "libraries:mysql", StatusRefused,
			"not found: liburing.so.2 (for bin/mysqld)"},
		"a client's only": {"mysql", payload.Needs{Programs: []string{"libtinfo.so.5"},
			By: map[string][]string{"libtinfo.so.5": {"bin/mysql", "bin/mysqlcheck"}}}, "libraries:mysql",
			StatusWarning, "not found: libtinfo.so.5 (for bin/mysql)"},
		"java's own": {"jdk", payload.Needs{Programs: []string{"libjli.so"},
			By: map[string][]string{"libjli.so": {"bin/jar", "bin/java"}}}, "libraries:jdk", StatusRefused,
			"not found: libjli.so (for bin/java)"},
		"all of them there": {"mysql", payload.Needs{Programs: []string{"libz.so.1"}}, "libraries:mysql", StatusOK,
			"found: 1 library"},
		"only a module wants": {"jdk", payload.Needs{Modules: []string{"libX11.so.6"}}, "libraries:jdk",
			StatusOK, "none is needed"},
	} {
		results := Run(s, f, Input{Components: with(test.component, test.needs),
			Platform: "linux/amd64"})
		i := slices.IndexFunc(results, func(r CheckResult) bool { return r.ID == test.id })
		switch {
		case i < 0:
			if test.status != "" {
				t.Errorf("%s: no check %s", name, test.id)
			}
		case results[i].Status != test.status || results[i].Measured != test.measured:
			t.Errorf("%s: %s is %s, %q, want %s, %q", name, test.id, results[i].Status, results[i].Measured,
				test.status, test.measured)
		}
	}
}
