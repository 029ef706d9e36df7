package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/peer"
	"fate-installer/installer/state"
	"fate-installer/installer/step"
)

// partiesChange is a change of the route table of a site that runs: what is written, and which programs must read it
// again.
type partiesChange struct {
	*transition
	d        *Deployment
	changes  []string // all of them, as they are stored until they are complete
	before   []render.File
	files    []string // rendered files that come out differently, in order
	programs []string // programs that read them only when they start
}

// PartiesChanged is what a change of the parties has done.
type PartiesChanged struct {
	Files    []string // rendered files that came out differently, in order
	Programs []string // that were restarted
	Active   string   // since when the change is in force, as text
}

// PartyOptions say how the route table is changed.
type PartyOptions struct {
	Changes []cluster.PartyChange
	Polling bool // the changes keep messages for a party until it asks for them
	Force   bool // overwrite a table that was edited by hand
}

// ChangeParties changes the route table of an installed host, and says from when on that holds. tell reports it, while
// no other run can change anything.
func (d *Deployment) ChangeParties(ctx context.Context, opts PartyOptions, tell func(*PartiesChanged) error) error {
	t, err := d.decide(state.Parties)
	if err != nil {
		return err
	}
	c := &partiesChange{transition: t, d: d}
	all, err := c.takeUp(opts.Changes)
	if err != nil {
		return err
	}
	if err := c.prepare(all); err != nil {
		return err
	}
	if err := c.known(opts.Changes); err != nil {
		return err
	}
	if opts.Polling && d.spec.Role != cluster.RoleExchange {
		return exit.With(exit.Hint(errors.New("cannot keep messages for a party: only an exchange does that"),
			"run it on the exchange's host, or leave --polling out"), exit.Usage)
	}
	return c.change(ctx, opts.Force, func(active string) error {
		return tell(&PartiesChanged{Files: c.files, Programs: c.programs, Active: active})
	})
}

// takeUp puts the changes that an interrupted command has stored before those of this one.
func (c *partiesChange) takeUp(changes []cluster.PartyChange) ([]cluster.PartyChange, error) {
	var all []cluster.PartyChange
	if c.resumes() {
		for _, text := range c.state.Change.Parties {
			var change cluster.PartyChange
			if err := json.Unmarshal([]byte(text), &change); err != nil {
				return nil, fmt.Errorf("cannot understand %s: %w", statePath(c.Layout()), err)
			}
			all = append(all, change)
		}
	}
	all = append(all, changes...)
	for _, change := range all {
		text, err := json.Marshal(change)
		if err != nil {
			return nil, fmt.Errorf("cannot store a change of the parties: %w", err)
		}
		if !slices.Contains(c.changes, string(text)) {
			c.changes = append(c.changes, string(text))
		}
	}
	return all, nil
}

// prepare finds out what the changes come to, and refuses those that cannot work.
func (c *partiesChange) prepare(changes []cluster.PartyChange) error {
	if c.d.stored == nil {
		return exit.With(exit.Hint(
			fmt.Errorf("cannot change the parties: %w below %s", ErrNotInstalled, c.cmd.Base),
			"write the routes into the cluster file, and install with it"), exit.Usage)
	}
	// Whatever file this is run from, what is installed stays as it is.
	c.d.site.Components, c.d.site.Env = c.d.stored.Components, c.d.stored.Env
	before, err := c.meaning()
	if err != nil {
		return err
	}
	if !before.Runs(cluster.Rollsite) {
		return exit.With(exit.Hint(
			fmt.Errorf("cannot change the parties here: the rollsite of this side does not run on %s", before.IP),
			"run the same command on "+strings.Join(before.Side.Rollsite.IPs, " and on ")), exit.Usage)
	}
	for _, change := range changes {
		c.d.site.Parties = slices.DeleteFunc(slices.Clone(c.d.site.Parties),
			func(o cluster.PartyChange) bool { return o.Party == change.Party })
		c.d.site.Parties = append(c.d.site.Parties, change)
	}
	after, err := c.meaning()
	if err != nil {
		return err
	}
	return c.compare(before, after)
}

// meaning resolves c.Spec again after a change to the site, with the installed keys, and returns it.
func (c *partiesChange) meaning() (*cluster.Spec, error) {
	spec, err := c.d.specOf(&c.d.site)
	if err != nil {
		return nil, err
	}
	c.d.spec = spec
	return spec, c.d.useKeys(Keys{})
}

