package gc

import (
	"cmp"
	"slices"
	"time"
)

// Limits say how much is removed. Of MaxSize and Free one is 0.
type Limits struct {
	Older   time.Duration // only what nothing was written to for so long
	MaxSize int64         // the oldest, until what stays takes no more
	Free    int64         // the oldest, until so much is freed
}

// group is what is removed together: all directories of one job, or one other item.
type group struct {
	items []Item
	bytes int64
	at    time.Time // the latest of its items
}

// groups sorts items into groups, those that are of no use first, then the oldest first.
func groups(items []Item) []group {
	var out []group
	at := map[string]int{}
	for _, item := range items {
		key := item.Path
		if item.Job != "" && !item.always {
			key = item.Job
		}
		i, known := at[key]
		if !known {
			i, out = len(out), append(out, group{})
			at[key] = i
		}
		g := &out[i]
		g.items, g.bytes = append(g.items, item), g.bytes+item.Bytes
		if item.Modified.After(g.at) {
			g.at = item.Modified
		}
	}
	rank := func(g group) int {
		if g.items[0].always {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b group) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.at.Compare(b.at), cmp.Compare(a.items[0].Path, b.items[0].Path))
	})
	return out
}

// Choose picks what to remove at a time, in the order in which it is removed.
func (v *Inventory) Choose(l Limits, now time.Time) []Item {
	need := int64(-1) // everything that is old enough
	if l.Free > 0 {
		need = l.Free
	}
	if l.MaxSize > 0 {
		need = max(0, v.total()-l.MaxSize)
	}
	var out []Item
	freed := int64(0)
	for _, g := range groups(v.Items) {
		always := g.items[0].always
		if !always && now.Sub(g.at) < max(l.Older, g.rests()) {
			continue
		}
		if need >= 0 && freed >= need && !always {
			break
		}
		out, freed = append(out, g.items...), freed+g.bytes
	}
	return out
}

// rests is how long nothing may have been written to a group.
func (g group) rests() time.Duration {
	if g.items[0].Kind == ProgramLogs {
		return logRestsFor
	}
	return restsFor
}

// Bytes is what the removal of items frees.
func Bytes(items []Item) (n int64) {
	for _, item := range items {
		n += item.Bytes
	}
	return n
}

// total is what all takes that was measured, also what is left.
func (v *Inventory) total() int64 {
	n := Bytes(v.Items)
	for _, l := range v.Left {
		n += l.Bytes
	}
	return n
}
