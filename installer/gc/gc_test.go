package gc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/host"
)

// fakeRecords are what FATE-Flow says.
type fakeRecords struct {
	busy   map[string]bool
	again  map[string]bool // started again after Busy was asked
	lost   map[string]bool // without a record
	models map[string]bool
	empty  bool // there is no record of any job
	err    error
	asked  atomic.Int32
}

func (r *fakeRecords) Busy(context.Context) (map[string]bool, error) { return r.busy, r.err }
func (r *fakeRecords) Any(context.Context) (bool, error)             { return !r.empty, r.err }
func (r *fakeRecords) Over(_ context.Context, id string) (over, known bool, err error) {
	r.asked.Add(1)
	return !r.again[id] && !r.busy[id], !r.lost[id], r.err
}
func (r *fakeRecords) ModelPaths(context.Context) (map[string]bool, error) { return r.models, r.err }

// party is a host of a party in a tree.
type party struct {
	t       *testing.T
	root    string
	h       *host.Host
	records *fakeRecords
	now     time.Time
	Finder
}

const (
	flowJobs = "/data/projects/fate/fateflow/jobs"
	flowLogs = "/data/logs/fate/fateflow"
	rollLogs = "/data/logs/fate/eggroll"
	rollData = "/data/projects/data/fate/eggroll"
	models   = "/data/projects/fate/fateflow/model_local_cache"
)

func newParty(t *testing.T) *party {
	t.Helper()
	p := &party{t: t, root: t.TempDir(), now: time.Now(), records: &fakeRecords{busy: map[string]bool{},
		again: map[string]bool{}, lost: map[string]bool{}, models: map[string]bool{}}}
	var err error
	if p.h, err = host.New(p.root, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.h.Close() })
	p.Finder = Finder{Host: p.h, Spec: fatetest.PlanSpec(t, cluster.RoleHost, 10000), Owner: os.Geteuid(),
		Records: p.records,
		History: "/data/projects/common/fate-installer/history"}
	return p
}

// write makes a file that is so old, with the directories above it.
func (p *party) write(file string, size int, age time.Duration) {
	p.t.Helper()
	at := filepath.Join(p.root, file)
	p.check(os.MkdirAll(filepath.Dir(at), 0o755))
	p.check(os.WriteFile(at, []byte(strings.Repeat("x", size)), 0o600))
	when := p.now.Add(-age)
	for ; at != p.root; at = filepath.Dir(at) {
		p.check(os.Chtimes(at, when, when))
	}
}

func (p *party) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *party) has(file string) bool {
	_, err := os.Lstat(filepath.Join(p.root, file))
	return err == nil
}

// id is a job's.
func id(n int) string { return fmt.Sprintf("20260102030405%07d", n) }

// oldJob makes what a job leaves, so many days ago.
func (p *party) oldJob(job string, days int) {
	age := time.Duration(days) * 24 * time.Hour
	p.write(path.Join(flowJobs, job, "guest/10000/job_dsl.json"), 5000, age)
	p.write(path.Join(flowLogs, job, "guest/10000/INFO.log"), 9000, age)
	p.write(path.Join(rollLogs, job+"_toy_0_0_guest_10000", "egg_pair-1.out"), 100, age)
	p.write(path.Join(rollData, "IN_MEMORY", job+"_toy_0_0_guest_10000", "t/0/data.mdb"), 100, age)
}

func (p *party) find() *Inventory {
	p.t.Helper()
	found, err := p.Find(p.t.Context())
	p.check(err)
	return found
}

func (p *party) remove(items []Item) Done {
	return (&Remover{Host: p.h, Records: p.records}).Remove(p.t.Context(), items)
}

// blocks adds up the blocks of everything in the tree, as du does.
func (p *party) blocks() (n int64) {
	seen := map[uint64]bool{}
	p.check(filepath.WalkDir(p.root, func(at string, _ fs.DirEntry, err error) error {
		p.check(err)
		var st syscall.Stat_t
		p.check(syscall.Lstat(at, &st))
		if !seen[st.Ino] {
			n += st.Blocks * 512
		}
		seen[st.Ino] = true
		return nil
	}))
	return n
}

func paths(items []Item) (out []string) {
	for _, item := range items {
		out = append(out, item.Path)
	}
	return out
}

const day = 24 * time.Hour

