package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Node is a step in a plan.
type Node struct {
	Step      Step
	After     []string // IDs of the steps that must be done before
	Title     string   // what it is for, to a user: "MySQL: unpack version 8.0.28"
	Component string   // what it belongs to: "mysql", "os"; for grouping
	Cost      int64    // how long it takes, relative to the others; 0 means 1. Orders steps, never needed to be right.
}

// ID is the ID of the node's step.
func (n Node) ID() string { return n.Step.ID() }

// Plan is the steps in the order in which they are printed. They run in the order of the edges.
type Plan struct {
	Nodes []Node
}

// Add appends a step.
func (p *Plan) Add(n Node) { p.Nodes = append(p.Nodes, n) }

// Only returns the plan of the steps that keep accepts. An edge to a step that is left out is left out with it.
func (p Plan) Only(keep func(Node) bool) Plan {
	var out Plan
	kept := map[string]bool{}
	for _, n := range p.Nodes {
		if keep(n) {
			out.Add(n)
			kept[n.ID()] = true
		}
	}
	for i, n := range out.Nodes {
		out.Nodes[i].After = slices.DeleteFunc(slices.Clone(n.After), func(id string) bool { return !kept[id] })
	}
	return out
}

// Validate reports every mistake in the plan: a step twice, an edge to nowhere, a cycle.
func (p Plan) Validate() error {
	var errs []error
	index := map[string]int{}
	for i, n := range p.Nodes {
		if n.Step == nil {
			errs = append(errs, fmt.Errorf("node %d (%s) has no step", i, n.Title))
			continue
		}
		if _, dup := index[n.ID()]; dup {
			errs = append(errs, fmt.Errorf("step %s is in the plan twice", n.ID()))
		}
		index[n.ID()] = i
	}
	for _, n := range p.Nodes {
		for _, a := range n.After {
			if _, ok := index[a]; n.Step != nil && !ok {
				errs = append(errs, fmt.Errorf("step %s comes after %s, which is not in the plan", n.ID(), a))
			}
		}
	}
	if len(errs) == 0 {
		if c := p.cycle(); c != nil {
			errs = append(errs, fmt.Errorf("steps wait for each other: %s", strings.Join(c, " after ")))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("cannot use plan: %w", err)
	}
	return nil
}

// cycle returns the IDs along a cycle, the first one repeated at the end, or nil.
func (p Plan) cycle() []string {
	const busy, done = 1, 2
	nodes, state := p.byID(), map[string]int{}
	var path, found []string
	var visit func(id string) bool
	visit = func(id string) bool {
		switch state[id] {
		case done:
			return false
		case busy:
			found = append(slices.Clone(path[slices.Index(path, id):]), id)
			return true
		}
		state[id] = busy
		path = append(path, id)
		if slices.ContainsFunc(nodes[id].After, visit) {
			return true
		}
		path = path[:len(path)-1]
		state[id] = done
		return false
	}
	for _, n := range p.Nodes {
		if visit(n.ID()) {
			return found
		}
	}
	return nil
}

func (p Plan) byID() map[string]Node {
	m := make(map[string]Node, len(p.Nodes))
	for _, n := range p.Nodes {
		m[n.ID()] = n
	}
	return m
}
