package account

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"fate-installer/supervisor/shim"
)

// User is an account that programs run as, with its rights.
type User struct {
	UID, GID int
	Groups   []int
	Name     string
	Home     string
	Self     bool // the daemon's own user: nothing has to change
}

// Lookup finds a user by name or number in the machine's user database; "" is the daemon's own user.
func Lookup(name string) (User, error) {
	if name == "" {
		return User{UID: os.Geteuid(), GID: os.Getegid(), Self: true}, nil
	}
	u, err := machineAccounts.user(name)
	if err != nil {
		return User{}, fmt.Errorf("cannot find user %s: %w", name, err)
	}
	a := User{Name: u.Username, Home: u.HomeDir}
	a.UID, err = strconv.Atoi(u.Uid)
	if err != nil {
		return User{}, fmt.Errorf("user %s has the uid %q", name, u.Uid)
	}
	if a.GID, err = strconv.Atoi(u.Gid); err != nil {
		return User{}, fmt.Errorf("user %s has the gid %q", name, u.Gid)
	}
	if a.Groups, err = machineAccounts.groups(u); err != nil {
		return User{}, fmt.Errorf("cannot find the groups of user %s: %w", name, err)
	}
	a.Self = a.UID == os.Geteuid()
	if !a.Self && os.Geteuid() != 0 {
		return User{}, fmt.Errorf("cannot run as user %s: the supervisor runs as uid %d, not as root",
			name, os.Geteuid())
	}
	return a, nil
}

// Do runs f with the file system rights of the account. Log files lie in directories that belong to the program's
// user, who could put a symbolic link to any file of the machine there; opened as that user, a link gives
// away nothing. f runs on a thread of its own, which gets its rights back after, or ends.
func (a User) Do(f func() error) error {
	if a.Self {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		own, err := unix.Getgroups()
		defer func() {
			if err == nil && takeRights(own, os.Getegid(), os.Geteuid()) == nil {
				runtime.UnlockOSThread() // else the thread ends with the goroutine
			}
		}()
		if err := takeRights(a.Groups, a.GID, a.UID); err != nil {
			done <- fmt.Errorf("cannot take the file rights of %s: %w", a.Name, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// takeRights gives the calling thread other file system rights.
func takeRights(groups []int, gid, uid int) error {
	// With the daemon's own uid come its rights to change the others.
	if uid == os.Geteuid() {
		if err := takeID(unix.SYS_SETFSUID, uid); err != nil {
			return err
		}
	}
	if err := shim.SetThreadGroups(groups); err != nil {
		return err
	}
	if err := takeID(unix.SYS_SETFSGID, gid); err != nil {
		return err
	}
	return takeID(unix.SYS_SETFSUID, uid)
}

// takeID calls setfsuid or setfsgid, which report no errors; asking again gives the id in force.
func takeID(call uintptr, id int) error {
	_, _, _ = syscall.RawSyscall(call, uintptr(id), 0, 0)
	if got, _, _ := syscall.RawSyscall(call, ^uintptr(0), 0, 0); got != uintptr(id) {
		return unix.EPERM
	}
	return nil
}
