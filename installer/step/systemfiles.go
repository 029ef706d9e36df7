package step

import (
	"path"
	"strings"
)

// accountFiles are the files that tools for accounts write.
var accountFiles = []string{"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid"}

// AccountFiles lists the files that making a user or a group writes.
func AccountFiles() []string { return append([]string{}, accountFiles...) }

// Writes lists the files of the system that the undo of a step writes or removes, with the directories in which it
// does, as far as the ID tells.
func Writes(stepID string) []string {
	kind, object, _ := strings.Cut(stepID, ":")
	switch kind {
	case kindUser, kindGroup:
		return AccountFiles()
	case kindBootUnit:
		dir := "/etc/systemd/system"
		wants := "multi-user.target.wants"
		if strings.HasSuffix(object, ".timer") {
			wants = "timers.target.wants"
		}
		return []string{dir, path.Join(dir, object), path.Join(dir, wants)}
	case kindBootScript:
		return []string{path.Join("/etc/init.d", object), path.Join("/etc/init", object+".conf")}
	case kindHostname:
		return []string{hostnameFile}
	case kindSELinux:
		return []string{selinuxConfig}
	case kindSudoers:
		return []string{path.Dir(sudoersPath(object)), sudoersPath(object)}
	case kindSwap:
		return []string{object, "/etc/fstab"}
	case kindBlock:
		object, _, _ = strings.Cut(object, "#")
		return []string{object, path.Dir(object)}
	case kindFile, kindLimits, kindSysctl, kindLibrary, kindSelf, kindSymlink, kindDir, kindUnpack:
		return []string{object, path.Dir(object)}
	}
	return nil
}
