package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
)

// slot is a state of the installation that can be brought back: what was asked for, and the trees of the components
// that another version has taken the place of. A component whose directory has its version in the name stays there,
// next to the new one.
//
//	slots/20260102T030405Z/slot.json
//	slots/20260102T030405Z/eggroll/...          shares its files' blocks with what was installed
//	data/fate/mysql.before-20260102T030405Z/    the database, when its server or its tables were changed
type slot struct {
	Schema int               `json:"schema"`
	ID     string            `json:"id"` // the time it was made
	Site   Site              `json:"site"`
	Trees  map[string]string `json:"trees"` // component -> directory it was in
	// where the database of then is, when its server or tables were changed
	Database string `json:"database,omitempty"`
}

const slotFile = "slot.json"

// slotTime is the form of a slot's ID, in UTC.
const slotTime = "20060102T150405.000Z"

// slotsDir is the directory of all slots.
func slotsDir(l cluster.Layout) string { return path.Join(l.State(), "slots") }

// dir is the directory of the slot.
func (s *slot) dir(l cluster.Layout) string { return path.Join(slotsDir(l), s.ID) }

// loadSlots lists the slots of an installation, the newest last.
func loadSlots(h *host.Host, l cluster.Layout) ([]*slot, error) {
	entries, err := h.ReadDir(slotsDir(l))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the earlier states: %w", err)
	}
	var out []*slot
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !e.IsDir() {
			continue // cut off while it was made or removed, or not ours
		}
		file := path.Join(slotsDir(l), e.Name(), slotFile)
		data, err := h.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its removal was cut off
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read an earlier state: %w", err)
		}
		s := &slot{}
		if err := json.Unmarshal(data, s); err != nil {
			return nil, fmt.Errorf("cannot understand %s: %w", file, err)
		}
		if s.Schema > SiteSchema {
			return nil, fmt.Errorf("cannot use %s: it was written by a newer fate-installer", file)
		}
		out = append(out, s)
	}
	return out, nil
}
