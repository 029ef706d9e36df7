package gc

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestEmptyTables: after the wrong restore, files of jobs are the evidence that is left.
func TestEmptyTables(t *testing.T) {
	p := newParty(t)
	p.oldJob(id(1), 400)
	p.records.empty = true
	p.records.lost[id(1)] = true
	found := p.find()
	if items := found.Choose(Limits{Older: day}, p.now); len(items) > 0 || !found.Dark {
		t.Errorf("chosen: %v", paths(items))
	}
	if len(found.Left) == 0 || !strings.Contains(found.Left[0].Reason, "FATE-Flow's tables have no job") {
		t.Errorf("left: %+v", found.Left)
	}
	p.records.empty = false
	if done := p.remove(p.find().Choose(Limits{Older: day}, p.now)); done.Unrecorded != 1 || len(done.Removed) != 4 {
		t.Errorf("%+v", done)
	}
}

// TestForeignTables: tables that refer to models of another party only say nothing of those of this one.
func TestForeignTables(t *testing.T) {
	p := newParty(t)
	p.write(models+"/guest#10000#m/"+id(1)+"/x", 10, 400*day)
	for _, kept := range []map[string]bool{{}, {"guest#9999#10000#m/v": true}} {
		p.records.models = kept
		found := p.find()
		if items := found.Choose(Limits{Older: day}, p.now); len(items) > 0 || len(found.Left) != 1 {
			t.Errorf("chosen: %v, left: %+v", paths(items), found.Left)
		}
	}
}

// TestUnseen: what could not be looked at is noted.
func TestUnseen(t *testing.T) {
	p := newParty(t)
	for n := range 3 {
		p.oldJob(id(n), 40)
	}
	if p.find().Unseen {
		t.Error("all can be looked at")
	}
	p.most = 2
	found := p.find()
	if !found.Unseen || len(found.Left) == 0 || !strings.Contains(found.Left[0].Reason, "more than 2 entries") {
		t.Errorf("left: %+v", found.Left)
	}
	p.most = 0
	p.check(os.RemoveAll(p.h.Path(flowJobs)))
	p.check(os.WriteFile(p.h.Path(flowJobs), nil, 0o600))
	if found := p.find(); !found.Unseen {
		t.Errorf("a file in the place of a directory: %+v", found.Left)
	}
}

// TestWrittenSince: a job stays when something of it was written to after it was measured.
func TestWrittenSince(t *testing.T) {
	p := newParty(t)
	p.oldJob(id(1), 40)
	p.oldJob(id(2), 41)
	items := p.find().Choose(Limits{Older: 30 * day}, p.now)
	p.write(path.Join(flowJobs, id(1), "guest/10000/new"), 10, 0)
	done := p.remove(items)
	if len(done.Removed) != 4 || slices.ContainsFunc(done.Removed, func(i Item) bool { return i.Job == id(1) }) ||
		done.Failed || !p.has(path.Join(flowLogs, id(1))) {
		t.Errorf("%+v", done)
	}
}
