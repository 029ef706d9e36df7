package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// User is a line of /etc/passwd.
type User struct {
	Name  string `json:"name"`
	UID   int    `json:"uid"`
	GID   int    `json:"gid"`
	Home  string `json:"home"`
	Shell string `json:"shell"`

	Remote bool `json:"remote,omitempty"` // not in /etc/passwd: the name service knows it
}

// Group is a line of /etc/group.
type Group struct {
	Name    string   `json:"name"`
	GID     int      `json:"gid"`
	Members []string `json:"members"`

	Remote bool `json:"remote,omitempty"` // not in /etc/group: the name service knows it
}

// ErrUnknownAccount is the cause when a user or group does not exist.
var ErrUnknownAccount = errors.New("no such account")

// Users lists the tree's /etc/passwd; a missing file is an empty list.
func (h *Host) Users() ([]User, error) {
	var out []User
	err := h.accountLines("/etc/passwd", func(f []string) {
		if u, ok := parseUser(f); ok {
			out = append(out, u)
		}
	})
	return out, err
}

// Groups lists the tree's /etc/group; a missing file is an empty list.
func (h *Host) Groups() ([]Group, error) {
	var out []Group
	err := h.accountLines("/etc/group", func(f []string) {
		if g, ok := parseGroup(f); ok {
			out = append(out, g)
		}
	})
	return out, err
}

// LookupUser finds a user by name or decimal uid: in /etc/passwd, then, on the running machine, in what
// its name service knows (LDAP, sssd). The error wraps [ErrUnknownAccount] when there is none.
func (h *Host) LookupUser(name string) (User, error) {
	users, err := h.Users()
	if err != nil {
		return User{}, err
	}
	id, idErr := strconv.Atoi(name)
	for _, u := range users {
		if u.Name == name || idErr == nil && u.UID == id {
			return u, nil
		}
	}
	if f, ok := h.getent("passwd", name); ok {
		if u, ok := parseUser(f); ok {
			u.Remote = true
			return u, nil
		}
	}
	if idErr == nil {
		return User{Name: name, UID: id, GID: -1}, nil
	}
	return User{}, fmt.Errorf("cannot find user %s: %w", name, ErrUnknownAccount)
}

// LookupGroup finds a group by name or decimal gid, as [Host.LookupUser] does.
func (h *Host) LookupGroup(name string) (Group, error) {
	groups, err := h.Groups()
	if err != nil {
		return Group{}, err
	}
	id, idErr := strconv.Atoi(name)
	for _, g := range groups {
		if g.Name == name || idErr == nil && g.GID == id {
			return g, nil
		}
	}
	if f, ok := h.getent("group", name); ok {
		if g, ok := parseGroup(f); ok {
			g.Remote = true
			return g, nil
		}
	}
	if idErr == nil {
		return Group{Name: name, GID: id}, nil
	}
	return Group{}, fmt.Errorf("cannot find group %s: %w", name, ErrUnknownAccount)
}

// IDs returns the numbers of an owner and a group; -1 for an empty name.
func (h *Host) IDs(owner, group string) (uid, gid int, err error) {
	uid, gid = -1, -1
	if owner != "" {
		u, err := h.LookupUser(owner)
		if err != nil {
			return -1, -1, err
		}
		uid = u.UID
	}
	if group != "" {
		g, err := h.LookupGroup(group)
		if err != nil {
			return -1, -1, err
		}
		gid = g.GID
	}
	return uid, gid, nil
}

// getent asks the name service of the running machine. A static binary has no other way to reach it.
func (h *Host) getent(db, key string) ([]string, bool) {
	if !h.IsSystem() || h.runner == nil {
		return nil, false
	}
	res, err := h.runner.Run(context.Background(), Cmd{Args: []string{"getent", db, key}})
	if err != nil {
		return nil, false
	}
	return strings.Split(strings.TrimSpace(string(res.Stdout)), ":"), true
}

func (h *Host) accountLines(path string, each func(fields []string)) error {
	data, err := h.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read accounts: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			each(strings.Split(line, ":"))
		}
	}
	return nil
}

// parseUser reads the seven fields of passwd(5).
func parseUser(f []string) (User, bool) {
	if len(f) < 7 {
		return User{}, false
	}
	uid, err1 := strconv.Atoi(f[2])
	gid, err2 := strconv.Atoi(f[3])
	return User{Name: f[0], UID: uid, GID: gid, Home: f[5], Shell: f[6]}, err1 == nil && err2 == nil
}

// parseGroup reads the four fields of group(5).
func parseGroup(f []string) (Group, bool) {
	if len(f) < 4 {
		return Group{}, false
	}
	gid, err := strconv.Atoi(f[2])
	g := Group{Name: f[0], GID: gid}
	if f[3] != "" {
		g.Members = strings.Split(f[3], ",")
	}
	return g, err == nil
}
