package engine

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"fate-installer/installer/host"
)

// TestJournalThatCannotBeMadeLeavesNothing: what is prepared next to /data is gone, whichever change fails, and a link
// whose disk is not mounted is named.
func TestJournalThatCannotBeMadeLeavesNothing(t *testing.T) {
	const path = "/data/projects/common/journal"
	for _, op := range []host.Op{host.OpMkdir, host.OpChmod, host.OpCreate, host.OpWrite, host.OpSync,
		host.OpRename, host.OpSyncDir} {
		t.Run(string(op), func(t *testing.T) {
			h, err := host.New(t.TempDir(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			seen := 0
			failing := true
			h.InjectFaults(t, func(o host.Op, _ string) error {
				if !failing {
					return nil
				}
				if seen++; o == op && seen > 4 {
					return syscall.ENOSPC
				}
				return nil
			})
			_, err = OpenJournal(h, path)
			failing = false
			if err == nil {
				t.Skip("it is not done that late")
			}
			if !errors.Is(err, syscall.ENOSPC) || h.Exists(host.TempName("/data")) {
				t.Errorf("%v; left: %v", err, h.Exists(host.TempName("/data")))
			}
		})
	}
	t.Run("a link to nowhere", func(t *testing.T) {
		root := t.TempDir()
		if err := os.Symlink("/disk2/data", root+"/data"); err != nil {
			t.Fatal(err)
		}
		h, err := host.New(root, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		_, err = OpenJournal(h, path)
		if err == nil || !strings.Contains(err.Error(), "/data is a link to nowhere") ||
			h.Exists(host.TempName("/data")) {
			t.Errorf("error %v; left: %v", err, h.Exists(host.TempName("/data")))
		}
	})
}
