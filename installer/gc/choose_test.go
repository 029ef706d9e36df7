package gc

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestChoose chooses by age and by size.
func TestChoose(t *testing.T) {
	now := time.Now()
	v := &Inventory{Left: []Left{{Bytes: 50}}}
	for n := range 10 {
		v.Items = append(v.Items, Item{Kind: Jobs, Path: fmt.Sprint("j", n), Job: fmt.Sprint(n), Bytes: 10,
			Modified: now.Add(-time.Duration(n) * day)},
			Item{Kind: JobLogs, Path: fmt.Sprint("l", n), Job: fmt.Sprint(n), Bytes: 5,
				Modified: now.Add(-time.Duration(n) * day)})
	}
	v.Items = append(v.Items, Item{Kind: Slots, Path: "s", Bytes: 7, Modified: now, always: true})
	for name, c := range map[string]struct {
		limits Limits
		want   string
	}{
		"age":                      {Limits{Older: 7 * day}, "s j9 l9 j8 l8 j7 l7"},
		"free":                     {Limits{Free: 20}, "s j9 l9"},
		"free, a byte more":        {Limits{Free: 23}, "s j9 l9 j8 l8"},
		"free, not the young":      {Limits{Free: 1000, Older: 8 * day}, "s j9 l9 j8 l8"},
		"free all but the last":    {Limits{Free: 1000, Older: time.Minute}, "s j9 l9 j8 l8 j7 l7 j6 l6 j5 l5 j4 l4 j3 l3 j2 l2 j1 l1"},
		"what is left takes 185":   {Limits{MaxSize: 185}, "s j9 l9"},
		"what is left takes a lot": {Limits{MaxSize: 1000}, "s"},
	} {
		if got := strings.Join(paths(v.Choose(c.limits, now)), " "); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestRotatedLogs: a log that a program writes to is never chosen.
func TestRotatedLogs(t *testing.T) {
	for name, want := range map[string]bool{
		"console.log": false, "console.log.1": true, "console.log.12.gz": true, "fate_flow_stat.log.2026-01-02": true,
		"info.2026-01-02.log": true, "bootstrap.rollsite.out.3.gz": true, "mysqld.log": false, "binlog.000001": false,
		"worker-probe.json": false, "x.log.1/..": false, "ibdata1": false, "a.2026-01-02": false, ".log.1": false,
	} {
		if isRotated(name) != want {
			t.Errorf("isRotated(%q) is %v", name, !want)
		}
	}
	p := newParty(t)
	p.write(flowLogs+"/console.log.1", 10, 90*day)
	p.write(flowLogs+"/console.log.2.gz", 10, 47*time.Hour)
	p.write(flowLogs+"/fate_flow/fate_flow_stat.log.2026-01-02", 10, 90*day)
	p.write(flowLogs+"/"+id(1)+"/x.log.1", 10, 90*day)
	p.Only = []Kind{ProgramLogs}
	got := paths(p.find().Choose(Limits{Free: 1 << 40}, p.now))
	slices.Sort(got)
	want := []string{flowLogs + "/console.log.1", flowLogs + "/fate_flow/fate_flow_stat.log.2026-01-02"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestYoungBackup: one that was made a moment ago is not old enough, however many there are.
func TestYoungBackup(t *testing.T) {
	p := newParty(t)
	for file, age := range map[string]time.Duration{"/backups/young": time.Minute, "/backups/old": 91 * day} {
		p.write(file, 10, age)
		item, err := Backup(t.Context(), p.h, file)
		p.check(err)
		p.Backups = append(p.Backups, item)
	}
	p.Only = []Kind{Backups}
	for _, l := range []Limits{{Older: 90 * day}, {Free: 1 << 40}} {
		if got := paths(p.find().Choose(l, p.now)); !slices.Equal(got, []string{"/backups/old"}) {
			t.Errorf("%+v: chosen: %v", l, got)
		}
	}
}
