package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/supervisor/config"
)

// TestCheckLogs: a log that the start could not open is found beforehand, and nothing is made.
func TestCheckLogs(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, errors.Join(os.Mkdir(at("place"), 0o755), os.WriteFile(at("there.log"), nil, 0o644),
		os.Symlink(at("there.log"), at("own.log")), os.Symlink(at("loop.log"), at("loop.log"))))
	for _, tt := range []struct{ daemon, program, want string }{
		{at("supervisord.log"), at("a.log"), ""},
		{at("later/supervisord.log"), at("there.log"), ""},
		{"/dev/stdout", "/dev/stdout", ""},
		{"/dev/null", "/dev/null", ""},
		{"/dev/stderr", "NONE", ""},
		{at("own.log"), at("a.log"), "[supervisord] logfile=" + at("own.log")},
		{at("supervisord.log"), at("loop.log"), "program a: cannot open the log file " + at("loop.log")},
		{at("supervisord.log"), at("place"), "program a: "},
		{at("later/supervisord.log"), at("later/a.log"), ""},
		{at("supervisord.log"), at("missing/a.log"), "program a: cannot open the log file " + at("missing/a.log")},
	} {
		p := config.NewProgram("a", "/bin/true")
		p.StdoutLogfile, p.RedirectStderr = tt.program, true
		cfg := config.Settings{Path: at("supervisord.conf"),
			Daemon: config.Daemon{LogFile: tt.daemon, ChildLogDir: dir}, Programs: []config.Program{p}}
		err := CheckLogs(&cfg)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("logs %s and %s: %v, want %q", tt.daemon, tt.program, err, tt.want)
		}
	}
	for _, name := range []string{"a.log", "supervisord.log", "later", "missing"} {
		if _, err := os.Lstat(at(name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}