// TestFiveHundredJobs removes the old ones of 500 jobs, and frees as much as it has said.
func TestFiveHundredJobs(t *testing.T) {
	p := newParty(t)
	for n := range 500 {
		p.oldJob(id(n), 1+n%60)
	}
	busy := id(59) // 60 days old
	p.records.busy[busy] = true
	p.records.again[id(58)] = true
	found := p.find()
	items := found.Choose(Limits{Older: 30 * day}, p.now)
	before := p.blocks()
	done := p.remove(items)
	freed := before - p.blocks()
	if freed != Bytes(done.Removed) || Bytes(items)-Bytes(done.Removed) <= 0 {
		t.Errorf("%d bytes are free, %d were reported, %d foreseen", freed, Bytes(done.Removed), Bytes(items))
	}
	for n := range 500 {
		old := 1+n%60 >= 30
		want := !old || id(n) == busy || n == 58
		for _, at := range []string{path.Join(flowJobs, id(n)), path.Join(flowLogs, id(n)),
			path.Join(rollLogs, id(n)+"_toy_0_0_guest_10000"), path.Join(rollData, "IN_MEMORY", id(n)+"_toy_0_0_guest_10000")} {
			if p.has(at) != want {
				t.Fatalf("%s: there is %v, want %v", at, p.has(at), want)
			}
		}
	}
	if len(done.Left) == 0 || done.Left[0].Reason != "its job was started again" {
		t.Errorf("left: %+v", done.Left)
	}
	if again := p.find().Choose(Limits{Older: 30 * day}, p.now); len(again) != 4 {
		t.Errorf("a second run would remove %v", paths(again))
	}
}

// TestForeseenIsFreed: without a change in between, what is foreseen is freed, files with several names included.
func TestForeseenIsFreed(t *testing.T) {
	p := newParty(t)
	p.oldJob(id(1), 40)
	p.write(flowLogs+"/console.log", 70_000, 40*day)
	inside := filepath.Join(p.root, flowLogs, id(1), "guest/10000")
	p.check(os.Link(filepath.Join(p.root, flowLogs, "console.log"), filepath.Join(inside, "outside.log")))
	p.check(os.Link(filepath.Join(inside, "INFO.log"), filepath.Join(inside, "again.log")))
	p.check(os.Truncate(filepath.Join(inside, "INFO.log"), 1<<40)) // takes no space
	p.check(os.Chtimes(inside, p.now.Add(-40*day), p.now.Add(-40*day)))
	p.check(os.Chtimes(filepath.Join(inside, "INFO.log"), p.now.Add(-40*day), p.now.Add(-40*day)))
	items := p.find().Choose(Limits{Older: 30 * day}, p.now)
	before := p.blocks()
	p.remove(items)
	if freed := before - p.blocks(); freed != Bytes(items) || freed == 0 {
		t.Errorf("%d bytes are free, %d were foreseen", freed, Bytes(items))
	}
	if !p.has(flowLogs + "/console.log") {
		t.Error("a log that is written to was removed")
	}
}

// TestWithoutRecords: what jobs run is not known, so nothing of jobs is touched.
func TestWithoutRecords(t *testing.T) {
	p := newParty(t)
	p.oldJob(id(1), 400)
	p.write(models+"/guest#10000#m/"+id(1)+"/x", 10, 400*day)
	p.records.err = errors.New("FATE-Flow does not answer")
	found := p.find()
	if items := found.Choose(Limits{Older: day}, p.now); len(items) > 0 || !found.Dark {
		t.Errorf("chosen: %v", paths(items))
	}
	if len(found.Left) == 0 || !strings.Contains(found.Left[0].Reason, "FATE-Flow does not answer") {
		t.Errorf("left: %+v", found.Left)
	}
	p.records.err = nil
	p.records.models["guest#10000#other/x"] = true
	items := p.find().Choose(Limits{Older: day}, p.now)
	p.records.err = errors.New("FATE-Flow has ended")
	if done := p.remove(items); !done.Failed || len(done.Removed) > 0 || p.records.asked.Load() != 2 {
		t.Errorf("%+v after %d questions", done, p.records.asked.Load())
	}
}

// TestModels: one that a table refers to stays, and so does that of a job that runs.
func TestModels(t *testing.T) {
	p := newParty(t)
	const model = "guest#10000#guest-10000#host-9999#model"
	for _, version := range []string{id(1), id(2), id(3), id(4), id(5), "imported"} {
		p.write(path.Join(models, model, version, "variables/data/model.json"), 100, 90*day)
	}
	p.write(models+"/not a model/x/file", 10, 90*day)
	p.records.models[model+"/"+id(1)] = true
	p.records.busy[id(2)] = true
	p.records.lost[id(4)] = true // as when the database was lost
	items := p.find().Choose(Limits{Older: 30 * day}, p.now)
	want := []string{path.Join(models, model, id(3)), path.Join(models, model, id(5))}
	if got := paths(items); !slices.Equal(got, want) {
		t.Errorf("chosen: %v", got)
	}
	p.records.models[model+"/"+id(5)] = true // since then
	if done := p.remove(items); !slices.Equal(paths(done.Removed), want[:1]) || !p.has(want[1]) {
		t.Errorf("removed: %v", paths(done.Removed))
	}
}

