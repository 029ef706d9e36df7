package step

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// BootScript is what [BootUnit] is on a host without systemd: a script of the host's init, registered there and
// started. Where nothing starts programs at boot it only starts the program, by the same script, and a note has the
// line that is to be run at boot.
type BootScript struct {
	Name    string // of the service
	Boot    host.Boot
	Path    string // of the script; none with host.BootNone
	Content []byte `json:"-"`
	Perm    uint32
	Line    string // what a host that starts nothing itself is to run at boot
	Log     string `json:"-"` // that the program writes by itself
}

// bootBefore is the state before BootScript.
type bootBefore struct {
	Name    string    `json:"name"`
	Boot    host.Boot `json:"boot"`
	File    prior     `json:"file,omitzero"`
	Script  string    `json:"script,omitempty"` // with host.BootNone: it stops the program
	Enabled bool      `json:"enabled,omitempty"`
	Active  bool      `json:"active,omitempty"`
}

// ID implements [engine.Step].
func (b BootScript) ID() string { return kindBootScript + ":" + b.Name }

// Describe implements [engine.Describer].
func (b BootScript) Describe() string {
	if b.Boot == host.BootNone {
		return b.Name + " started; nothing on this host starts it at boot"
	}
	return fmt.Sprintf("%s of %s, registered and started", b.Path, b.Boot.Title())
}

// Check implements [engine.Step].
func (b BootScript) Check(ctx context.Context, env *engine.Env) (engine.Finding, error) {
	before := bootBefore{Name: b.Name, Boot: b.Boot}
	var why []string
	if b.Boot == host.BootNone {
		before.Script = string(b.Content)
	} else {
		now, content, err := readState(env, b.Path)
		if err != nil {
			return engine.Finding{}, err
		}
		before.File = now
		if now.Kind != isFile || !bytes.Equal(content, b.Content) {
			why = append(why, "its file is not up to date")
		}
	}
	if env.Host.Live() {
		before.Enabled = before.enabled(env)
		before.Active = before.running(ctx, env, b.Content)
		if !before.Enabled {
			why = append(why, "it is not registered")
		}
		if !before.Active {
			why = append(why, "it is not running")
		}
	}
	if err := ctx.Err(); err != nil { // a cut-off command says nothing about the service
		return engine.Finding{}, err
	}
	note := ""
	if b.Boot == host.BootNone {
		note = "nothing on this host starts the supervisor at boot; have it run: " + b.Line
	}
	if len(why) == 0 {
		return engine.Finding{Done: true, Note: note}, nil
	}
	finding := todo(strings.Join(why, ", "), before, engine.Hash(b.Content))
	finding.Note = note
	return finding, nil
}

// Apply implements [engine.Step]. A running service is not restarted, as with [BootUnit].
func (b BootScript) Apply(ctx context.Context, env *engine.Env) error {
	now := bootBefore{Name: b.Name, Boot: b.Boot, File: prior{Path: b.Path}}
	if b.Boot != host.BootNone {
		if err := b.write(env); err != nil {
			return err
		}
	}
	if !env.Host.Live() {
		return nil
	}
	if !now.enabled(env) {
		if err := now.enable(ctx, env); err != nil {
			return err
		}
	}
	if now.running(ctx, env, b.Content) {
		return nil
	}
	began := time.Now().Truncate(time.Second)
	if err := now.control(ctx, env, "start", b.Content); err != nil {
		return UnitFailure(ctx, env.Host, b.Name, b.Log, began, err)
	}
	return nil
}

func (b BootScript) write(env *engine.Env) error {
	return replace(env, b.Path, b.Content, host.FileMode{Perm: fs.FileMode(b.Perm)})
}

// Undo implements [engine.Undoer].
func (b BootScript) Undo(ctx context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[bootBefore](raw)
	if err != nil {
		return err
	}
	script := []byte(before.Script)
	if env.Host.Live() {
		if !before.Active && before.running(ctx, env, script) {
			if err := before.control(ctx, env, "stop", script); err != nil {
				return err
			}
		}
		if !before.Enabled && before.registered(env) {
			if err := before.disable(ctx, env); err != nil {
				return err
			}
		}
	}
	if before.Boot == host.BootNone {
		return nil
	}
	return before.File.putBack(env, env.Ledger.Wrote(BootScript{Name: before.Name}.ID()))
}

// Remains implements [engine.Remainer].
func (b BootScript) Remains(ctx context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[bootBefore](raw)
	if err != nil {
		return nil, err
	}
	if before.Boot == host.BootNone {
		if env.Host.Live() && !before.Active && before.running(ctx, env, []byte(before.Script)) {
			return []string{"the service " + before.Name}, nil
		}
		return nil, nil
	}
	return before.File.remains(env, env.Ledger.Wrote(BootScript{Name: before.Name}.ID()))
}

