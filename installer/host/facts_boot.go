package host

import (
	"os"
	"strings"
)

// Boot is the init that starts programs when a host boots.
type Boot string

// The kinds of boot.
const (
	BootSystemd Boot = "systemd"
	BootSystemV Boot = "System V"
	BootOpenRC  Boot = "OpenRC"
	BootUpstart Boot = "upstart"
	BootNone    Boot = "none" // process 1 starts nothing of ours: a container, a chroot, WSL
)

// Title is the boot as it is called in messages.
func (b Boot) Title() string {
	if b == BootNone {
		return "nothing that we know"
	}
	return string(b)
}

// BootOf finds out what starts programs at boot. It is what process 1 is, and not what is installed: a container of an
// image with systemd has its files, and nothing that reads them. Of a tree that was never booted systemd is expected.
func BootOf(h *Host) Boot {
	comm, err := h.ReadFile("/proc/1/comm")
	if !h.IsSystem() && err != nil {
		return BootSystemd
	}
	if h.IsSystem() && inChroot() {
		return BootNone
	}
	if h.Exists("/run/systemd/system") {
		if h.IsSystem() && findProgram(h, "systemctl") == "" {
			return BootNone
		}
		return BootSystemd
	}
	if release, err := h.ReadFile("/proc/sys/kernel/osrelease"); err == nil &&
		strings.Contains(strings.ToLower(string(release)), "microsoft") {
		return BootNone // WSL's process 1 is called init, and starts nothing
	}
	switch strings.TrimSpace(string(comm)) {
	case "openrc-init":
		return BootOpenRC
	case "init":
		return bootOfInit(h)
	}
	return BootNone
}

// bootOfInit tells those apart whose process 1 is called init, which that of a container may be, too: System V's reads
// a table.
func bootOfInit(h *Host) Boot {
	table, err := h.ReadFile("/etc/inittab")
	switch {
	case h.Exists("/sbin/upstart-udev-bridge"), h.Exists("/sbin/initctl") && h.Exists("/etc/init/rc.conf"):
		return BootUpstart
	case err == nil && strings.Contains(string(table), "openrc"), findProgram(h, "openrc-run") != "" &&
		findProgram(h, "rc-update") != "":
		return BootOpenRC
	case err == nil && h.Exists("/etc/init.d"):
		return BootSystemV
	}
	return BootNone
}

// inChroot reports whether this process has another root directory than process 1.
func inChroot() bool {
	own, err := os.Stat("/")
	if err != nil {
		return false
	}
	ofInit, err := os.Stat("/proc/1/root")
	return err == nil && !os.SameFile(own, ofInit)
}
