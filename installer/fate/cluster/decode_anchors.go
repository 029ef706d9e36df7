package cluster

import (
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// resolve follows an alias and strips an anchor or tag.
func (d *decoder) resolve(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.AnchorNode:
		return d.resolve(n.Value)
	case *ast.TagNode:
		return d.resolve(n.Value)
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		anchor := d.anchor(n, name)
		if anchor == nil {
			return nil
		}
		d.aliases = append(d.aliases, name)
		target := d.resolve(anchor.Value)
		d.aliases = d.aliases[:len(d.aliases)-1]
		return target
	}
	return n
}

// collectAnchors remembers every anchor of a document, also those on keys that are not read.
func (d *decoder) collectAnchors(body ast.Node) { ast.Walk(d, body) }

// Visit implements ast.Visitor.
func (d *decoder) Visit(n ast.Node) ast.Visitor {
	if anchor, ok := n.(*ast.AnchorNode); ok {
		name := anchor.Name.GetToken().Value
		d.anchors[name] = append(d.anchors[name], anchor)
	}
	return d
}

// anchor is the one that an alias refers to: the last of its name above it.
func (d *decoder) anchor(alias ast.Node, name string) *ast.AnchorNode {
	at := d.pos(alias)
	var above, below *ast.AnchorNode
	for _, a := range d.anchors[name] {
		if p := d.pos(a); p.Line < at.Line || p.Line == at.Line && p.Col < at.Col {
			above = a
		} else if below == nil {
			below = a
		}
	}
	switch {
	case above != nil && !slices.Contains(d.aliases, name):
		return above
	case above == nil && below != nil:
		d.problem(alias, "move the value with &"+name+" above this line",
			"the alias *%s is used above the place where it is defined, line %d", name, d.pos(below).Line)
	default:
		d.problem(alias, "define it with &"+name+" above this line", "the alias *%s refers to nothing", name)
	}
	return nil
}
