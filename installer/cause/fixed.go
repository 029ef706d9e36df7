package cause

import (
	"regexp/syntax"
	"slices"
	"sync"
)

// fixedParts finds texts of which every line has one that an expression matches. None: the expression has no such
// texts.
func fixedParts(expression string) func() []string {
	return sync.OnceValue(func() []string {
		parsed, err := syntax.Parse(expression, syntax.Perl)
		if err != nil {
			return nil // it is compiled when it is first needed, and says so there
		}
		return fixedOf(parsed)
	})
}

// mostFixed is how many texts an expression may stand for.
const mostFixed = 64

func fixedOf(e *syntax.Regexp) []string {
	if all := allOf(e); shortest(all) > 0 {
		return all
	}
	switch e.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return fixedOf(e.Sub[0])
	case syntax.OpRepeat:
		if e.Min > 0 {
			return fixedOf(e.Sub[0])
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range e.Sub {
			parts := fixedOf(sub)
			if len(parts) == 0 {
				return nil
			}
			all = append(all, parts...)
		}
		return all
	case syntax.OpConcat:
		return fixedOfConcat(e.Sub)
	}
	return nil
}

// fixedOfConcat takes the best of what follows each other: any of it will do, and that is best whose shortest text is
// the longest.
func fixedOfConcat(subs []*syntax.Regexp) []string {
	var best []string
	consider := func(parts []string) {
		if shortest(parts) > shortest(best) {
			best = parts
		}
	}
	row := []string{""} // all texts of those before, back to one that has not a few
	for _, sub := range subs {
		joined := product(row, allOf(sub))
		if joined == nil {
			consider(row)
			consider(fixedOf(sub))
			row = []string{""}
			continue
		}
		row = joined
	}
	consider(row)
	return best
}

// allOf returns every text that an expression matches; nil: there are many, or they depend on capitals.
func allOf(e *syntax.Regexp) []string {
	switch e.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}
	case syntax.OpLiteral:
		if e.Flags&syntax.FoldCase == 0 {
			return []string{string(e.Rune)}
		}
	case syntax.OpCharClass:
		var all []string
		for i := 0; i+1 < len(e.Rune); i += 2 {
			if e.Rune[i+1]-e.Rune[i] > 10 {
				return nil
			}
			for r := e.Rune[i]; r <= e.Rune[i+1]; r++ {
				all = append(all, string(r))
			}
		}
		return few(all)
	case syntax.OpCapture:
		return allOf(e.Sub[0])
	case syntax.OpQuest:
		if all := allOf(e.Sub[0]); all != nil {
			return few(append([]string{""}, all...))
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range e.Sub {
			texts := allOf(sub)
			if texts == nil {
				return nil
			}
			all = append(all, texts...)
		}
		return few(all)
	case syntax.OpConcat:
		all := []string{""}
		for _, sub := range e.Sub {
			if all = product(all, allOf(sub)); all == nil {
				return nil
			}
		}
		return all
	}
	return nil
}

// product returns each text of one set followed by each of another; nil: there are none, or many.
func product(first, then []string) []string {
	if len(first)*len(then) > mostFixed {
		return nil
	}
	var all []string
	for _, a := range first {
		for _, b := range then {
			all = append(all, a+b)
		}
	}
	return all
}

func few(texts []string) []string {
	if len(texts) > mostFixed {
		return nil
	}
	return texts
}

// shortest is the length of the shortest of some texts; 0: there are none.
func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	return len(slices.MinFunc(texts, func(a, b string) int { return len(a) - len(b) }))
}