func (c *partiesChange) compare(before, after *cluster.Spec) error {
	was, err := render.Files(before)
	if err != nil {
		return err
	}
	c.before = was
	is, err := render.Files(after)
	if err != nil {
		return err
	}
	for _, f := range is {
		same := slices.ContainsFunc(was, func(o render.File) bool {
			return o.Path == f.Path &&
				string(o.Content) == string(f.Content)
		})
		if same {
			continue
		}
		c.files = append(c.files, f.Path)
		for _, p := range f.Programs {
			if !slices.Contains(c.programs, p) {
				c.programs = append(c.programs, p)
			}
		}
	}
	return nil
}

// change makes the changes, and tells from when on they hold. A route table that was edited by hand is overwritten only
// with force.
func (c *partiesChange) change(ctx context.Context, force bool, tell func(active string) error) error {
	unlock, err := c.begin("change the parties")
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.enter(state.Change{Parties: c.changes}, c.d.spec); err != nil {
		return err
	}
	if err := c.apply(ctx, force); err != nil {
		return err
	}
	if err := c.finished(); err != nil {
		return err
	}
	return tell(c.activate(ctx))
}

// known refuses to remove what is not there: a mistyped id would look like success.
func (c *partiesChange) known(changes []cluster.PartyChange) error {
	written, err := c.d.stored.Cluster(c.d.machine)
	if err != nil {
		return err
	}
	for _, change := range changes {
		gone := slices.ContainsFunc(c.d.stored.Parties,
			func(o cluster.PartyChange) bool { return o.Party == change.Party && o.Removed })
		if change.Removed && !gone && !written.HasParty(c.d.spec.Role, change.Party) {
			return exit.With(exit.Hint(fmt.Errorf("cannot remove party %s: it has no route", change.Party),
				"fate-installer party list shows the routes"), exit.Usage)
		}
	}
	return nil
}

// apply writes the files, restarts what has to be restarted, and says what was done.
func (c *partiesChange) apply(ctx context.Context, force bool) error {
	if err := c.refuseEdited(c.before); err != nil && !force {
		return err
	}
	whole, err := c.d.plan(Part{})
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, file := range append([]string{c.SiteFile(), c.d.spec.Layout.RouteTable()}, c.files...) {
		wanted[step.File{Path: file}.ID()] = true
	}
	for _, program := range c.programs {
		wanted[step.StartPrograms{Names: []string{program}}.ID()] = true
	}
	journal, err := engine.OpenJournal(c.host, c.JournalPath())
	if err != nil {
		return err
	}
	defer journal.Close()
	plan := whole.Only(func(n engine.Node) bool { return wanted[n.ID()] })
	view := c.report.StepsBegin(0)
	defer view.StepsEnd()
	view.PlanKnown(plan, false)
	env := c.d.env(view, nil)
	env.Force = force
	_, err = engine.Apply(ctx, plan, env, journal, view.StepEvent)
	if err != nil {
		return exit.With(exit.DefaultRepeat(err, "put the cause right and", ""), exit.Step)
	}
	return nil
}

// refuseEdited stops a change of a route table that was edited by hand: ours would be put next to it, not in its place.
func (c *partiesChange) refuseEdited(before []render.File) error {
	table := c.d.spec.Layout.RouteTable()
	i := slices.IndexFunc(before, func(f render.File) bool { return f.Path == table })
	now, err := c.host.ReadFile(table)
	if errors.Is(err, fs.ErrNotExist) || i < 0 {
		return nil // it is rewritten
	}
	if err != nil {
		return fmt.Errorf("cannot read the route table: %w", err)
	}
	if string(now) != string(before[i].Content) {
		return exit.With(exit.Hint(fmt.Errorf("cannot change %s: it was edited on this host", table),
			"say with party add and party remove what the edit says, and add --force-config, which overwrites it"),
			exit.Step)
	}
	return nil
}

// reloadTimeout is for a call on this host.
const reloadTimeout = 5 * time.Second

// activate has rollsite read the new table, and says from when on it holds.
func (c *partiesChange) activate(ctx context.Context) string {
	rollsite := cluster.Rollsite.Program()
	switch {
	case !c.host.Live():
		return "when " + rollsite + " starts"
	case len(c.files) == 0:
		return "already"
	case slices.Contains(c.programs, rollsite):
		return "now, " + rollsite + " was restarted"
	case c.d.spec.Role == cluster.RoleExchange: // an exchange has no party ID
		return "within a minute, when " + rollsite + " reads its route table again"
	}
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	party := strconv.Itoa(c.d.spec.PartyID)
	r := &peer.Rollsite{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.d.spec.Side.Rollsite.Port)), From: party}
	if err := r.Reload(ctx, party, c.d.spec.Secrets.RouteTableKey.Reveal()); err != nil {
		log := c.cmd.Log
		log.Debug().Err(err).Msg("the rollsite reads its routes by itself")
		return "within a minute, when " + rollsite + " reads its route table again"
	}
	return "now, nothing was restarted"
}
