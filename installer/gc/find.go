package gc

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/host/beneath"
)

// Finder looks for what can be removed on a host.
type Finder struct {
	Host    *host.Host
	Spec    *cluster.Spec
	Owner   int     // ID of the service user
	Records Records // nil: nothing of jobs is known
	Why     error   // why nothing is

	Only    []Kind   // none: all that Default lists
	Slots   []string // directories of earlier versions that no rollback needs
	History string   // directory of the record of who changed what
	Backups []Item   // older backups

	most int // entries of a directory that are looked at; 0: as many as mostEntries
}

// What was written to in this time is in use: whatever the records say, it is not removed.
const (
	restsFor       = time.Hour
	logRestsFor    = 48 * time.Hour // a program may go on with a log of yesterday
	mostEntries    = 200_000        // of a directory, and of all directories of jobs and models
	mostLogLevels  = 4              // of directories with logs of programs
	modelCacheName = "model_local_cache"
)

// Default lists the kinds that are looked for when none is named: records of what was changed, and backups, are
// removed on request.
func Default() []Kind {
	return []Kind{Jobs, JobLogs, ProgramLogs, Models, Sessions, Slots}
}

func (f *Finder) wants(k Kind) bool {
	if len(f.Only) == 0 {
		return slices.Contains(Default(), k) || k == Backups && len(f.Backups) > 0
	}
	return slices.Contains(f.Only, k)
}

// search is a look at a host.
type search struct {
	*Finder
	ctx  context.Context
	busy map[string]bool
	dark string // why it is not known which jobs run; blank: it is

	looked int // directories
	out    *Inventory
}

// Find measures what can be removed. What cannot be looked at is left, with the reason.
func (f *Finder) Find(ctx context.Context) (*Inventory, error) {
	s := &search{Finder: f, ctx: ctx, out: &Inventory{}}
	jobs := s.jobs() // before the records are read: a job has a record before it has a directory for long
	if len(jobs) > 0 || f.wants(Models) {
		s.readRecords(slices.ContainsFunc(jobs, func(j Item) bool { return !j.always }))
	}
	for _, j := range jobs {
		s.job(j)
	}
	if f.wants(Models) && f.Spec.Runs(cluster.FateFlow) {
		s.models()
	}
	if f.wants(ProgramLogs) {
		for _, dir := range f.Spec.LogDirs() {
			s.programLogs(dir, 1)
		}
	}
	if f.wants(Slots) {
		for _, dir := range f.Slots {
			s.measure(Item{Kind: Slots, Path: dir, always: true}, host.AnyOwner)
		}
	}
	if f.wants(History) {
		s.history()
	}
	if f.wants(Backups) {
		s.out.Items = append(s.out.Items, f.Backups...)
	}
	return s.out, ctx.Err()
}

// readRecords finds out which jobs run. Tables without a job, where there are files of jobs, are not those of this
// party: as after the wrong restore.
func (s *search) readRecords(files bool) {
	err := s.Why
	if s.Records != nil {
		any := true
		s.busy, err = s.Records.Busy(s.ctx)
		if err == nil && files {
			any, err = s.Records.Any(s.ctx)
		}
		if err == nil && !any {
			err = errors.New("FATE-Flow's tables have no job, but there are files of jobs")
		}
	}
	if s.dark = ""; err != nil {
		s.dark = err.Error()
	} else if s.Records == nil {
		s.dark = "this side has no FATE-Flow"
	}
}

// flowHome is where FATE-Flow keeps jobs and models.
func (f *Finder) flowHome() string {
	if f.Spec.Layout.Flat {
		return f.Spec.Layout.Project()
	}
	return f.Spec.Layout.Flow()
}

