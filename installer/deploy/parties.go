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
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/peer"
	"fate-installer/installer/state"
	"fate-installer/installer/step"
)

// partiesChange is a change of the route table of a site that runs: what is written, and which programs must read it
// again.
type partiesChange struct {
	*Deployment
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

// ChangeParties changes the route table of the installation here, also where polling is set for a party, and says from
// when on that holds. A table that was edited by hand is overwritten only with force. asked is as for Open.
// tell reports it, while no other run can change anything. It closes the installation.
func ChangeParties(ctx context.Context, i *Installation, asked func() (Site, error),
	changes []cluster.PartyChange, polling, force bool, tell func(*PartiesChanged) error) error {
	d, err := Open(ctx, i, asked, Needs{})
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	c, all := &partiesChange{Deployment: d}, slices.Clone(changes)
	if err := c.takeUp(&all); err != nil {
		return err
	}
	if err := c.prepare(all); err != nil {
		return err
	}
	if err := c.known(changes); err != nil {
		return err
	}
	if polling && c.spec.Role != cluster.RoleExchange {
		return exit.With(exit.Hint(errors.New("cannot keep messages for a party: only an exchange does that"),
			"run it on the exchange's host, or leave --polling out"), exit.Usage)
	}
	return c.change(ctx, force, func(active string) error {
		return tell(&PartiesChanged{Files: c.files, Programs: c.programs, Active: active})
	})
}

// takeUp puts the changes that an interrupted command has stored before those of this one.
func (c *partiesChange) takeUp(changes *[]cluster.PartyChange) error {
	if err := c.Decide(state.Parties); err != nil {
		return err
	}
	all := *changes
	if c.move == state.Resume {
		all = nil
		for _, text := range c.state.Change.Parties {
			var change cluster.PartyChange
			if err := json.Unmarshal([]byte(text), &change); err != nil {
				return fmt.Errorf("cannot understand %s: %w", statePath(c.Layout()), err)
			}
			all = append(all, change)
		}
		all = append(all, *changes...)
	}
	for _, change := range all {
		text, err := json.Marshal(change)
		if err != nil {
			return fmt.Errorf("cannot store a change of the parties: %w", err)
		}
		if !slices.Contains(c.changes, string(text)) {
			c.changes = append(c.changes, string(text))
		}
	}
	*changes = all
	return nil
}

// prepare finds out what the changes come to, and refuses those that cannot work.
func (c *partiesChange) prepare(changes []cluster.PartyChange) error {
	if c.stored == nil {
		return exit.With(exit.Hint(
			fmt.Errorf("cannot change the parties: %w below %s", ErrNotInstalled, c.cmd.Base),
			"write the routes into the cluster file, and install with it"), exit.Usage)
	}
	// Whatever file this is run from, what is installed stays as it is.
	c.site.Components, c.site.Env = c.stored.Components, c.stored.Env
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
		c.site.Parties = slices.DeleteFunc(slices.Clone(c.site.Parties),
			func(o cluster.PartyChange) bool { return o.Party == change.Party })
		c.site.Parties = append(c.site.Parties, change)
	}
	after, err := c.meaning()
	if err != nil {
		return err
	}
	return c.compare(before, after)
}

// meaning resolves c.Spec again after a change to the site, with the installed keys, and returns it.
func (c *partiesChange) meaning() (*cluster.Spec, error) {
	spec, err := c.specOf(&c.site)
	if err != nil {
		return nil, err
	}
	c.spec = spec
	if spec.NeedsKeys() {
		err = c.UseKeys("", nil)
	}
	return spec, err
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
	if err := c.enter(state.Parties, state.Change{Parties: c.changes}, c.spec); err != nil {
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
	written, err := c.stored.Cluster(c.machine)
	if err != nil {
		return err
	}
	for _, change := range changes {
		gone := slices.ContainsFunc(c.stored.Parties,
			func(o cluster.PartyChange) bool { return o.Party == change.Party && o.Removed })
		if change.Removed && !gone && !written.HasParty(c.spec.Role, change.Party) {
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
	whole, err := c.plan(Part{Mode: fate.ModeDeploy})
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, file := range append([]string{c.SiteFile(), c.spec.Layout.RouteTable()}, c.files...) {
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
	view := c.cmd.Run(0)
	defer view.Close()
	view.Plan(plan, false)
	env := c.env(view)
	env.Force = force
	_, err = engine.Apply(ctx, plan, env, journal, view.Event)
	if err != nil {
		return exit.With(exit.DefaultRepeat(err, "put the cause right and", ""), exit.Step)
	}
	return nil
}

// refuseEdited stops a change of a route table that was edited by hand: ours would be put next to it, not in its place.
func (c *partiesChange) refuseEdited(before []render.File) error {
	table := c.spec.Layout.RouteTable()
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
	case c.spec.Role == cluster.RoleExchange: // an exchange has no party ID
		return "within a minute, when " + rollsite + " reads its route table again"
	}
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	party := strconv.Itoa(c.spec.PartyID)
	r := &peer.Rollsite{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.spec.Side.Rollsite.Port)), From: party}
	if err := r.Reload(ctx, party, c.spec.Secrets.RouteTableKey.Reveal()); err != nil {
		log := c.cmd.Log
		log.Debug().Err(err).Msg("the rollsite reads its routes by itself")
		return "within a minute, when " + rollsite + " reads its route table again"
	}
	return "now, nothing was restarted"
}
