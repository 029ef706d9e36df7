package host

import (
	"errors"
	"slices"
	"strings"
)

// Hardening is what hardening guides and monitoring do to a host and no other fact has. A blank field is what was not
// found; see Facts.Unknown for what was not looked at.
type Hardening struct {
	HidePID  string   `json:"hidepid,omitempty"`  // value of that option of /proc: users see their own processes only
	AppArmor string   `json:"apparmor,omitempty"` // enabled or disabled; blank: the kernel has none
	FIPS     bool     `json:"fips,omitempty"`     // the kernel allows approved ciphers only
	Umask    string   `json:"umask,omitempty"`    // of this process, in octal digits
	Preload  []string `json:"preload,omitempty"`  // libraries that every program of the host loads (ld.so(8))
}

func (g *gatherer) hardening() {
	found := &g.f.Hardening
	data, err := g.h.ReadFile("/etc/ld.so.preload")
	g.unreadable("preload", err)
	separator := func(r rune) bool { return strings.ContainsRune(" \t\n:", r) }
	if libraries := strings.FieldsFunc(string(data), separator); len(libraries) > 0 {
		found.Preload = libraries
	}
	if g.f.Rooted {
		return
	}
	mounts, err := g.h.ReadFile("/proc/self/mountinfo")
	if err != nil {
		g.unknown("hidepid", err)
	}
	found.HidePID = hidePID(string(mounts))
	data, err = g.h.ReadFile("/sys/module/apparmor/parameters/enabled")
	g.unreadable("apparmor", err)
	switch strings.TrimSpace(string(data)) {
	case "Y":
		found.AppArmor = "enabled"
	case "N":
		found.AppArmor = "disabled"
	}
	data, err = g.h.ReadFile("/proc/sys/crypto/fips_enabled")
	g.unreadable("fips", err)
	found.FIPS = strings.TrimSpace(string(data)) == "1"
	status, err := g.h.ReadFile("/proc/self/status")
	_, value, ok := strings.Cut(string(status), "\nUmask:")
	if err == nil && !ok {
		err = errors.New("this kernel does not show it (it is older than 4.7)")
	}
	if err != nil {
		g.unknown("umask", err)
	}
	value, _, _ = strings.Cut(value, "\n")
	found.Umask = strings.TrimSpace(value)
}

// hidePID gives the value of the option hidepid of /proc from a table of mounts; blank where it hides nothing (proc(5):
// 0 or off).
func hidePID(mountinfo string) string {
	value := ""
	for _, m := range parseMountInfo(mountinfo) {
		if m.point != "/proc" || m.fstype != "proc" {
			continue
		}
		value = "" // what is mounted later is on top
		for _, option := range slices.Concat(m.options, m.super) {
			if v, ok := strings.CutPrefix(option, "hidepid="); ok && v != "0" && v != "off" {
				value = v
			}
		}
	}
	return value
}
