package supervisor

import (
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"fate-installer/supervisor/config"
)

// TestFullDiskDegrades: a program runs on, is not ready, and says which file system has no room.
func TestFullDiskDegrades(t *testing.T) {
	b := newBench(t)
	data := filepath.Join(b.dir, "data")
	var free atomic.Uint64
	free.Store(1 << 40)
	b.opts.roomOf = func(dir string) room {
		if dir == data {
			return room{size: 100 << 30, free: free.Load(), dir: "/data"}
		}
		return room{size: 100 << 30, free: 50 << 30, dir: dir}
	}
	sup := b.run(b.child("db", "sleep", func(p *config.Program) { p.DataDirs = []string{data} }),
		b.child("other", "sleep"))
	b.start("db", "other")
	for _, c := range []struct {
		free     uint64
		degraded bool
	}{{reserveBytes - 1, true}, {reserveBytes + 1, true}, {2 * reserveBytes, false}, {reserveBytes + 1, false},
		{100 << 10, true}} {
		free.Store(c.free)
		sup.lookAtRoom()
		st := b.status("db")
		if st.Degraded != c.degraded || st.Ready == c.degraded || (st.LowSpace != "") != c.degraded {
			t.Errorf("with %d bytes free: %+v", c.free, st)
		}
		if st := b.status("other"); !st.Ready {
			t.Errorf("other: %+v", st)
		}
	}
	if st := b.status("db"); !strings.Contains(st.Why,
		"degraded: the file system of /data is nearly full: 100 KiB are free") || st.PID == 0 {
		t.Errorf("why: %q, pid %d", st.Why, st.PID)
	}
	chain, err := sup.Why("db")
	if err != nil || len(chain) != 1 || !strings.Contains(chain[0].Advice, "make room") || !chain[0].Root {
		t.Errorf("why: %+v, %v", chain, err)
	}
	var failed *FailedError
	if err := sup.Start(testContext(t), []string{"db"}, true); !errors.As(err, &failed) ||
		!strings.Contains(failed.Text, "nearly full") {
		t.Errorf("start: %v", err)
	}
}

func TestReserve(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		room room
		low  bool
	}{
		{room{size: 100 * gib, free: 511 << 20}, true},
		{room{size: 100 * gib, free: 513 << 20}, false},
		{room{size: gib, free: 60 << 20}, false}, // 5 % of a small one
		{room{size: gib, free: 50 << 20}, true},
		{room{size: 100 * gib, free: 50 * gib, files: 1_000_000, filesFree: 1999}, true},
		{room{size: 100 * gib, free: 50 * gib, files: 1_000_000, filesFree: 2000}, false},
		{room{size: 100 * gib, free: 50 * gib, files: 1000, filesFree: 60}, false},
		{room{size: 100 * gib, free: 50 * gib, files: 0}, false}, // made as needed
		{room{size: 0}, false},
		{room{unknown: true}, false},
	} {
		if lack := c.room.lack(false); (lack != "") != c.low {
			t.Errorf("%+v: %q", c.room, lack)
		}
	}
	r := roomOf(filepath.Join(t.TempDir(), "not", "there"))
	if r.unknown || r.size == 0 {
		t.Errorf("%+v", r)
	}
}
