package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/step"
	"fate-installer/payload/count"
)

// foreseenReport lists the changes that an uninstall would make. It is the JSON document of uninstall --dry-run.
type foreseenReport struct {
	Steps []engine.UndoOutcome `json:"steps"`           // what would become of each step, in the order of the undo
	Trees []treeReport         `json:"component_trees"` // what no component brought, by component
	Temp  []string             `json:"temporary"`       // temporary directories of the JVMs, in /tmp; null for none
}

// foresee lists what an uninstall would do, and changes nothing.
func (d *deployment) foresee(opts *uninstallOptions) (foreseenReport, error) {
	out := foreseenReport{Steps: []engine.UndoOutcome{}, Trees: []treeReport{}}
	journal, err := engine.ReadJournal(d.host, d.journalPath())
	if err != nil {
		return out, err
	}
	if err := d.mountsInTheWay(journal, opts.purgeData); err != nil {
		return out, err
	}
	resolve := keepData(d.layout())
	if opts.purgeData {
		resolve = purgeData(d.layout())
	}
	out.Steps = append(out.Steps, engine.Foresee(journal, engine.Everything, resolve)...)
	for _, o := range out.Steps {
		tree, ok := strings.CutPrefix(o.ID, step.Unpack{}.ID())
		if !ok {
			continue
		}
		component, _, _ := strings.Cut(o.Title, " ")
		report, err := d.lookAtTree(component, tree)
		if err != nil {
			return out, err
		}
		if len(report.Foreign)+len(report.Edited)+len(report.Changed) > 0 {
			out.Trees = append(out.Trees, report)
		}
	}
	out.Temp, err = d.leftInTemp()
	return out, err
}

// printForeseen is uninstall --dry-run.
func (d *deployment) printForeseen(opts *uninstallOptions) error {
	f, err := d.foresee(opts)
	if err != nil {
		return err
	}
	if d.g.Output == outputJSON {
		return d.g.printJSON(f)
	}
	if len(f.Steps) == 0 {
		d.g.printf("nothing is installed below %s\n", d.layout().Base)
		return nil
	}
	for _, o := range f.Steps {
		what := "would remove"
		if o.Status == engine.Kept {
			what = "would keep"
		}
		d.g.printf("  %-12s  %s\n", what, o.Title)
	}
	for _, dir := range f.Temp {
		d.g.printf("  %-12s  %s\n", "would remove", dir)
	}
	d.printForeignForeseen(f, opts)
	d.g.printf("nothing was changed\n")
	return nil
}

// printForeignForeseen names what operators added or changed in the components' directories, with what becomes of it.
func (d *deployment) printForeignForeseen(f foreseenReport, opts *uninstallOptions) {
	what := "would keep"
	if opts.purgeData {
		what = "would remove"
	}
	for _, t := range f.Trees {
		for _, rel := range append(append([]string(nil), t.Foreign...), t.Edited...) {
			d.g.printf("  %-12s  %s/%s, which was added or edited here\n", what, t.Tree, rel)
		}
		for _, rel := range t.Changed {
			d.g.printf("  %-12s  %s/%s, which was changed here\n", "would remove", t.Tree, rel)
		}
	}
}

// askUninstall shows what will go, and wants a yes.
func (d *deployment) askUninstall(opts *uninstallOptions) error {
	f, err := d.foresee(opts)
	if err != nil {
		return err
	}
	d.printForeignForeseen(f, opts)
	q := fmt.Sprintf("remove the installation below %s (%s), and keep data, logs and passwords", d.layout().Base,
		count.Of(len(f.Steps), "step"))
	if opts.purgeData {
		q = fmt.Sprintf("remove the installation below %s (%s) and its database, stores, models, keys, logs and "+
			"passwords, for good",
			d.layout().Base, count.Of(len(f.Steps), "step"))
	}
	fmt.Fprintf(d.g.Stderr, "%s? [y/N] ", q)
	answer, err := input(d.g, func() (string, error) { return bufio.NewReader(d.g.Stdin).ReadString('\n') })
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if err != nil || !isYes(answer) {
		return exit.With(errors.New("nothing was changed: not confirmed"), exit.Usage)
	}
	return nil
}

func isYes(answer string) bool {
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