// list lists a directory. What cannot be seen of it is noted; one that is not there has nothing.
func (s *search) list(kind Kind, dir string) []fs.DirEntry {
	most := mostEntries
	if s.most > 0 {
		most = s.most
	}
	list, err := s.Host.ListPlain(dir, most+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		s.out.Unseen = true
		s.out.leave(kind, "", 0, "cannot look into %s: %v", dir, beneath.WithoutPath(err))
		return nil
	case len(list) > most:
		s.out.Unseen = true
		s.out.leave(kind, "", 0, "%s has more than %d entries: the rest was not looked at", dir, most)
		list = list[:most]
	}
	return list
}

// entries lists the directories in one of the service user. One that is not there has none.
func (s *search) entries(kind Kind, dir string) []string {
	var out []string
	for _, e := range s.list(kind, dir) {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return s.few(kind, out)
}

// few bounds how many directories are looked at in all: the service user can make any number.
func (s *search) few(kind Kind, names []string) []string {
	if s.looked+len(names) > mostEntries {
		s.out.Unseen = true
		s.out.leave(kind, "", 0, "there are more than %d directories to look at: the rest is for the next run",
			mostEntries)
		names = names[:max(0, mostEntries-s.looked)]
	}
	s.looked += len(names)
	return names
}

// jobs lists the directories of jobs, with the job of each.
func (s *search) jobs() []Item {
	var out []Item
	collect := func(kind Kind, dir string, job func(name string) string) {
		if !s.wants(kind) {
			return
		}
		for _, name := range s.entries(kind, dir) {
			item := Item{Kind: kind, Path: path.Join(dir, name), Job: job(name), aside: aside(name)}
			if original := begun(name); original != "" {
				item.Job, item.always, item.aside = job(original), true, name
			}
			if item.Job != "" {
				out = append(out, item)
			}
		}
	}
	own := func(name string) string {
		if isJob(name) {
			return name
		}
		return ""
	}
	if s.Spec.Runs(cluster.FateFlow) {
		collect(Jobs, path.Join(s.flowHome(), "jobs"), own)
		collect(JobLogs, s.Spec.Layout.ComponentLogs("fateflow"), own)
	}
	if s.Spec.HasEggroll() {
		collect(JobLogs, s.Spec.Layout.ComponentLogs("eggroll"), sessionJob)
		if s.wants(Sessions) {
			for _, store := range s.entries(Sessions, s.Spec.Layout.EggrollData()) {
				if !plainName().MatchString(store) {
					continue
				}
				collect(Sessions, path.Join(s.Spec.Layout.EggrollData(), store), sessionJob)
			}
		}
	}
	return out
}

// inUse is why files of a job are left.
const inUse = "its job runs or waits, or has a task that is recorded as running"

// job measures a directory of a job that has ended.
func (s *search) job(item Item) {
	switch {
	case s.dark != "":
		s.out.Dark = true
		s.out.leave(item.Kind, item.Path, s.size(item.Path), "it is not known which jobs run: %s", s.dark)
	case s.busy[item.Job] && !item.always:
		s.out.leave(item.Kind, item.Path, s.size(item.Path), inUse)
	default:
		s.measure(item, s.Owner)
	}
}

// size is what a directory takes that is not removed; 0 when it cannot be measured.
func (s *search) size(dir string) int64 {
	u, err := s.Host.Measure(s.ctx, dir, host.AnyOwner)
	if err != nil {
		return 0
	}
	return u.Bytes
}

// measure adds an item, unless it cannot be removed.
func (s *search) measure(item Item, owner int) {
	u, err := s.Host.Measure(s.ctx, item.Path, owner)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		s.out.Unseen = true
		s.out.leave(item.Kind, item.Path, 0, "%v", reason(err))
		return
	}
	item.Bytes, item.Modified, item.usage = u.Bytes, u.Newest, u
	s.out.Items = append(s.out.Items, item)
}

// reason is why something cannot be measured or removed, without its path, so that many have one reason.
func reason(err error) string {
	var mounted *host.MountError
	if errors.As(err, &mounted) {
		return "a file system is mounted there"
	}
	return beneath.WithoutPath(err).Error()
}

