package fate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/step"
)

// inputs identifies everything that a program reads when it starts.
func (p *planner) inputs(name string) string {
	hash := sha256.New()
	for _, f := range p.rendered {
		if slices.Contains(f.Programs, name) {
			content := render.ContentFor(p.spec, f, name)
			fmt.Fprintf(hash, "%s %d\n", f.Path, len(content))
			hash.Write(content)
		}
	}
	for _, c := range p.in.Components {
		if slices.Contains(p.spec.ComponentsOf(name), c.Name) {
			fmt.Fprintf(hash, "%s %s\n", c.Name, c.Digest)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// readBy lists the steps that leave what a program reads when it starts, as inputs does.
func (p *planner) readBy(name string) []string {
	var ids []string
	for _, f := range p.rendered {
		if slices.Contains(f.Programs, name) && path.Dir(f.Path) != p.spec.Layout.SupervisorPrograms() {
			ids = append(ids, step.File{Path: f.Path}.ID())
		}
	}
	for _, c := range p.spec.ComponentsOf(name) {
		if tree := p.trees[c]; tree != "" {
			ids = append(ids, tree)
		}
	}
	return ids
}

// readFirst lists the steps before a program's start, but for the programs that it depends on: those of the database,
// and those of the components that the program is made of. The clustermanager waits for no python, which takes longest
// to unpack: that is for what the nodemanager starts, and the nodemanager waits for it.
func (p *planner) readFirst(name string) []string {
	ids := slices.Concat(p.database, p.inside["installer"])
	for _, m := range p.spec.Modules() {
		if m.Program() == name {
			ids = append(ids, p.schemas[p.spec.Database(m)]...)
		}
	}
	components := p.spec.ComponentsOf(name)
	for _, c := range components {
		if p.trees[c] != "" {
			ids = append(ids, p.afterTree(c)...)
		}
	}
	if slices.Contains(components, "fate") {
		ids = append(ids, p.inside[""]...) // links into its tree
	}
	for _, f := range p.rendered {
		id, tree := step.File{Path: f.Path}.ID(), p.treeOf(f.Path)
		reads := tree == "" || slices.Contains(components, tree) || slices.Contains(components, f.Component) ||
			slices.Contains(f.Programs, name)
		if reads && slices.Contains(p.files, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// ProgramsUsing lists the programs of this host that are made of one of the components, and those that depend on
// such a program, in start order.
func ProgramsUsing(s *cluster.Spec, components []string) []string {
	var out []string
	for _, p := range render.Programs(s) {
		uses := slices.ContainsFunc(s.ComponentsOf(p.Name),
			func(c string) bool { return slices.Contains(components, c) })
		depends := slices.ContainsFunc(p.DependsOn, func(name string) bool { return slices.Contains(out, name) })
		if uses || depends {
			out = append(out, p.Name)
		}
	}
	return out
}
