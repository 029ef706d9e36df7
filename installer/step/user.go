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
	"strconv"
	"strings"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// User is an account. One that exists is used as it is, whatever its uid, and added to Group when it is not a member.
// On a machine it is made with useradd; in a tree without commands the files are edited.
type User struct {
	Name  string
	UID   int    // 0: any
	Group string // primary group; must exist
	Home  string // "": /home/NAME
	Shell string // "": /bin/bash
}

// userBefore is the state before User.
type userBefore struct {
	Name     string   `json:"name"`
	Made     bool     `json:"made,omitempty"`      // the user did not exist
	Home     string   `json:"home,omitempty"`      // and its home directory, this one, neither
	Mail     string   `json:"mail,omitempty"`      // nor its mailbox, this one
	Parents  []string `json:"parents,omitempty"`   // of the home directory, that did not exist
	JoinedTo string   `json:"joined_to,omitempty"` // the user existed and was not a member of this group
}

// The marks tell what we did with a user.
const (
	markMade   = "made"
	markJoined = "joined"
)

// errIsRoot is the cause when an account that programs are to run as has uid 0, whatever its name.
var errIsRoot = errors.New("its uid is 0, so its programs would run with root's rights")

// mailDir is where useradd of some distributions makes a mailbox.
const mailDir = "/var/spool/mail"

// ID implements [engine.Step].
func (u User) ID() string { return kindUser + ":" + u.Name }

// Describe implements [engine.Describer].
func (u User) Describe() string {
	return fmt.Sprintf("user %s, group %s, home %s", u.Name, u.Group, u.home())
}

func (u User) home() string {
	if u.Home != "" {
		return u.Home
	}
	return path.Join("/home", u.Name)
}

func (u User) shell() string {
	if u.Shell != "" {
		return u.Shell
	}
	return "/bin/bash"
}

// Check implements [engine.Step].
func (u User) Check(_ context.Context, env *engine.Env) (engine.Finding, error) {
	have, err := env.Host.LookupUser(u.Name)
	if errors.Is(err, host.ErrUnknownAccount) {
		before := userBefore{Name: u.Name, Made: true}
		if !env.Host.Exists(u.home()) {
			before.Home = u.home()
			if before.Parents, err = env.Host.MissingParents(path.Dir(u.home())); err != nil {
				return engine.Finding{}, err
			}
		}
		if mail := path.Join(mailDir, u.Name); !env.Host.Exists(mail) {
			before.Mail = mail
		}
		return todo("it does not exist", before, markMade), nil
	}
	if err != nil {
		return engine.Finding{}, err
	}
	if have.UID == 0 {
		return engine.Finding{}, fmt.Errorf("cannot use user %s: %w", u.Name, errIsRoot)
	}
	if u.UID != 0 && have.UID != u.UID {
		return engine.Finding{}, fmt.Errorf("cannot make user %s with uid %d: it exists with uid %d",
			u.Name, u.UID, have.UID)
	}
	member, err := u.isMember(env, have)
	if err != nil {
		return engine.Finding{}, err
	}
	if !member {
		return todo("it is not in group "+u.Group, userBefore{Name: u.Name, JoinedTo: u.Group}, markJoined), nil
	}
	if u.lacksHome(env, have) {
		return todo("its home directory is missing", userBefore{Name: u.Name, Home: u.home()}, markMade), nil
	}
	return engine.Finding{Done: true}, nil
}

// lacksHome reports whether a power cut made us lose the home directory of a user that we made: useradd makes the
// account first. The home of a user that is not ours is left alone.
func (u User) lacksHome(env *engine.Env, have host.User) bool {
	return slices.Contains(env.Ledger.Wrote(u.ID()), markMade) && have.Home == u.home() && !env.Host.Exists(u.home())
}

func (u User) isMember(env *engine.Env, have host.User) (bool, error) {
	if u.Group == "" {
		return true, nil
	}
	g, err := env.Host.LookupGroup(u.Group)
	if errors.Is(err, host.ErrUnknownAccount) {
		return false, nil
	}
	return err == nil && (have.GID == g.GID || slices.Contains(g.Members, u.Name)), err
}

