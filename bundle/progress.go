package bundle

// Stage is a part of a long piece of work that has its own progress.
type Stage string

// The stages of a build, in order. Fetching happens only for what the cache does not have.
const (
	StageFetch  Stage = "fetch"
	StagePack   Stage = "pack"
	StageVerify Stage = "verify"
)

// Progress is told how far a stage is, in bytes. It is called often and from several goroutines; name is the file or
// component at hand. total is 0 when it is not known.
type Progress func(stage Stage, name string, done, total int64)

func (p Progress) report(stage Stage, name string, done, total int64) {
	if p != nil {
		p(stage, name, done, total)
	}
}
