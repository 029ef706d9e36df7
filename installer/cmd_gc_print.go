package main

import (
	"strconv"
	"time"

	"fate-installer/installer/gc"
	"fate-installer/installer/redact"
	"fate-installer/payload/count"
)

// gcOutput is the JSON document of gc.
type gcOutput struct {
	DryRun bool      `json:"dry_run"` // nothing was removed
	Bytes  int64     `json:"bytes"`   // that were freed, or would be
	Kinds  []gcKind  `json:"kinds"`   // what was removed, or would be, by kind
	Items  []gc.Item `json:"items"`   // each file and directory, in the order of removal
	Left   []gc.Left `json:"left"`    // what is not removed, and why
}

// gcKind sums up the things of one kind.
type gcKind struct {
	Kind   gc.Kind   `json:"kind"`   // jobs, job-logs, program-logs, models, sessions, slots, history or backups
	Count  int       `json:"count"`  // files and directories
	Bytes  int64     `json:"bytes"`  // that these take
	Oldest time.Time `json:"oldest"` // when the oldest was written to last
	Newest time.Time `json:"newest"` // when the newest was
}

// sumUp sums up items by kind.
func sumUp(items []gc.Item) []gcKind {
	kinds := []gcKind{}
	for _, kind := range gc.Kinds() {
		k := gcKind{Kind: kind}
		for _, item := range items {
			if item.Kind != kind {
				continue
			}
			if k.Count == 0 || item.Modified.Before(k.Oldest) {
				k.Oldest = item.Modified
			}
			if item.Modified.After(k.Newest) {
				k.Newest = item.Modified
			}
			k.Count++
			k.Bytes += item.Bytes
		}
		if k.Count > 0 {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// print shows what was removed, or would be, and what is left.
func (c *cleaner) print(items []gc.Item, left []gc.Left, dryRun bool) error {
	g := c.g
	kinds, bytes := sumUp(items), gc.Bytes(items)
	if g.Output == outputJSON {
		return g.printJSON(gcOutput{dryRun, bytes, kinds, append([]gc.Item{}, items...),
			append([]gc.Left{}, left...)})
	}
	if len(kinds) > 0 {
		table := g.newTable("KIND", "COUNT", "SIZE", "OLDEST", "NEWEST")
		for _, k := range kinds {
			table.row(string(k.Kind), strconv.Itoa(k.Count), count.Bytes(k.Bytes), k.Oldest.Format(time.DateTime),
				k.Newest.Format(time.DateTime))
		}
		if err := table.flush(); err != nil {
			return err
		}
	}
	c.printLeft(left)
	files := count.Of(len(items), "file or directory", "files and directories")
	switch {
	case len(items) == 0 && dryRun:
		g.printf("nothing would be removed\n")
	case len(items) == 0:
		g.printf("nothing was removed\n")
	case dryRun:
		g.printf("%s would be removed, which frees %s\n", files, count.Bytes(bytes))
	default:
		g.printf("%s removed, %s freed\n", files, count.Bytes(bytes))
	}
	return nil
}

// printLeft says what is not removed, and why.
func (c *cleaner) printLeft(left []gc.Left) {
	for _, l := range left {
		if l.Count == 0 {
			c.g.printf("left  %s: %s\n", l.Kind, redact.Printable(l.Reason))
			continue
		}
		c.g.printf("left  %s, %d of them, %s: %s\n", l.Kind, l.Count, count.Bytes(l.Bytes), redact.Printable(l.Reason))
		if l.Kind != gc.Models { // of these there are many, and they are as they should be
			for _, p := range l.Paths {
				c.g.raw("      " + redact.Printable(p) + "\n")
			}
		}
	}
}
