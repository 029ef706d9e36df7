package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// spread is a median and what it lies between.
type spread struct{ least, median, most float64 }

func spreadOf[T any](all []T, of func(T) float64) spread {
	var values []float64
	for _, m := range all {
		values = append(values, of(m))
	}
	slices.Sort(values)
	return spread{values[0], values[len(values)/2], values[len(values)-1]}
}

func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f to %.2f)", s.median, s.least, s.most) }

// report prints the medians.
func report(all []measured) {
	median := func(of func(measured) float64) float64 { return spreadOf(all, of).median }
	first := median(func(m measured) float64 { return m.first.Seconds() })
	again := median(func(m measured) float64 { return m.again.Seconds() })
	noop := median(func(m measured) float64 { return 100 * m.again.Seconds() / m.first.Seconds() })
	overhead := median(func(m measured) float64 { return 100 * m.overhead.Seconds() / m.first.Seconds() })
	memory := median(func(m measured) float64 { return m.memory })
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	row := func(what, value, bound string, kept bool) {
		verdict := "kept"
		if !kept {
			verdict = "NOT KEPT"
		}
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t|\n", what, value, bound, verdict)
	}
	fmt.Printf("medians of %d installations of a party with all modules (stand-ins for FATE's own parts)\n\n", len(all))
	fmt.Fprintf(w, "| what\t| measured\t| bound\t| \t|\n|---\t|---\t|---\t|---\t|\n")
	fmt.Fprintf(w, "| first run\t| %.1f s\t| \t| \t|\n", first)
	row("run that changes nothing", fmt.Sprintf("%.2f s", again), fmt.Sprintf("< %.0f s", longestSecond.Seconds()),
		again < longestSecond.Seconds())
	row("the same, of the first run", fmt.Sprintf("%.1f %%", noop), fmt.Sprintf("< %.0f %%", mostOfFirst),
		noop < mostOfFirst)
	row("the installer's own part of the first run", fmt.Sprintf("%.1f %%", overhead),
		fmt.Sprintf("< %.0f %%", mostOverhead), overhead < mostOverhead)
	row("most memory of the installer", fmt.Sprintf("%.0f MiB", memory), fmt.Sprintf("< %.0f MiB", mostMemory),
		memory < mostMemory)
	w.Flush()
}

// reportPairs compares two appliances that were installed in turns.
func reportPairs(ours, others []measured) {
	type pair struct{ our, other measured }
	var pairs []pair
	for i := range ours {
		pairs = append(pairs, pair{ours[i], others[i]})
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	fmt.Printf("\n%d pairs: median (least to most)\n\n", len(pairs))
	fmt.Fprintf(w, "| what\t| the appliance\t| the other\t| the other, times as long\t|\n|---\t|---\t|---\t|---\t|\n")
	for _, row := range []struct {
		what string
		of   func(measured) time.Duration
	}{
		{"first run", func(m measured) time.Duration { return m.first }},
		{"processor time of it", func(m measured) time.Duration { return m.processor }},
		{"start of FATE-Flow", func(m measured) time.Duration { return m.steps.elapsedOf("start:fate-fateflow") }},
		{"first job", func(m measured) time.Duration { return m.jobs[0] }},
		{"second job", func(m measured) time.Duration { return m.jobs[1] }},
	} {
		seconds := func(m measured) float64 { return row.of(m).Seconds() }
		ratios := spreadOf(pairs, func(p pair) float64 { return seconds(p.other) / seconds(p.our) })
		fmt.Fprintf(w, "| %s\t| %v s\t| %v s\t| %v\t|\n", row.what, spreadOf(ours, seconds), spreadOf(others, seconds),
			ratios)
	}
	w.Flush()
}

// elapsedOf is how long a step took.
func (r installReport) elapsedOf(id string) time.Duration {
	for _, s := range r.Steps {
		if s.ID == id {
			return s.Elapsed
		}
	}
	return 0
}

// shortest is the time of a step below which it is not listed, unless it is on the critical path.
const shortest = 100 * time.Millisecond

// reportSteps lists when the steps of a run began and ended.
func reportSteps(r installReport) {
	steps := slices.Clone(r.Steps)
	slices.SortStableFunc(steps, func(a, b stepReport) int { return cmp.Compare(a.Start, b.Start) })
	fmt.Printf("\nthe last first run, %.1f s: the steps that took %v or are on its critical path (*), and what lies "+
		"outside of them\n\n", r.elapsed().Seconds(), shortest)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	fmt.Fprintf(w, "| \t| step\t| began\t| ended\t| took\t|\n|---\t|---\t|---\t|---\t|---\t|\n")
	o := r.outside
	row := func(mark, what string, began, took time.Duration) {
		fmt.Fprintf(w, "| %s\t| %s\t| %.2f s\t| %.2f s\t| %.2f s\t|\n", mark, what, began.Seconds(),
			(began + took).Seconds(), took.Seconds())
	}
	row("*", "before the steps: the appliance is read, the host looked at", 0, o.before)
	var end time.Duration
	for _, s := range steps {
		mark := ""
		if slices.Contains(r.Critical, s.ID) {
			mark = "*"
		}
		if mark != "" || s.Elapsed >= shortest {
			row(mark, s.ID, o.before+s.Start, s.Elapsed)
		}
		end = max(end, o.before+s.Start+s.Elapsed)
	}
	for _, p := range o.late {
		row("", fmt.Sprintf("after the steps: until %s is ready (%.120s)", p.name, p.why), end, p.after)
	}
	row("*", "after the steps, until the command ends", end, o.after)
	w.Flush()
}
