package step

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// Group is a group of accounts. On a machine it is made with groupadd; in a tree without commands the files are edited.
type Group struct {
	Name string
	GID  int // 0: any
}

// groupBefore is the state before Group: the group did not exist.
type groupBefore struct {
	Name string `json:"name"`
}

// ID implements [engine.Step].
func (g Group) ID() string { return kindGroup + ":" + g.Name }

// Describe implements [engine.Describer].
func (g Group) Describe() string {
	if g.GID == 0 {
		return "group " + g.Name
	}
	return fmt.Sprintf("group %s with gid %d", g.Name, g.GID)
}

// Check implements [engine.Step].
func (g Group) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	have, err := env.Host.LookupGroup(g.Name)
	if errors.Is(err, host.ErrUnknownAccount) {
		return todo("it does not exist", groupBefore{g.Name}, g.Name), nil
	}
	if err != nil {
		return engine.Finding{}, err
	}
	if g.GID != 0 && have.GID != g.GID {
		return engine.Finding{}, fmt.Errorf("cannot make group %s with gid %d: it exists with gid %d",
			g.Name, g.GID, have.GID)
	}
	return engine.Finding{Done: true}, nil
}

// Apply implements [engine.Step].
func (g Group) Apply(ctx context.Context, env *engine.Env) error {
	if env.Host.Live() {
		args := []string{"groupadd"}
		if g.GID != 0 {
			args = append(args, "-g", strconv.Itoa(g.GID))
		}
		_, err := runOnAccounts(ctx, env, append(args, g.Name))
		return err
	}
	groups, err := env.Host.Groups()
	if err != nil || slices.ContainsFunc(groups, func(h host.Group) bool { return h.Name == g.Name }) {
		return err
	}
	gid := g.GID
	if gid == 0 {
		gid = freeID(func(id int) bool {
			return slices.ContainsFunc(groups, func(h host.Group) bool { return h.GID == id })
		})
	}
	// gshadow first: the line in group is what makes the account exist.
	if err := addAccountLine(env, "/etc/gshadow", fmt.Sprintf("%s:!::", g.Name), false); err != nil {
		return err
	}
	return addAccountLine(env, "/etc/group", fmt.Sprintf("%s:x:%d:", g.Name, gid), true)
}

// Undo implements [engine.Undoer].
func (Group) Undo(ctx context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[groupBefore](raw)
	if err != nil {
		return err
	}
	have, err := env.Host.LookupGroup(before.Name)
	if errors.Is(err, host.ErrUnknownAccount) {
		return before.drop(env)
	}
	if err != nil {
		return err
	}
	who, err := primaryOf(env, have.GID)
	if err != nil {
		return err
	}
	if who != "" {
		return &engine.LeftError{What: "group " + before.Name, Why: "user " + who + " has it as primary group"}
	}
	if env.Host.Live() {
		_, err := runOnAccounts(ctx, env, []string{"groupdel", before.Name})
		return err
	}
	return before.drop(env)
}

// drop removes the account from the files of a tree.
func (b groupBefore) drop(env *engine.Env) error {
	if env.Host.Live() {
		return nil
	}
	if err := dropAccountLine(env, "/etc/gshadow", b.Name); err != nil {
		return err
	}
	return dropAccountLine(env, "/etc/group", b.Name)
}

// Remains implements [engine.Remainer].
func (Group) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[groupBefore](raw)
	if err != nil {
		return nil, err
	}
	if _, err := env.Host.LookupGroup(before.Name); err != nil {
		return nil, nil
	}
	return []string{"group " + before.Name}, nil
}

// primaryOf returns a user whose primary group has the gid.
func primaryOf(env *engine.Env, gid int) (string, error) {
	users, err := env.Host.Users()
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(users, func(u host.User) bool { return u.GID == gid })
	if i < 0 {
		return "", nil
	}
	return users[i].Name, nil
}

// freeID returns the first number for people's accounts that is not taken. Distributions begin at 1000 (UID_MIN of
// login.defs).
func freeID(taken func(int) bool) int {
	id := 1000
	for taken(id) {
		id++
	}
	return id
}

// addAccountLine adds a line to passwd, group or their shadow; a missing file is made only when it must exist.
func addAccountLine(env *engine.Env, path, line string, must bool) error {
	if !must && !env.Host.Exists(path) {
		return nil
	}
	if err := makeParents(env, path); err != nil {
		return err
	}
	name, _, _ := strings.Cut(line, ":")
	return env.Host.EditFile(path, host.FileMode{}, func(old []byte) ([]byte, error) {
		kept := withoutAccount(old, name)
		if len(kept) > 0 && kept[len(kept)-1] != '\n' {
			kept = append(kept, '\n')
		}
		return append(kept, line+"\n"...), nil
	})
}

func dropAccountLine(env *engine.Env, path, name string) error {
	if err := env.Host.Remove(host.TempName(path)); err != nil || !env.Host.Exists(path) {
		return err
	}
	return env.Host.EditFile(path, host.FileMode{}, func(old []byte) ([]byte, error) {
		return withoutAccount(old, name),
			nil
	})
}

func withoutAccount(content []byte, name string) []byte {
	var out []byte
	for line := range bytes.Lines(content) {
		if !bytes.HasPrefix(line, []byte(name+":")) {
			out = append(out, line...)
		}
	}
	return out
}
