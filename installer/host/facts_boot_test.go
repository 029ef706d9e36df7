package host

import (
	"os"
	"path/filepath"
	"testing"
)

// TestBootOf: process 1 decides, and not what is installed.
func TestBootOf(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  Boot
	}{
		"a tree that was never booted": {nil, BootSystemd},
		"systemd": {map[string]string{"/proc/1/comm": "systemd\n",
			"/run/systemd/system/x": ""}, BootSystemd},
		"systemd outside of a chroot": {map[string]string{"/proc/1/comm": "systemd\n"}, BootNone},
		"a container": {map[string]string{"/proc/1/comm": "sleep\n",
			"/etc/inittab": "id:2:initdefault:\n", "/etc/init.d/x": ""}, BootNone},
		"a container with an init": {map[string]string{"/proc/1/comm": "tini\n", "/etc/init.d/x": ""},
			BootNone},
		"WSL": {map[string]string{"/proc/1/comm": "init\n", "/etc/init.d/x": ""},
			BootNone},
		"WSL with OpenRC's files": {map[string]string{"/proc/1/comm": "init\n",
			"/proc/sys/kernel/osrelease": "5.15.0-microsoft-standard-WSL2\n",
			"/etc/inittab":               "::sysinit:/sbin/openrc sysinit\n"}, BootNone},
		"System V": {map[string]string{"/proc/1/comm": "init\n",
			"/etc/inittab": "id:2:initdefault:\n", "/etc/init.d/x": ""}, BootSystemV},
		"OpenRC of Alpine": {map[string]string{"/proc/1/comm": "init\n",
			"/etc/inittab": "::sysinit:/sbin/openrc sysinit\n"}, BootOpenRC},
		"OpenRC with its own init": {map[string]string{"/proc/1/comm": "openrc-init\n"}, BootOpenRC},
		"upstart of Ubuntu 14.04": {map[string]string{"/proc/1/comm": "init\n",
			"/sbin/upstart-udev-bridge": "", "/etc/init.d/x": ""}, BootUpstart},
		"upstart of CentOS 6, which has a table": {map[string]string{"/proc/1/comm": "init\n", "/sbin/initctl": "",
			"/etc/init/rc.conf": "", "/etc/inittab": "id:3:initdefault:\n", "/etc/init.d/x": ""}, BootUpstart},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, content := range tt.files {
				if err := os.MkdirAll(filepath.Dir(root+file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(root+file, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			h, err := New(root, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if got := BootOf(h); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
