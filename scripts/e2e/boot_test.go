//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestHostsWithoutSystemd installs where process 1 is not systemd: in a container whose process 1 starts nothing, and
// under System V's init. The supervisor is started in both, and an uninstall leaves nothing.
func TestHostsWithoutSystemd(t *testing.T) {
	b := newBench(t, "host=192.168.0.1")
	bare := b.contents("host", []string{"/"}, notOurs...)
	// Each runs in a namespace of its own whose process 1 is a shell with that name.
	const journey = `mount -t tmpfs tmpfs /run
` + installerFile + ` check --role host --party 10000 --all
` + installerFile + ` --role host --party 10000 || exit 1
` + programFile + ` test toy || exit 2
ls /etc/rc?.d/*fate-supervisor /etc/init.d/fate-supervisor
` + installerFile + ` --role host --party 10000 || exit 3
` + programFile + ` uninstall --yes --purge-data || exit 4
! pgrep -f 'svc run' || exit 5
`
	for _, tt := range []struct {
		name, process string
		says          []string
		never         string
	}{
		{"a container", "sh", []string{"process 1 is sh, and starts nothing at boot",
			programFile + " --base /data svc run", "nothing to do"}, "/etc/init.d/fate-supervisor"},
		{"System V", "init", []string{"ok init System V", "/etc/init.d/fate-supervisor", "/etc/rc3.d/S"},
			"warning init"},
	} {
		b.step(tt.name, func(b bench) {
			if tt.process == "init" {
				b.write("host", "/etc/inittab", "id:3:initdefault:\n")
			}
			b.run("host", "mkdir", "-p", "/mnt/one")
			b.run("host", "cp", "/bin/sh", "/mnt/one/"+tt.process)
			b.write("host", "/mnt/one/journey", journey)
			out := b.run("host", "unshare", "--fork", "--pid", "--mount", "--mount-proc", "/mnt/one/"+tt.process,
				"/mnt/one/journey")
			text := strings.Join(strings.Fields(out), " ") // columns are as wide as what else is in them
			for _, want := range tt.says {
				if !strings.Contains(text, want) {
					b.t.Errorf("it does not say %q", want)
				}
			}
			if strings.Contains(text, tt.never) {
				b.t.Errorf("it says %q", tt.never)
			}
			b.run("host", "rm", "-rf", "/mnt/one", "/etc/inittab")
			b.checkSame("root file system", bare, b.contents("host", []string{"/"}, notOurs...))
			if b.t.Failed() {
				b.t.Log(out)
			}
		})
	}
}