// models measures the models that no table refers to.
func (s *search) models() {
	cache := path.Join(s.flowHome(), modelCacheName)
	found := s.entries(Models, cache)
	if len(found) == 0 {
		return
	}
	var kept map[string]bool
	dark := s.dark
	if dark == "" {
		var err error
		if kept, err = s.Records.ModelPaths(s.ctx); err != nil {
			dark = err.Error()
		}
	}
	if dark == "" && !refersTo(kept, s.Spec.PartyID) {
		s.out.leave(Models, "", 0, "FATE-Flow's tables refer to no model of this party: no model is removed")
		return
	}
	for _, id := range found {
		if !partyModel().MatchString(id) {
			continue
		}
		for _, version := range s.entries(Models, path.Join(cache, id)) {
			s.model(cache, id, version, kept, dark)
		}
	}
}

// refersTo reports whether one of the models is of a party.
func refersTo(models map[string]bool, party int) bool {
	for name := range models {
		if part := strings.SplitN(name, "#", 3); len(part) == 3 && part[1] == strconv.Itoa(party) {
			return true
		}
	}
	return false
}

func (s *search) model(cache, id, version string, kept map[string]bool, dark string) {
	item := Item{Kind: Models, Path: path.Join(cache, id, version), aside: aside(version)}
	if original := begun(version); original != "" {
		version, item.always, item.aside = original, true, version
	}
	switch {
	case !modelVersion().MatchString(version):
	case dark != "":
		s.out.Dark = true
		s.out.leave(Models, item.Path, s.size(item.Path),
			"it is not known which models FATE-Flow's tables refer to: %s", dark)
	case item.always:
		s.measure(item, s.Owner)
	case kept[id+"/"+version]:
		s.out.leave(Models, item.Path, s.size(item.Path), "FATE-Flow's tables refer to it")
	case s.busy[version]:
		s.out.leave(Models, item.Path, s.size(item.Path), inUse)
	case !isJob(version):
		s.out.leave(Models, item.Path, s.size(item.Path), unknownJob)
	default:
		item.Job = version
		s.ended(item)
	}
}

// unknownJob is why models are left of which nothing is recorded: tables that were lost must not cost the models, too.
const unknownJob = "there is no record of the job that made it"

// ended measures a model of a job that is recorded as ended.
func (s *search) ended(item Item) {
	over, known, err := s.Records.Over(s.ctx, item.Job)
	switch {
	case err != nil:
		s.out.Dark = true
		s.out.leave(Models, item.Path, 0, "it is not known which jobs run: %v", err)
	case !known:
		s.out.leave(Models, item.Path, s.size(item.Path), unknownJob)
	case !over:
		s.out.leave(Models, item.Path, s.size(item.Path), inUse)
	default:
		s.measure(item, s.Owner)
	}
}

// programLogs measures rotated logs in a directory and those below it, without those of jobs.
func (s *search) programLogs(dir string, level int) {
	list := s.list(ProgramLogs, dir)
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range list {
		name := e.Name()
		switch {
		case e.IsDir():
			if plainName().MatchString(name) && !isJob(name) && sessionJob(name) == "" && level < mostLogLevels {
				s.programLogs(path.Join(dir, name), level+1)
			}
		case e.Type().IsRegular() && isRotated(name):
			s.measure(Item{Kind: ProgramLogs, Path: path.Join(dir, name)}, s.Owner)
		}
	}
}

// history measures the rotated records of what was changed, and what commands have printed.
func (s *search) history() {
	collect := func(dir string, is func(name string) bool) {
		for _, e := range s.list(History, dir) {
			if e.Type().IsRegular() && is(e.Name()) {
				s.measure(Item{Kind: History, Path: path.Join(dir, e.Name())}, host.AnyOwner)
			}
		}
	}
	collect(s.History, historyLog().MatchString)
	collect(path.Join(s.History, "output"), historyOutput().MatchString)
}
