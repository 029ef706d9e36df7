package payload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// ExtractOptions say how components are unpacked.
type ExtractOptions struct {
	UID, GID int                     // owner of everything unpacked; -1 leaves it to the system
	Progress func(done, total int64) // bytes unpacked or checked; called by one goroutine at a time
	// Workers is how many frames are unpacked at once; 0 means one for each processor, at most maxWorkers, and with xz
	// maxXZWorkers. Each takes about 33 MB, with xz 45. Extractions of the same Payload at the same time share them.
	Workers int
	// Whole proves the rest of the appliance too, as Verify does, before anything gets its name: program, other
	// members, and components that are not unpacked.
	Whole bool
	// AllowNoExec lets a component be unpacked where the system will not run its programs.
	AllowNoExec bool
	// NoSync leaves it to the system when the data reaches the disk: for trees that a crash may take.
	NoSync bool
}

// Target is a component and the directory it becomes.
type Target struct {
	Component, Path string
	// Parent is the directory that Path is in, already open. It is used instead of the path of that directory, which
	// another user may be able to change. When it is nil, the directory is opened by its path, links included. It
	// stays the caller's to close.
	Parent *os.File

	only map[string]bool // see ExtractFiles; nil: everything
}

// Extract unpacks a component to the directory target, which must not exist while its parent must. A frame's bytes are
// written only after its sha256 was checked, and to a staging directory next to target, which takes its name when
// everything is on the disk. So target is complete or absent: after an error or the end of ctx the staging directory is
// removed, and one that a killed process left is removed by the next Extract to the same target.
//
// If the program has a compiled-in public key, the payload must be signed with it.
func (p *Payload) Extract(ctx context.Context, name, target string, o ExtractOptions) error {
	return p.ExtractAll(ctx, []Target{{Component: name, Path: target}}, o)
}

// ExtractAll does what Extract does for several components at once, in less time than one after the other. None of the
// directories gets its name before all are complete and on the disk; after an error there is none of them. Only if the
// process is killed while it renames them, some are there, complete, and others are not.
func (p *Payload) ExtractAll(ctx context.Context, targets []Target, o ExtractOptions) (err error) {
	if _, err := p.trust(); err != nil {
		return err
	}
	x := &extraction{p: p, o: o}
	defer func() { err = errors.Join(err, x.close()) }()
	if err := x.plan(targets); err != nil {
		return err
	}
	if err := x.stage(); err != nil {
		return err
	}
	if err := x.unpack(ctx); err != nil {
		return err
	}
	for _, j := range x.jobs {
		if err := j.finish(ctx); err != nil {
			return err
		}
	}
	return x.commit(ctx)
}

// extraction is one run of ExtractAll.
type extraction struct {
	p        *Payload
	o        ExtractOptions
	jobs     []*job
	tasks    []task // in the order of the file
	progress *progress
}

// job is one component that is unpacked.
type job struct {
	p       *Payload
	c       *Component
	base    int64 // of the member's data in the file
	target  string
	parent  *os.File        // or nil
	only    map[string]bool // entries; nil: all
	staging *staging
	*unpacker
}

// task is a frame to unpack, or a part of the file that is only to be checked.
type task struct {
	region
	job *job // nil to check the region
}

// plan lists what is to be done.
func (x *extraction) plan(targets []Target) error {
	byMember := map[string]*job{}
	var total int64
	for _, t := range targets {
		c, ok := x.p.Component(t.Component)
		if !ok {
			return fmt.Errorf("cannot extract %q from %s: there is no such component", t.Component, x.p.src.path)
		}
		if byMember[c.Member] != nil {
			return fmt.Errorf("cannot extract %s to %s: it is extracted to %s already", c.Name, t.Path,
				byMember[c.Member].target)
		}
		byMember[c.Member] = &job{p: x.p, c: &c, target: t.Path, parent: t.Parent, only: t.only}
		total += c.TarSize()
	}
	for i, c := range x.p.manifest.Components {
		j := byMember[c.Member]
		if j == nil {
			continue
		}
		j.base = x.p.members[i].dataOffset()
		x.jobs = append(x.jobs, j)
	}
	for _, r := range x.p.regions() {
		j := byMember[r.member]
		switch {
		case j != nil:
			x.tasks = append(x.tasks, task{r, j})
		case x.o.Whole:
			x.tasks = append(x.tasks, task{region: r})
			total += r.size
		}
	}
	x.progress = newProgress(x.o.Progress, total)
	return nil
}

