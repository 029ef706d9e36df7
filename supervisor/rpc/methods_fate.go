package rpc

import (
	"context"
	"errors"
	"time"

	"fate-installer/supervisor"
)

// names resolves an optional list of names; none means all.
func (s *Server) names(c *call, i int) ([]string, error) {
	words := c.list(i)
	if len(words) == 0 {
		words = []string{"all"}
	}
	return s.sup.Resolve(words)
}

func (s *Server) fateStatus(c *call) (any, error) {
	names, err := s.names(c, 0)
	if err != nil || !c.ok() {
		return nil, err
	}
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n] = true
	}
	out := []any{}
	for _, st := range s.sup.Statuses() {
		if wanted[st.Name] {
			out = append(out, s.shown(c.peer, st))
		}
	}
	return out, nil
}

func (s *Server) fateResolve(c *call) (any, error) {
	names, err := s.names(c, 0)
	return append([]string{}, names...), err
}

// Outcome is the result of a start, stop or restart: the programs it was about, and why some are not there.
type Outcome struct {
	Names  []string  `json:"names"`
	Failed []Failure `json:"failed"`
}

// Failure is one program that is not where it was to be.
type Failure struct {
	Name   string             `json:"name"`   // the program
	Text   string             `json:"text"`   // why it is not there
	Status *supervisor.Status `json:"status"` // of the program; null when it is not known
}

// outcome sorts an error of several programs apart. What is no program's failure stays an error.
func (s *Server) outcome(p peer, names []string, err error) (any, error) {
	o := Outcome{Names: append([]string{}, names...), Failed: []Failure{}}
	for _, e := range flatten(err) {
		var failed *supervisor.FailedError
		if !errors.As(e, &failed) {
			return nil, err
		}
		st := s.shown(p, failed.Status)
		o.Failed = append(o.Failed, Failure{failed.Name, failed.Text, &st})
	}
	return o, nil
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range joined.Unwrap() {
			out = append(out, flatten(e)...)
		}
		return out
	}
	return []error{err}
}

func (s *Server) fateStart(c *call) (any, error) {
	names, err := s.names(c, 0)
	wait, serving := c.boolean(1, true), c.boolean(2, false)
	if err != nil || !c.ok() {
		return nil, err
	}
	if serving {
		return s.outcome(c.peer, names, s.sup.StartServing(c.ctx, names))
	}
	return s.outcome(c.peer, names, s.sup.Start(c.ctx, names, wait))
}

func (s *Server) fateStop(c *call) (any, error) {
	names, err := s.names(c, 0)
	wait, dependants := c.boolean(1, true), c.boolean(2, false)
	if err != nil || !c.ok() {
		return nil, err
	}
	if dependants {
		names = append(s.sup.Dependants(names), names...)
	}
	return s.outcome(c.peer, names, s.sup.Stop(c.ctx, names, wait))
}

func (s *Server) fateRestart(c *call) (any, error) {
	names, err := s.names(c, 0)
	dependants, wait, serving := c.boolean(1, false), c.boolean(2, true), c.boolean(3, false)
	if err != nil || !c.ok() {
		return nil, err
	}
	if serving {
		return s.outcome(c.peer, names, s.sup.RestartServing(c.ctx, names, dependants))
	}
	return s.outcome(c.peer, names, s.sup.Restart(c.ctx, names, dependants, wait))
}

func (s *Server) fateUpdate(c *call) (any, error) {
	groups := c.list(0)
	if !c.ok() {
		return nil, nil
	}
	changes, err := s.sup.Update(c.ctx, groups...)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"added":   append([]string{}, changes.Added...),
		"changed": append([]string{}, changes.Changed...),
		"removed": append([]string{}, changes.Removed...),
	}, nil
}

func (s *Server) fateRotate(c *call) (any, error) {
	names, err := s.names(c, 0)
	if err != nil || !c.ok() {
		return nil, err
	}
	var errs []error
	for _, n := range names {
		errs = append(errs, s.ofOwner(c.peer, s.sup.RotateLogs)(n))
	}
	return true, errors.Join(errs...)
}

func (s *Server) fateWhy(c *call) (any, error) {
	name, err := s.one(c.text(0))
	if err != nil || !c.ok() {
		return nil, err
	}
	chain, err := s.sup.Why(name)
	for i := range chain {
		if s.reads(c.peer, chain[i].Name) != nil {
			chain[i].LastLog = nil
		}
	}
	return chain, err
}

// maxEventWait bounds a call of fate.events; a client that wants to wait longer calls again.
const maxEventWait = 60 * time.Second

func (s *Server) fateEvents(c *call) (any, error) {
	after, seconds := c.number(0), c.seconds(1)
	if !c.ok() {
		return nil, nil
	}
	wait := min(time.Duration(max(0, seconds)*float64(time.Second)), maxEventWait)
	ctx, cancel := context.WithTimeout(c.ctx, wait)
	defer cancel()
	events, last := s.sup.Events(ctx, uint64(max(0, after)))
	if after < 0 { // only the number to go on from
		events = nil
	}
	return map[string]any{"events": append([]supervisor.Event{}, events...), "last": int64(last)}, nil
}

func (s *Server) fateShutdown(c *call) (any, error) {
	keep := c.boolean(0, false)
	if !c.ok() {
		return nil, nil
	}
	s.daemon.Shutdown(keep)
	return true, nil
}

func (s *Server) fateBegan(*call) (any, error) {
	return s.daemon.Began().Format(time.RFC3339Nano), nil
}

func (s *Server) fateUpgrade(c *call) (any, error) {
	path := c.text(0)
	if !c.ok() {
		return nil, nil
	}
	return true, s.daemon.Upgrade(c.ctx, path)
}
