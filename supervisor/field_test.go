package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/supervisor/account"
	"fate-installer/supervisor/config"
	"fate-installer/supervisor/logfile"
)

// TestFilesFromTheField loads what people write. The cases were compared with supervisor 4.2.5.
func TestFilesFromTheField(t *testing.T) {
	t.Setenv("FROM_OUTSIDE", "x")
	for _, tt := range []struct {
		name, main, included string
		check                func(p config.Program, dir string) string // what is wrong; "" is nothing
		problem              string
	}{
		{"here in an included file is its directory", "",
			"[program:p]\ncommand=/bin/sleep 100\nstdout_logfile=%(here)s/p.log\n",
			func(p config.Program, dir string) string {
				if want := filepath.Join(dir, "d", "p.log"); p.StdoutLogfile != want {
					return p.StdoutLogfile
				}
				return ""
			}, ""},
		{"the supervisor's environment is known to programs", "environment=FATE_HOME=\"/data/projects/fate\"\n",
			"[program:p]\ncommand=%(ENV_FATE_HOME)s/bin/x\n", func(p config.Program, _ string) string {
				if p.Command[0] != "/data/projects/fate/bin/x" {
					return p.Command[0]
				}
				return ""
			}, ""},
		{"a comment in a quoted command", "",
			"[program:p]\ncommand = bash -c 'while : ; do echo Hello; sleep 10; done'\n", nil,
			"a semicolon after a space begins a comment, also within quotes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			conf := filepath.Join(dir, "main.conf")
			if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
				t.Fatal(err)
			}
			text := "[include]\nfiles=d/*.conf\n[supervisord]\nlogfile=%(here)s/d.log\n" + tt.main
			for path, text := range map[string]string{conf: text, filepath.Join(dir, "d", "p.conf"): tt.included} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg, _, err := config.Load(conf, os.Environ())
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) ||
					!strings.Contains(err.Error(), "p.conf:2:") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if wrong := tt.check(cfg.Programs[0], dir); wrong != "" {
				t.Errorf("it is %s", wrong)
			}
		})
	}
}

// TestLogWithoutBackups keeps the end of a log that has grown too large: it says why the program died.
func TestLogWithoutBackups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	var text strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&text, "trace %d 0123456789012345678901234567890123456789\n", i)
	}
	text.WriteString("FATAL: why I die\n")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	acct, err := account.Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	if err := (logfile.File{Path: path, User: acct, Limits: logfile.Limits{Max: 20 << 10}}).Rotate(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) > 20<<10 || len(data) < 4<<10 ||
		!strings.HasSuffix(string(data), "\nFATAL: why I die\n") {
		t.Errorf("%d bytes are left, %v", len(data), err)
	}
}
