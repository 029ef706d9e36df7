package deploy

import (
	"fmt"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/state"
	"fate-installer/payload"
)

// Upgrade prepares the replacement of what is installed by the components of the appliance.
func (d *Deployment) Upgrade(opts ReplaceOptions) (*Replacement, error) {
	switch {
	case d.stored == nil:
		return nil, exit.With(exit.Hint(fmt.Errorf("cannot upgrade: %w below %s", ErrNotInstalled, d.cmd.Base),
			"install first: fate-installer --role ROLE --party ID"), exit.Usage)
	case d.payload == nil:
		return nil, exit.With(exit.Hint(fmt.Errorf("cannot upgrade: %w", payload.ErrNoPayload),
			"run the new appliance's own file: ./NEW-APPLIANCE upgrade"), exit.Payload)
	}
	t, err := d.decide(state.Upgrade)
	if err != nil {
		return nil, err
	}
	if err := d.useKeys(Keys{}); err != nil {
		return nil, err
	}
	if err := d.refuseOtherCluster(); err != nil {
		return nil, err
	}
	r := &Replacement{transition: t, d: d, opts: opts, verb: verbUpgrade}
	if err := r.takeUp(); err != nil {
		return nil, err
	}
	if err := d.upgradeRefusal(); err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	return r, nil
}

// ComponentChange is a component whose tree is replaced.
type ComponentChange struct {
	Name string `json:"name"` // the component
	From string `json:"from"` // the version that is installed; blank: it is new
	To   string `json:"to"`   // the version that replaces it; blank: it is removed
}

// String says what replaces what.
func (c ComponentChange) String() string {
	switch c.From {
	case "":
		return c.Name + " " + c.To + " (new)"
	case c.To:
		return c.Name + " " + c.To + " by another build of the same version"
	}
	return c.Name + " " + c.From + " by " + c.To
}

// changes lists the components of this host that are not installed as they are wanted.
func (d *Deployment) changes() []ComponentChange {
	var out []ComponentChange
	for _, name := range d.spec.Components() {
		was, is := d.stored.Components[name], d.site.Components[name]
		if was.Digest != is.Digest || was.Version != is.Version {
			out = append(out, ComponentChange{name, was.Version, is.Version})
		}
	}
	return out
}

// refuseDowngrade refuses what would leave the database unreadable, and what rollback is for.
func (d *Deployment) refuseDowngrade() error {
	engine := d.spec.DatabaseEngine()
	for _, other := range cluster.DatabaseEngines {
		if other != engine && d.stored.Components[other].Version != "" && d.site.Components[other].Version == "" &&
			d.spec.Runs(cluster.MySQL) {
			return exit.Hint(fmt.Errorf("cannot upgrade from %s to %s: their data files are incompatible",
				other, engine), "take an appliance with "+other+
				", or dump the database, uninstall, install, and load it")
		}
	}
	for _, c := range d.changes() {
		switch {
		case c.From == "":
		case c.Name == engine && !sameSeries(c.From, c.To):
			return exit.Hint(fmt.Errorf(
				"cannot upgrade %s from %s to %s: only a later version of the same series reads its files for sure",
				c.Name, c.From, c.To),
				"take an appliance with "+c.Name+" "+series(c.From)+
					", or dump the database, uninstall, install, and load it")
		case host.CompareVersions(c.To, c.From) < 0 && c.Name != "jdk":
			return exit.Hint(fmt.Errorf("cannot upgrade %s from %s to the older %s", c.Name, c.From, c.To),
				"fate-installer rollback brings back what an upgrade has replaced")
		}
	}
	return nil
}

// series is the part of a database server's version that says which files it reads: 8.0 of 8.0.28, 10.11 of 10.11.6.
func series(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

func sameSeries(a, b string) bool { return series(a) == series(b) }
