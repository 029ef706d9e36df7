package step

import (
	"strings"
	"testing"

	"fate-installer/installer/engine"
)

// nspawnMounts is the part of a systemd-nspawn container's mount table that matters here.
const nspawnMounts = ext4Mounts +
	"40 22 0:33 / /proc rw - proc proc rw\n41 40 0:33 /sys /proc/sys ro - proc proc rw\n" +
	"42 41 0:33 /sys/net /proc/sys/net rw - proc proc rw\n43 22 0:34 / /sys ro - sysfs sysfs ro\n"

// TestContainersKeepWhatIsTheirMachines: what a container cannot change is left and reported, and no reason to fail;
// what it can change is changed.
func TestContainersKeepWhatIsTheirMachines(t *testing.T) {
	files := with("/run/systemd/container", "systemd-nspawn\n", "/proc/self/mountinfo", nspawnMounts,
		"/proc/sys/vm/max_map_count", "65530\n", "/proc/sys/kernel/hostname", "bare\n", "/etc/hostname", "bare\n",
		"/proc/sys/net/ipv4/ip_local_port_range", "32768 60999\n", "/proc/swaps", "", "/etc/fstab", "",
		"/etc/selinux/config", "SELINUX=enforcing\n", "/sys/fs/selinux/enforce", "1")
	const mine = "it belongs to the machine that this systemd-nspawn container is on"
	for _, tt := range []struct {
		step    engine.Step
		note    string
		changed []string // files that differ afterwards
	}{
		{Sysctl{Path: "/etc/sysctl.d/90-fate.conf",
			Values: []SysctlValue{{Key: "vm.max_map_count", Value: "65535", AtLeast: true}}},
			"vm.max_map_count is 65530, want 65535: " + mine, nil},
		{Sysctl{Path: "/etc/sysctl.d/90-fate.conf",
			Values: []SysctlValue{{Key: "net.ipv4.ip_local_port_range", Value: "10000 60000"}}},
			"", []string{"/etc/sysctl.d", "/etc/sysctl.d/90-fate.conf", "/proc/sys/net/ipv4/ip_local_port_range"}},
		{swap(1 << 20), "no swap file is made", nil},
		{Hostname{Name: "party"}, `the host is called "bare" until its next boot: ` + mine, []string{"/etc/hostname"}},
		{SELinux{}, "SELinux stays enforcing: " + mine, []string{"/etc/selinux/config"}},
	} {
		t.Run(tt.step.ID(), func(t *testing.T) {
			w := newWorld(t, tempDir(t), true, files)
			before := w.snapshot()
			report, err := w.apply(t.Context(), tt.step)
			if err != nil {
				t.Fatal(err)
			}
			if note := report.Steps[0].Note; (tt.note == "") != (note == "") || !strings.Contains(note, tt.note) {
				t.Errorf("note %q, want %q", note, tt.note)
			}
			after := w.snapshot()
			for _, path := range tt.changed {
				if after[path] == before[path] {
					t.Errorf("%s was not changed", path)
				}
				delete(before, path)
				delete(after, path)
			}
			sameTree(t, "after the step", before, after)
		})
	}
}