// TestHostileNames: what has not the form of a job, a session, a model or a rotated log is not looked at.
func TestHostileNames(t *testing.T) {
	p := newParty(t)
	for _, name := range []string{"..x", "20260102", "20269902030405000000", id(1) + "x", id(1) + "\n", "$(reboot)", "\x1b[2J",
		strings.Repeat("9", 200), "-rf", id(1) + ";x", ".fate-gc-", ".fate-gc-../x", ".fate-gc-etc", " "} {
		if strings.ContainsRune(name, '/') {
			continue
		}
		for _, dir := range []string{flowJobs, flowLogs, rollLogs, rollData + "/" + name, rollData + "/IN_MEMORY",
			models,
			models + "/guest#1#" + name} {
			p.write(path.Join(dir, name, "file"), 10, 90*day)
		}
	}
	p.write(flowLogs+"/console.log", 10, 90*day)
	p.write(flowLogs+"/fate_flow/fate_flow_stat.log", 10, 90*day)
	p.write(rollData+"/IN_MEMORY/output_data_"+id(1)+"_x_0_0/t/0/data.mdb", 10, 90*day)
	found := p.find()
	for _, item := range found.Items {
		if item.Kind != Models { // a version may have many forms; its characters are plain
			t.Errorf("found %q", item.Path)
		}
	}
}

// TestLinks: a link in the place of a job, or of a directory on the way, leads nowhere.
func TestLinks(t *testing.T) {
	p := newParty(t)
	p.write("/victim/file", 10, 90*day)
	p.write("/victim/"+id(2)+"/file", 10, 90*day)
	p.oldJob(id(1), 40)
	p.check(os.Symlink("/victim", filepath.Join(p.root, flowJobs, id(3))))
	p.check(os.Symlink("/victim", filepath.Join(p.root, flowJobs, id(1), "guest/link")))
	p.remove(p.find().Choose(Limits{Older: time.Minute}, p.now.Add(100*day)))
	if !p.has("/victim/file") || !p.has("/victim/"+id(2)+"/file") || p.has(path.Join(flowJobs, id(1))) ||
		!p.has(path.Join(flowJobs, id(3))) {
		t.Error("a link was followed or removed, or the job with one stays")
	}
}

// TestOtherOwner: the owner of the directories above may give a directory of another user a job's name.
func TestOtherOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	p := newParty(t)
	p.oldJob(id(1), 40)
	p.oldJob(id(2), 40)
	p.check(os.Chown(filepath.Join(p.root, flowJobs, id(1)), 65534, -1))
	p.check(os.Chown(filepath.Join(p.root, flowJobs, id(2), "guest"), 65534, -1))
	found := p.find()
	p.remove(found.Choose(Limits{Older: 30 * day}, p.now))
	if !p.has(path.Join(flowJobs, id(1), "guest/10000/job_dsl.json")) || !p.has(path.Join(flowJobs, id(2), "guest/10000")) {
		t.Error("a directory of another user was removed")
	}
	if p.has(path.Join(flowLogs, id(1))) {
		t.Error("the logs of the job stay")
	}
}

// TestKilled: a run that is cut off leaves a job whole, or under a name that the next run removes.
func TestKilled(t *testing.T) {
	p := newParty(t)
	p.oldJob(id(1), 40)
	at := filepath.Join(p.root, flowJobs)
	p.check(os.Rename(filepath.Join(at, id(1)), filepath.Join(at, asidePrefix+id(1)))) // killed after the rename
	p.write(path.Join(flowJobs, asidePrefix+id(1), "guest/new"), 10, 0)                // nothing is old in it
	items := p.find().Choose(Limits{Older: 30 * day}, p.now)
	if items[0].Path != path.Join(flowJobs, asidePrefix+id(1)) {
		t.Fatalf("chosen: %v", paths(items))
	}
	p.remove(items)
	if entries, err := os.ReadDir(at); err != nil || len(entries) > 0 {
		t.Errorf("%v is left (%v)", entries, err)
	}
}

// TestFaults: when a removal fails, the job is whole, and the next run removes it.
func TestFaults(t *testing.T) {
	p := newParty(t)
	p.oldJob(id(1), 40)
	before := p.blocks()
	broken := true
	p.h.InjectFaults(t, func(op host.Op, _ string) error {
		if broken && op == host.OpRename {
			return syscall.EIO
		}
		return nil
	})
	items := p.find().Choose(Limits{Older: 30 * day}, p.now)
	if done := p.remove(items); !done.Failed || len(done.Removed) > 0 || p.blocks() != before {
		t.Errorf("%+v", done)
	}
	broken = false
	if done := p.remove(items); done.Failed || len(done.Removed) != 4 {
		t.Errorf("%+v", done)
	}
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{id(1), id(1) + "_toy_0_0_guest_10000", "..", "a/b", "guest#1#m", "console.log.1"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if isJob(name) || sessionJob(name) != "" || isRotated(name) || partyModel().MatchString(name) ||
			modelVersion().MatchString(name) || plainName().MatchString(name) {
			if strings.ContainsAny(name, "/\x00\n\x1b ") || strings.HasPrefix(name, ".") || name == "" {
				t.Errorf("%q is taken for a name", name)
			}
		}
	})
}
