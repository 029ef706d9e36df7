package step

import (
	"slices"
	"testing"
)

// TestWritesNamesFiles: what an attribute can protect from the undo of a step.
func TestWritesNamesFiles(t *testing.T) {
	for _, c := range []struct {
		step engineStep
		want string
	}{
		{User{Name: "app"}, "/etc/shadow"},
		{Group{Name: "apps"}, "/etc/gshadow"},
		{BootUnit{Name: "x.service"}, "/etc/systemd/system/x.service"},
		{BootScript{Name: "x"}, "/etc/init.d/x"},
		{Sudoers{User: "app"}, "/etc/sudoers.d/90-fate-app"},
		{Block{Path: "/etc/hosts", Name: "x"}, "/etc/hosts"},
		{Hostname{Name: "h"}, "/etc/hostname"},
		{Unpack{Target: "/data/x"}, "/data"},
		{File{Path: "/data/f"}, "/data/f"},
		{Limits{Path: "/etc/security/limits.d/x"}, "/etc/security/limits.d"},
		{Sysctl{Path: "/etc/sysctl.d/x"}, "/etc/sysctl.d"},
	} {
		if got := Writes(c.step.ID()); !slices.Contains(got, c.want) {
			t.Errorf("%s writes %v, not %s", c.step.ID(), got, c.want)
		}
	}
}

type engineStep interface{ ID() string }
