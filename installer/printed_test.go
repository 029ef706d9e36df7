package main

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/exit"
)

func TestPrintedCommandsCanBeRun(t *testing.T) {
	executable, err := os.Stat(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	const local, elsewhere = "/usr/local/bin/fate-installer", "/opt/tools/fate-installer"
	for _, tt := range []struct {
		name, path string
		there      []string
		arg0, want string
	}{
		{"the shell finds it", "/usr/bin:/usr/local/bin", []string{local}, "fate-installer", "fate-installer"},
		{"the shell finds another one", "/usr/bin:/opt/tools", []string{local, elsewhere}, local, "fate-installer"},
		{"sudo's secure_path has no /usr/local/bin", "/sbin:/bin:/usr/sbin:/usr/bin", []string{local}, local, local},
		{"a host that has one", "/usr/bin", []string{local}, "./fate-installer-1.11.4", local},
		{"before the first install", "/usr/local/bin:/usr/bin", nil, "./fate-installer-1.11.4",
			"./fate-installer-1.11.4"},
		{"the working directory does not count", ".::/usr/bin", []string{"fate-installer"}, "./fate-installer",
			"./fate-installer"},
		{"a path that a shell would take apart", "/usr/bin", nil, "./my stick/fate-installer", "fate-installer"},
		{"under another name", "/usr/bin", nil, "/tmp/installer.test", "fate-installer"},
	} {
		stat := func(path string) (os.FileInfo, error) {
			if slices.Contains(tt.there, path) {
				return executable, nil
			}
			return nil, fs.ErrNotExist
		}
		if got := findProgram(tt.path, stat, tt.arg0); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestCommandsInTexts(t *testing.T) {
	for text, want := range map[string]string{
		"fate-installer svc status":                           "/opt/x svc status",
		"look there (fate-installer svc why NAME), then wait": "look there (/opt/x svc why NAME), then wait",
		"it is no request of fate-installer keys request":     "it is no request of /opt/x keys request",
		"/usr/local/bin/fate-installer svc status":            "/usr/local/bin/fate-installer svc status",
		"./fate-installer --role host":                        "./fate-installer --role host",
		"fate-installer's own serve instead":                  "fate-installer's own serve instead",
	} {
		if got := runnableAs("/opt/x", text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestCommandsNameTheBase: what a host with another base directory is advised to run works there when it is pasted.
func TestCommandsNameTheBase(t *testing.T) {
	for _, tt := range []struct{ base, text, want string }{
		{"/data", "run fate-installer svc start db", "run fate-installer svc start db"},
		{"/srv/fate", "run fate-installer svc start db", "run fate-installer --base /srv/fate svc start db"},
		{"/srv/my fate", "fate-installer --role host\nfate-installer check",
			"fate-installer --base '/srv/my fate' --role host\nfate-installer --base '/srv/my fate' check"},
		{"/srv/fate", "fate-installer --base /srv/old uninstall", "fate-installer --base /srv/old uninstall"},
	} {
		g := &globals{Base: tt.base}
		if got := g.runnable(tt.text); got != tt.want {
			t.Errorf("below %s: %q, want %q", tt.base, got, tt.want)
		}
	}
	_, stderr, code := runCLI(t, machine(t), "", "--base", "/srv/fate", "--party", "10000")
	if code != exit.Usage || !strings.Contains(stderr, "fate-installer --base /srv/fate --role host --party 10000") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