// stage makes a staging directory for each component, once it is seen that all have room.
func (x *extraction) stage() error {
	need := map[string]int64{}
	for _, j := range x.jobs {
		if j.only == nil {
			need[filepath.Dir(j.target)] += j.c.Size
		}
	}
	for _, j := range x.jobs {
		var err error
		if j.staging, err = newStaging(Target{Path: j.target, Parent: j.parent},
			need[filepath.Dir(j.target)], x.o); err != nil {
			return j.failed(err)
		}
		j.unpacker = newUnpacker(j.c, j.staging, j.only, x.o, x.progress)
	}
	return nil
}

// unpack carries out the tasks.
func (x *extraction) unpack(ctx context.Context) error {
	n := x.workers()
	x.p.readers.enter(n)
	defer x.p.readers.leave()
	return inOrder(ctx, n, len(x.tasks), x.newWorker(ctx))
}

func (x *extraction) workers() int {
	n := workers(x.o.Workers)
	isXZ := func(j *job) bool { return j.c.Codec == CodecXZ }
	if x.o.Workers == 0 && slices.ContainsFunc(x.jobs, isXZ) {
		return min(n, maxXZWorkers)
	}
	return n
}

// newWorker returns what makes the state of a goroutine for inOrder.
func (x *extraction) newWorker(ctx context.Context) func() (func(int) error, error) {
	return func() (func(int) error, error) {
		mine := map[*job]*worker{}
		var buf []byte
		return func(i int) error {
			t := &x.tasks[i]
			if t.job == nil {
				if buf == nil {
					buf = make([]byte, verifyBuffer)
				}
				return x.p.verifyRegion(ctx, t.region, buf, x.progress)
			}
			if mine[t.job] == nil {
				mine[t.job] = t.job.newWorker()
			}
			return t.job.failed(t.job.unpack(ctx, mine[t.job], t.frame))
		}, nil
	}
}

// unpack has w write frame i.
func (j *job) unpack(ctx context.Context, w *worker, i int) error {
	if w.dest.hasAll() {
		return nil
	}
	frames := j.p.readers.take(j.p)
	defer j.p.readers.give(frames) // raw is in its memory
	raw, err := frames.read(j, i)
	if err != nil {
		return err
	}
	return j.blame(i, w.unpack(ctx, i, raw))
}

func (j *job) finish(ctx context.Context) error {
	return j.failed(j.blame(len(j.c.Frames)-1, j.dest.finish(ctx)))
}

// blame turns what a frame's content makes impossible into an error about the appliance.
func (j *job) blame(frame int, err error) error {
	if bad, ok := err.(*contentError); ok {
		return j.p.corrupt(j.c.Name, j.base+j.c.Frames[frame].Offset, bad.reason, bad.err)
	}
	return err
}

// failed says what could not be done because of err.
func (j *job) failed(err error) error {
	if err == nil {
		return nil
	}
	if space := new(SpaceError); !errors.As(err, &space) && (errors.Is(err, unix.ENOSPC) ||
		errors.Is(err, unix.EDQUOT)) {
		err = &SpaceError{Path: filepath.Dir(j.target), Need: j.staging.need, Err: err}
	}
	return fmt.Errorf("cannot extract %s to %s: %w", j.c.Name, j.target, err)
}

// commit makes everything durable and gives the directories their names, all or none.
func (x *extraction) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !x.o.NoSync {
		if err := x.sync(); err != nil {
			return err
		}
	}
	for i, j := range x.jobs {
		if err := j.staging.publish(); err != nil {
			for _, done := range x.jobs[:i] {
				err = errors.Join(err, done.staging.withdraw())
			}
			return j.failed(err)
		}
	}
	for _, j := range x.jobs {
		j.staging.done()
	}
	if x.o.NoSync {
		return nil
	}
	synced := map[string]bool{}
	for _, j := range x.jobs {
		if dir := filepath.Dir(j.staging.target); !synced[dir] {
			synced[dir] = true
			if err := j.staging.parent.Sync(); err != nil {
				return j.failed(err)
			}
		}
	}
	return nil
}

// sync writes the file systems of all components to disk, each once.
func (x *extraction) sync() error {
	synced := map[uint64]bool{}
	for _, j := range x.jobs {
		var st unix.Stat_t
		if err := unix.Fstat(int(j.staging.dir.Fd()), &st); err == nil && synced[st.Dev] {
			continue
		}
		synced[st.Dev] = true
		if err := syncFileSystem(j.staging.dir); err != nil {
			return j.failed(fmt.Errorf("cannot write its file system to disk: %w", err))
		}
	}
	return nil
}

// close removes whatever has not got its name.
func (x *extraction) close() error {
	var errs []error
	for _, j := range x.jobs {
		if j.unpacker != nil {
			j.unpacker.close()
		}
		if j.staging != nil {
			errs = append(errs, j.staging.close())
		}
	}
	return errors.Join(errs...)
}
