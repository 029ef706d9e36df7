package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckLoadsTheSupervisorsDirectory puts files of others next to those that install writes. A program that is
// defined twice, or a mistake, would keep the supervisor from starting.
func TestCheckLoadsTheSupervisorsDirectory(t *testing.T) {
	root, appliance := machine(t), smallAppliance(t)
	dir := filepath.Join(root, "data/projects/common/supervisord/supervisord.d")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, text, want string }{
		"another program": {"site.conf", "[program:site]\ncommand=/bin/true\n", ""},
		"not a .conf":     {"old.conf.bak", "[program:fate-rollsite]\ncommand=/bin/true\n", ""},
		"one of ours": {"old.conf", "[program:fate-rollsite]\ncommand=/bin/true\n",
			"old.conf:1: [program:fate-rollsite] is given twice, first in " +
				"/data/projects/common/supervisord/supervisord.d/fate-rollsite.conf"},
		"ours by a group": {"z.conf",
			"[program:fate-rollsite]\ncommand=/bin/true\n[group:fate]\nprograms=fate-rollsite\n",
			"fate-rollsite] is given twice"},
		"a mistake":          {"bad.conf", "[program:site]\nautostart=true\n", "bad.conf"},
		"no ini file at all": {"bad.conf", "hello\n", "bad.conf:1"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, tt.file)
			if err := os.WriteFile(file, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(file)
			stdout, stderr, code := runCLI(t, root, "", "check", "--all", "--payload", appliance, "--role",
				"exchange", "--ip", "192.168.0.88")
			if refused := strings.Contains(stdout, "refused  supervisor-load: "); refused != (tt.want != "") ||
				!strings.Contains(stdout, tt.want) {
				t.Errorf("exit %d, want %q\n%s%s", code, tt.want, stdout, stderr)
			}
		})
	}
}