// Apply implements [engine.Step].
func (u User) Apply(ctx context.Context, env *engine.Env) error {
	have, err := env.Host.LookupUser(u.Name)
	switch {
	case err == nil:
		member, err := u.isMember(env, have)
		if err == nil && !member {
			err = u.join(ctx, env)
		}
		if err == nil && u.lacksHome(env, have) {
			err = u.makeHome(env)
		}
		return err
	case !errors.Is(err, host.ErrUnknownAccount):
		return err
	case env.Host.Live():
		return u.add(ctx, env)
	}
	return u.write(env)
}

func (u User) add(ctx context.Context, env *engine.Env) error {
	args := []string{"useradd", "-d", u.home(), "-s", u.shell()}
	if env.Host.Exists(u.home()) {
		args = append(args, "-M")
	} else {
		args = append(args, "-m")
	}
	if u.Group != "" {
		args = append(args, "-g", u.Group)
	}
	if u.UID != 0 {
		args = append(args, "-u", strconv.Itoa(u.UID))
	}
	_, err := runOnAccounts(ctx, env, append(args, u.Name))
	return err
}

func (u User) join(ctx context.Context, env *engine.Env) error {
	if env.Host.Live() {
		_, err := runOnAccounts(ctx, env, []string{"usermod", "-a", "-G", u.Group, u.Name})
		return err
	}
	return editMembers(env, u.Group, func(members []string) []string { return append(members, u.Name) })
}

// write adds the account to the files of a tree.
func (u User) write(env *engine.Env) error {
	group, err := env.Host.LookupGroup(u.Group)
	if err != nil {
		return err
	}
	users, err := env.Host.Users()
	if err != nil {
		return err
	}
	uid := u.UID
	if uid == 0 {
		uid = freeID(func(id int) bool {
			return slices.ContainsFunc(users, func(h host.User) bool { return h.UID == id })
		})
	}
	if !env.Host.Exists(u.home()) {
		if err := u.makeHome(env); err != nil {
			return err
		}
	}
	line := fmt.Sprintf("%s:x:%d:%d::%s:%s", u.Name, uid, group.GID, u.home(), u.shell())
	// No password, and no day of its last change, which would make two builds of an image differ.
	if err := addAccountLine(env, "/etc/shadow", u.Name+":!::0:99999:7:::", false); err != nil {
		return err
	}
	return addAccountLine(env, "/etc/passwd", line, true)
}

func (u User) makeHome(env *engine.Env) error {
	if err := makeParents(env, u.home()); err != nil {
		return err
	}
	return env.Host.Mkdir(u.home(), host.FileMode{Perm: 0o700, Owner: u.Name, Group: u.Group})
}

// Undo implements [engine.Undoer]. It removes only an account that it made, and a home directory only when all that
// is in it came with it.
func (User) Undo(ctx context.Context, env *engine.Env, raw json.RawMessage) error {
	before, err := decode[userBefore](raw)
	if err != nil {
		return err
	}
	_, err = env.Host.LookupUser(before.Name)
	exists := err == nil
	if err != nil && !errors.Is(err, host.ErrUnknownAccount) {
		return err
	}
	if before.JoinedTo != "" {
		return before.leave(ctx, env, exists)
	}
	if before.Made && (exists || !env.Host.Live()) {
		if err := before.remove(ctx, env); err != nil {
			return err
		}
	}
	return before.removeFiles(env)
}

func (b userBefore) leave(ctx context.Context, env *engine.Env, exists bool) error {
	g, err := env.Host.LookupGroup(b.JoinedTo)
	if !exists || err != nil || !slices.Contains(g.Members, b.Name) {
		return nil
	}
	if env.Host.Live() {
		_, err := runOnAccounts(ctx, env, []string{"gpasswd", "-d", b.Name, b.JoinedTo})
		return err
	}
	return editMembers(env, b.JoinedTo, func(members []string) []string {
		return slices.DeleteFunc(members, func(m string) bool { return m == b.Name })
	})
}

// userdelBusy is the status of userdel when the user has processes.
const userdelBusy = 8

