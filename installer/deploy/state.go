package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
)

// statePath is where the state of the host is stored.
func statePath(l cluster.Layout) string { return path.Join(l.State(), state.FileName) }

// LoadState reads the state of the host. Of an installation by a release that stored none it is derived from what there
// is.
func LoadState(h *host.Host, l cluster.Layout) (state.State, error) {
	data, err := h.ReadFile(statePath(l))
	if errors.Is(err, fs.ErrNotExist) {
		return deriveState(h, l)
	}
	if err != nil {
		return state.State{}, fmt.Errorf("cannot read the state of the host: %w", err)
	}
	s, err := state.Decode(data)
	if err != nil {
		return state.State{}, exit.Hint(fmt.Errorf("cannot use %s: %w", statePath(l), err),
			"restore the file from a backup, or move it away: then the host counts as installed, and as if no "+
				"command had been interrupted")
	}
	return s, nil
}

func deriveState(h *host.Host, l cluster.Layout) (state.State, error) {
	stored, err := LoadSite(h, l)
	if errors.Is(err, ErrNotInstalled) {
		return state.Derive(state.Traces{}), nil
	}
	if err != nil {
		return state.State{}, err
	}
	traces := state.Traces{Site: true, Role: string(stored.Role), Party: stored.Party, Release: stored.release(nil)}
	journal, err := engine.ReadJournal(h, journalPath(l))
	if err != nil {
		return state.State{}, err
	}
	traces.Succeeded = journal.Ledger().LastRun().Succeeded
	slots, err := loadSlots(h, l)
	if err != nil {
		return state.State{}, err
	}
	for _, s := range slots {
		traces.Slots = append(traces.Slots, s.ID)
	}
	return state.Derive(traces), nil
}

// release returns the site's versions of the named components; nil means all.
func (s *Site) release(names []string) state.Release {
	out := state.Release{FATE: s.Env["FATE"], Components: map[string]state.Component{}}
	add := func(name string) {
		if c, ok := s.Components[name]; ok {
			out.Components[name] = state.Component{Version: c.Version, Digest: c.Digest}
		}
	}
	for name := range s.Components {
		if names == nil {
			add(name)
		}
	}
	for _, name := range names {
		add(name)
	}
	return out
}

// withRelease is the site with the components of another release.
func (s *Site) withRelease(r state.Release) *Site {
	out := *s
	out.Components = map[string]Component{}
	if r.FATE != "" {
		out.Env = map[string]string{"FATE": r.FATE}
	}
	for name, c := range r.Components {
		out.Components[name] = Component{Version: c.Version, Digest: c.Digest}
	}
	return &out
}

// journalPath is where the engine keeps what it did.
func journalPath(l cluster.Layout) string { return path.Join(l.State(), "journal") }
