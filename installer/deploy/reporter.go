package deploy

import (
	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/problem"
)

// Reporter shows people what an operation does. Methods that take more than a line are named after what they report.
type Reporter interface {
	// Printf shows a line of the result.
	Printf(format string, args ...any)
	// Progressf shows a line about what is being done, which is no result.
	Progressf(format string, args ...any)
	// Advisef is as Printf, for a text with commands of this program.
	Advisef(format string, args ...any)
	// Warning is a text that scripts do not parse.
	Warning(text string)
	// Notes are remarks about the configuration.
	Notes(problem.Problems)
	// CheckResults are what checks of the host have found.
	CheckResults([]preflight.CheckResult)
	// UndoOutcome is what became of a step that was undone; data: it is kept for the data in it.
	UndoOutcome(o engine.UndoOutcome, data bool)
	// StepsBegin says that steps begin, which unpack a number of bytes together. What becomes of them is reported to
	// the view.
	StepsBegin(unpacks int64) StepsView
	// WorkBegins says that a long piece of work of total bytes begins. How far it is is reported to the bar.
	WorkBegins(title string, total int64) Bar
}

// StepsView shows what becomes of steps. Its methods may be called from several goroutines.
type StepsView interface {
	// PlanKnown says which steps follow. With countSmall, those that take no time are only counted.
	PlanKnown(plan engine.Plan, countSmall bool)
	// StepEvent is what happens to a step.
	StepEvent(engine.Event)
	// StepProgress is how many bytes of a step are done.
	StepProgress(stepID string, done, total int64)
	// ProgramEvent is what happens to a program that a step starts or stops.
	ProgramEvent(programs.Event)
	// UndoBegins says that one of a number of steps begins to be undone, and UndoEnds that this has ended.
	UndoBegins(stepID, title string, total int)
	UndoEnds(stepID string)
	// StepsEnd says that no more steps follow. It may be left out when nothing else was reported.
	StepsEnd()
}

// Bar shows how far a long piece of work is, in bytes.
type Bar interface {
	Set(done int64)
	Finish()
}