// control starts or stops the service. Where there is no init, the script is given to a shell, and lies nowhere.
func (b bootBefore) control(ctx context.Context, env *engine.Env, verb string, script []byte) error {
	_, err := env.Host.Run(ctx, host.Cmd{Args: b.command(verb, script)})
	return err
}

func (b bootBefore) command(verb string, script []byte) []string {
	switch b.Boot {
	case host.BootOpenRC:
		return []string{"rc-service", b.Name, verb}
	case host.BootUpstart:
		return []string{"initctl", verb, b.Name}
	case host.BootNone:
		return []string{"/bin/sh", "-c", string(script), b.Name, verb}
	default:
		return []string{b.File.Path, verb}
	}
}

// running reports whether the service runs. One whose script is not there is asked nothing.
func (b bootBefore) running(ctx context.Context, env *engine.Env, script []byte) bool {
	if b.Boot != host.BootNone && !env.Host.Exists(b.File.Path) {
		return false
	}
	out, err := env.Host.Run(ctx, host.Cmd{Args: b.command("status", script)})
	if b.Boot == host.BootUpstart {
		return err == nil && strings.Contains(string(out.Stdout), "start/running")
	}
	return err == nil
}

// runLevels are the links that System V follows: what kardianos/service makes, too.
var runLevels = []runLevel{{"0", "K02"}, {"1", "K02"}, {"2", "S50"}, {"3", "S50"}, {"4", "S50"},
	{"5", "S50"}, {"6", "K02"}}

// runLevel is a run level, and how the link to the service in it begins.
type runLevel struct{ name, order string }

// dir is where the links of a run level are.
func (l runLevel) dir() string { return "/etc/rc" + l.name + ".d" }

// enabled reports whether the host's init starts the service at boot.
func (b bootBefore) enabled(env *engine.Env) bool {
	switch b.Boot {
	case host.BootSystemV:
		return b.inRunLevels(env)
	case host.BootOpenRC:
		return env.Host.Exists(path.Join("/etc/runlevels/default", b.Name))
	default: // upstart reads the file itself
		return true
	}
}

// inRunLevels reports whether every run level has a link, and one starts the service: an operator may have taken it out
// of another.
func (b bootBefore) inRunLevels(env *engine.Env) bool {
	starts := false
	for _, l := range runLevels {
		if env.Host.Exists(l.dir()) && len(b.links(env, l, "SK")) == 0 {
			return false
		}
		starts = starts || len(b.links(env, l, "S")) > 0
	}
	return starts
}

// registered reports whether anything of the service is known to the host's init, be it half of a registration.
func (b bootBefore) registered(env *engine.Env) bool {
	return b.enabled(env) || b.Boot == host.BootSystemV && slices.ContainsFunc(runLevels, func(l runLevel) bool {
		return len(b.links(env, l, "SK")) > 0
	})
}

// links lists the links to the service in a run level.
func (b bootBefore) links(env *engine.Env, l runLevel, prefixes string) []string {
	entries, err := env.Host.ReadDir(l.dir())
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		if len(name) > 3 && strings.Contains(prefixes, name[:1]) && name[3:] == b.Name {
			out = append(out, path.Join(l.dir(), name))
		}
	}
	return out
}

// enable registers the service by the distribution's own tool: it keeps an order of starting that links alone are not
// part of. Without one, links are what it would have made.
func (b bootBefore) enable(ctx context.Context, env *engine.Env) error {
	if b.Boot == host.BootOpenRC {
		_, err := env.Host.Run(ctx, host.Cmd{Args: []string{"rc-update", "add", b.Name, "default"}})
		return err
	}
	found, err := b.register(ctx, env, []string{"update-rc.d", b.Name, "defaults"},
		[]string{"chkconfig", "--add", b.Name})
	if found || err != nil {
		return err
	}
	for _, l := range runLevels {
		if !env.Host.Exists(l.dir()) || len(b.links(env, l, "SK")) > 0 {
			continue
		}
		if err := env.Host.Symlink(b.File.Path, path.Join(l.dir(), l.order+b.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (b bootBefore) disable(ctx context.Context, env *engine.Env) error {
	if b.Boot == host.BootOpenRC {
		_, err := env.Host.Run(ctx, host.Cmd{Args: []string{"rc-update", "del", b.Name, "default"}})
		return err
	}
	if _, err := b.register(ctx, env, []string{"update-rc.d", "-f", b.Name, "remove"},
		[]string{"chkconfig", "--del", b.Name}); err != nil {
		return err
	}
	for _, l := range runLevels {
		for _, link := range b.links(env, l, "SK") {
			if err := env.Host.Remove(link); err != nil && !notExist(err) {
				return err
			}
		}
	}
	return nil
}

// register runs the first of the tools that the host has.
func (b bootBefore) register(ctx context.Context, env *engine.Env, tools ...[]string) (found bool, err error) {
	for _, args := range tools {
		_, err := env.Host.Run(ctx, host.Cmd{Args: args})
		if !errors.Is(err, host.ErrNotFound) {
			return true, err
		}
	}
	return false, nil
}
