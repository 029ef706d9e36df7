package main

import (
	"fate-installer/installer/host/beneath"
	"fate-installer/payload/count"
	"fate-installer/supervisor"
)

// fillingDisk is a file system that begins to be full.
type fillingDisk struct {
	Path        string `json:"path"`         // a directory of the installation on it
	UsedPercent int    `json:"used_percent"` // the part that is in use
	Free        uint64 `json:"free"`         // bytes that programs may still write
}

// lookAtDisks finds the file systems that begin to be full. It asks each for its room, and walks nothing.
func (r *svcStatusReport) lookAtDisks(g *globals, names []string) {
	if len(names) > 0 {
		return
	}
	h, err := g.openHost()
	if err != nil {
		return
	}
	defer h.Close()
	l := g.layout()
	seen := map[uint64]bool{}
	for _, dir := range []string{l.Data(), l.Logs(), l.Temp(), l.Projects()} {
		info, err := h.Stat(dir)
		if err != nil || seen[beneath.IDOf(info).Dev] {
			continue
		}
		seen[beneath.IDOf(info).Dev] = true
		room, err := h.Space(dir)
		if err == nil && supervisor.Filling(room.Size, room.Free) {
			r.Filling = append(r.Filling, fillingDisk{dir, int(100 - 100*room.Free/room.Size), room.Free})
		}
	}
}

// writeDisks writes a line for each file system that begins to be full.
func (g *globals) writeDisks(disks []fillingDisk) {
	for _, d := range disks {
		g.advisef("the file system of %s is %d %% full, and has %s free: fate-installer gc --dry-run shows what can be removed\n",
			d.Path, d.UsedPercent, count.Bytes(int64(min(d.Free, 1<<62))))
	}
}
