package account

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// nameService finds accounts as the machine's own programs do: in its files, and, for accounts that these do not
// have, in what its name service knows (LDAP, sssd). A static program reaches that through getent only.
type nameService struct {
	programs [][]string    // commands that may be getent; it is not searched for in PATH
	timeout  time.Duration // of one question
	fresh    time.Duration // how long an answer is used without asking again

	mu      sync.Mutex
	answers map[string]nssAnswer
}

type nssAnswer struct {
	fields []string
	asked  time.Time
}

// machineAccounts is the name service of this machine. An answer is used for a minute, because every access to a
// log of a program looks its user up, and for as long as it takes while the service does not answer.
var machineAccounts = &nameService{
	programs: [][]string{{"/usr/bin/getent"}, {"/bin/getent"}}, timeout: 10 * time.Second, fresh: time.Minute,
	answers: map[string]nssAnswer{},
}

// user finds a user by name or number.
func (n *nameService) user(name string) (*user.User, error) {
	u, err := user.Lookup(name)
	if _, e := strconv.Atoi(name); err != nil && e == nil {
		u, err = user.LookupId(name)
	}
	if err == nil {
		return u, nil
	}
	const fields = 7 // of passwd(5)
	if f := n.ask("passwd", name, ":"); len(f) == fields {
		if f[0] != name { // asked by number: the groups are asked for by name
			n.ask("passwd", f[0], ":")
		}
		return &user.User{Username: f[0], Uid: f[2], Gid: f[3], Name: f[4], HomeDir: f[5]}, nil
	}
	return nil, err
}

// groups lists the numbers of a user's groups, the primary one among them.
func (n *nameService) groups(u *user.User) ([]int, error) {
	ids, err := u.GroupIds()
	if _, remote := n.remembered("passwd", u.Username); remote || err != nil {
		// The files know nothing of the groups that the name service has the user in.
		if f := n.ask("initgroups", u.Username, " "); len(f) > 0 {
			ids, err = append(f[1:], u.Gid), nil
		}
	}
	if err != nil {
		return nil, err
	}
	var out []int
	for _, id := range ids {
		if gid, err := strconv.Atoi(id); err == nil && !slices.Contains(out, gid) {
			out = append(out, gid)
		}
	}
	return out, nil
}

// group finds the number of a group by its name.
func (n *nameService) group(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err == nil {
		return strconv.Atoi(g.Gid)
	}
	const fields = 4 // of group(5)
	if f := n.ask("group", name, ":"); len(f) == fields {
		return strconv.Atoi(f[2])
	}
	return 0, err
}

// ask puts a question to getent and splits the answer at sep; it is empty when there is none.
func (n *nameService) ask(database, key, sep string) []string {
	if key == "" || strings.HasPrefix(key, "-") {
		return nil
	}
	last, known := n.remembered(database, key)
	if known && time.Since(last.asked) < n.fresh {
		return last.fields
	}
	line := n.run(database, key)
	if line == "" {
		return last.fields // of before, if there was an answer ever
	}
	fields := strings.Split(line, sep)
	if sep == " " {
		fields = strings.Fields(line)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[database+" "+key] = nssAnswer{fields, time.Now()}
	return fields
}

func (n *nameService) remembered(database, key string) (nssAnswer, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.answers[database+" "+key]
	return a, ok
}

// run gives the first line that getent prints. Its exit status does not count: the daemon's reaper may have taken it.
func (n *nameService) run(database, key string) string {
	ctx, cancel := context.WithTimeout(context.Background(), n.timeout)
	defer cancel()
	for _, program := range n.programs {
		var out bytes.Buffer
		// #nosec G204 -- getent, with a name of the configuration
		cmd := exec.CommandContext(ctx, program[0], append(slices.Clone(program[1:]), database, key)...)
		cmd.Env, cmd.Stdout, cmd.Dir = []string{"LC_ALL=C"}, &out, "/"
		_ = cmd.Run()
		if line, _, ok := strings.Cut(out.String(), "\n"); ok && line != "" {
			return line
		}
	}
	return ""
}

// Name is the name of a user by number, or "uid N".
func Name(uid int) string {
	if u, err := machineAccounts.user(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", uid)
}

// GroupsOf lists the groups of a user by number, as the machine's user database has them; none for an unknown user.
func GroupsOf(uid int) []int {
	u, err := machineAccounts.user(strconv.Itoa(uid))
	if err != nil {
		return nil
	}
	groups, err := machineAccounts.groups(u)
	if err != nil {
		return nil
	}
	return groups
}

// Group finds the number of a group by its name.
func Group(name string) (int, error) { return machineAccounts.group(name) }
