package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/golden"
)

func TestSystemdUnit(t *testing.T) {
	path, content := Unit{Executable: "/usr/local/bin/fate-installer", Base: "/data"}.Systemd()
	if path != "/etc/systemd/system/fate-supervisor.service" {
		t.Error(path)
	}
	golden.Compare(t, "testdata/fate-supervisor.service", content)
	_, odd := Unit{Executable: "/opt/a b/x", Base: `/srv/100%/$x`}.Systemd()
	if want := `ExecStart="/opt/a b/x" --base /srv/100%%/$$x svc run`; !strings.Contains(string(odd), want) {
		t.Errorf("%s\nlacks %s", odd, want)
	}
}

// TestInitScripts holds what other inits are given, and that a shell can read it.
func TestInitScripts(t *testing.T) {
	u := Unit{Executable: "/usr/local/bin/fate-installer", Base: "/data"}
	for name, kind := range map[string]Init{"sysv": SystemV, "openrc": OpenRC, "upstart": Upstart} {
		path, content, _ := u.Script(kind)
		golden.Compare(t, "testdata/"+name, append([]byte(path+"\n"), content...))
		if kind == Upstart {
			continue
		}
		sh := exec.Command("/bin/sh", "-n")
		sh.Stdin = bytes.NewReader(content)
		if out, err := sh.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestSystemVScript runs the script with a stand-in for our program: it runs while there is a file.
func TestSystemVScript(t *testing.T) {
	dir := t.TempDir()
	program, calls := filepath.Join(dir, "the program"), filepath.Join(dir, "calls")
	stand := fmt.Sprintf(`#!/bin/sh
echo "$3 $4 $5" >>'%[1]s/calls'
case $4 in
run) touch '%[1]s/up' ;;
shutdown) rm '%[1]s/up' ;;
status) test -e '%[1]s/up' && exit 3; exit 4 ;;
esac
`, dir)
	if err := os.WriteFile(program, []byte(stand), 0o755); err != nil {
		t.Fatal(err)
	}
	_, content, _ := Unit{Executable: program, Base: "/data"}.Script(SystemV)
	script := filepath.Join(dir, "fate-supervisor")
	if err := os.WriteFile(script, content, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		verb, says string
		code       int
		want       string // what our program was called for, besides status
	}{
		{"status", "Stopped\n", 3, ""},
		{"stop", "Stopped\n", 0, ""},
		{"start", "Started\n", 0, "svc run "},
		{"start", "Running already\n", 0, ""},
		{"status", "Running\n", 0, ""},
		{"reload", "", 0, "svc reload "},
		{"restart", "Started\n", 0, "svc shutdown --keep|svc run "},
		{"stop", "Stopped\n", 0, "svc shutdown "},
		{"status", "Stopped\n", 3, ""},
	} {
		_ = os.Remove(calls)
		out, err := exec.Command(script, tt.verb).Output()
		code := 0
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		data, _ := os.ReadFile(calls)
		asked := slices.DeleteFunc(strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), func(c string) bool {
			return c == "" || strings.HasPrefix(c, "svc status")
		})
		if string(out) != tt.says || code != tt.code || strings.Join(asked, "|") != tt.want {
			t.Errorf("%s: exit status %d, says %q, calls %q; want %d, %q, %q", tt.verb, code, out, asked,
				tt.code, tt.says, tt.want)
		}
	}
}
