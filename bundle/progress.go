package bundle

import "sync"

// Stage is a part of a long piece of work that has its own progress.
type Stage string

// The stages of the commands. Fetching happens only for what the cache does not have.
const (
	StageFetch  Stage = "fetch"
	StageRead   Stage = "read" // a source, for its digest
	StagePack   Stage = "pack"
	StageVerify Stage = "verify"
	StageSplit  Stage = "split"
)

// Progress receives how far a stage is, in bytes. It is called often and from several goroutines; name is the file or
// component at hand. total is 0 when it is not known.
type Progress func(stage Stage, name string, done, total int64)

func (p Progress) report(stage Stage, name string, done, total int64) {
	if p != nil {
		p(stage, name, done, total)
	}
}

// packProgress turns what happens to the components into one number that grows evenly. A component is read, then
// compressed, which takes some three times as long; its share of the whole is the size of its sources, the one thing
// known from the start.
type packProgress struct {
	report Progress

	mu    sync.Mutex
	parts []partProgress // by index of the component
	total int64
}

type partProgress struct {
	name   string
	size   int64   // bytes of the sources
	read   int64   // of them
	packed float64 // share of the tree that was handed on
}

// packReadShare is the part of a component's progress that reading makes up.
const packReadShare = 0.25

func newPackProgress(report Progress, lock *Lock) *packProgress {
	p := &packProgress{report: report, parts: make([]partProgress, len(lock.Components))}
	for i, c := range lock.Components {
		p.parts[i].name = c.Name
		for _, s := range c.Sources {
			p.parts[i].size += s.Size
		}
		p.total += p.parts[i].size
	}
	return p
}

// read counts n more bytes of a component's sources.
func (p *packProgress) read(index int, n int64) {
	p.update(index, func(part *partProgress) { part.read = min(part.read+n, part.size) })
}

// packed receives how much of the tree's total has been handed on.
func (p *packProgress) packed(index int, done, total int64) {
	p.update(index, func(part *partProgress) { part.packed = float64(done) / float64(max(total, 1)) })
}

func (p *packProgress) update(index int, change func(*partProgress)) {
	p.mu.Lock()
	change(&p.parts[index])
	var done float64
	for _, part := range p.parts {
		done += packReadShare*float64(part.read) + (1-packReadShare)*part.packed*float64(part.size)
	}
	p.report.report(StagePack, p.parts[index].name, int64(done), p.total)
	p.mu.Unlock()
}
