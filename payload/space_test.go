package payload

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestSpaceReservedForRoot(t *testing.T) {
	st := &unix.Statfs_t{Bsize: 4096, Blocks: 1000, Bfree: 300, Bavail: 250}
	for _, test := range []struct {
		name        string
		euid, owner int
		blocks      int64
	}{
		{"root for itself", 0, 0, 300}, {"root, owner left alone", 0, -1, 300}, {"root for a user", 0, 1000, 250},
		{"a user", 1000, -1, 250},
	} {
		if got := usable(st, test.euid, test.owner); got != test.blocks*4096 {
			t.Errorf("%s: %d bytes", test.name, got)
		}
	}
}
