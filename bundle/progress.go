package bundle

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

// Progress is told how far a stage is, in bytes. It is called often and from several goroutines; name is the file or
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
	total  int64 // bytes of all sources
	name   string
	before int64 // sources of the components that are done
	size   int64 // sources of this one
	read   int64
}

// packReadShare is the part of a component's progress that reading makes up.
const packReadShare = 0.25

func (p *packProgress) begin(c *Component) {
	p.before += p.size
	p.name, p.size, p.read = c.Name, 0, 0
	for i := range c.Sources {
		p.size += c.Sources[i].Size
	}
}

// onRead counts n more bytes of a source.
func (p *packProgress) onRead(n int64) {
	p.read += n
	p.report.report(StagePack, p.name, p.before+int64(packReadShare*float64(min(p.read, p.size))), p.total)
}

// onPacked is told how much of the tree's total has been handed on.
func (p *packProgress) onPacked(done, total int64) {
	share := packReadShare + (1-packReadShare)*float64(done)/float64(max(total, 1))
	p.report.report(StagePack, p.name, p.before+int64(share*float64(p.size)), p.total)
}