func (b userBefore) remove(ctx context.Context, env *engine.Env) error {
	if !env.Host.Live() {
		if err := dropAccountLine(env, "/etc/shadow", b.Name); err != nil {
			return err
		}
		return dropAccountLine(env, "/etc/passwd", b.Name)
	}
	_, err := runOnAccounts(ctx, env, []string{"userdel", b.Name})
	var exit *host.ExitError
	if errors.As(err, &exit) && exit.Code == userdelBusy {
		return &engine.LeftError{What: "user " + b.Name, Why: "it has processes"}
	}
	return err
}

func (b userBefore) removeFiles(env *engine.Env) error {
	if b.Mail != "" {
		if fi, err := env.Host.Lstat(b.Mail); err == nil && fi.Size() == 0 {
			if err := env.Host.Remove(b.Mail); err != nil {
				return err
			}
		}
	}
	if b.Home == "" {
		return nil
	}
	if err := env.Host.RemoveAll(host.TempName(b.Home)); err != nil {
		return err
	}
	if !env.Host.Exists(b.Home) {
		return dropParents(env, b.Parents)
	}
	extra, err := beyondSkeleton(env, b.Home, "/etc/skel")
	if err != nil {
		return err
	}
	if extra != "" {
		return &engine.LeftError{What: b.Home, Why: extra + " is in it"}
	}
	if err := env.Host.RemoveAll(b.Home); err != nil {
		return err
	}
	return dropParents(env, b.Parents)
}

// beyondSkeleton returns a file below home that did not come from the skeleton directory.
func beyondSkeleton(env *engine.Env, home, skel string) (string, error) {
	entries, err := env.Host.ReadDir(home)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		at, from := path.Join(home, e.Name()), path.Join(skel, e.Name())
		switch {
		case e.IsDir():
			if extra, err := beyondSkeleton(env, at, from); err != nil || extra != "" {
				return extra, err
			}
		case e.Type()&fs.ModeSymlink != 0:
			a, err1 := env.Host.Readlink(at)
			b, err2 := env.Host.Readlink(from)
			if err1 != nil || err2 != nil || a != b {
				return at, nil
			}
		default:
			a, err1 := env.Host.ReadFile(at)
			b, err2 := env.Host.ReadFile(from)
			if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
				return at, nil
			}
		}
	}
	return "", nil
}

// Remains implements [engine.Remainer].
func (User) Remains(_ context.Context, env *engine.Env, raw json.RawMessage) ([]string, error) {
	before, err := decode[userBefore](raw)
	if err != nil {
		return nil, err
	}
	var out []string
	if _, err := env.Host.LookupUser(before.Name); err == nil && before.Made {
		out = append(out, "user "+before.Name)
	}
	for _, p := range []string{before.Home, before.Mail} {
		if p != "" && env.Host.Exists(p) {
			out = append(out, p)
		}
	}
	if g, err := env.Host.LookupGroup(before.JoinedTo); err == nil && slices.Contains(g.Members, before.Name) {
		out = append(out, fmt.Sprintf("membership of %s in group %s", before.Name, before.JoinedTo))
	}
	return out, nil
}

// editMembers changes the list of members of a group in the files of a tree.
func editMembers(env *engine.Env, group string, edit func([]string) []string) error {
	g, err := env.Host.LookupGroup(group)
	if err != nil {
		return err
	}
	return env.Host.EditFile("/etc/group", host.FileMode{}, func(old []byte) ([]byte, error) {
		return replaceMembers(old, g.Name, edit(slices.Clone(g.Members))), nil
	})
}

// replaceMembers replaces the fourth field of a group's line.
func replaceMembers(content []byte, group string, members []string) []byte {
	var out []byte
	for line := range bytes.Lines(content) {
		f := bytes.Split(bytes.TrimRight(line, "\n"), []byte(":"))
		if string(f[0]) == group && len(f) == 4 {
			f[3] = []byte(strings.Join(members, ","))
			line = append(bytes.Join(f, []byte(":")), '\n')
		}
		out = append(out, line...)
	}
	return out
}
