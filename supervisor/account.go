package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"fate-installer/supervisor/shim"
)

// account is who a program runs as.
type account struct {
	uid, gid int
	groups   []int
	name     string
	home     string
	self     bool // the daemon's own user: nothing has to change
}

// lookupAccount finds a user by name or number in the machine's user database; "" is the daemon's own user.
func lookupAccount(name string) (account, error) {
	if name == "" {
		return account{uid: os.Geteuid(), gid: os.Getegid(), self: true}, nil
	}
	u, err := machineAccounts.user(name)
	if err != nil {
		return account{}, fmt.Errorf("cannot find user %s: %w", name, err)
	}
	a := account{name: u.Username, home: u.HomeDir}
	a.uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, fmt.Errorf("user %s has the uid %q", name, u.Uid)
	}
	if a.gid, err = strconv.Atoi(u.Gid); err != nil {
		return account{}, fmt.Errorf("user %s has the gid %q", name, u.Gid)
	}
	if a.groups, err = machineAccounts.groups(u); err != nil {
		return account{}, fmt.Errorf("cannot find the groups of user %s: %w", name, err)
	}
	a.self = a.uid == os.Geteuid()
	if !a.self && os.Geteuid() != 0 {
		return account{}, fmt.Errorf("cannot run as user %s: the supervisor runs as uid %d, not as root", name, os.Geteuid())
	}
	return a, nil
}

// do runs f with the file system rights of the account. Log files lie in directories that belong to the program's
// user, who could put a symbolic link to any file of the machine there; opened as that user, a link gives
// away nothing. f runs on a thread of its own, which is thrown away after.
func (a account) do(f func() error) error {
	if a.self {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := shim.SetThreadGroups(a.groups); err != nil {
			done <- fmt.Errorf("cannot take the groups of %s: %w", a.name, err)
			return
		}
		// setfsgid and setfsuid report no errors; asking again gives the id in force.
		for _, id := range []struct{ call, want uintptr }{{unix.SYS_SETFSGID, uintptr(a.gid)}, {unix.SYS_SETFSUID, uintptr(a.uid)}} {
			_, _, _ = syscall.RawSyscall(id.call, id.want, 0, 0)
			if got, _, _ := syscall.RawSyscall(id.call, ^uintptr(0), 0, 0); got != id.want {
				done <- fmt.Errorf("cannot take the file rights of %s", a.name)
				return
			}
		}
		done <- f()
	}()
	return <-done
}

// executable finds the file a command names, as execvp would with the program's own PATH, and checks that it is a
// file with an execute bit. Whether the user may run it is for exec to say.
func executable(name, path, dir string) (string, os.FileInfo, error) {
	if strings.ContainsRune(name, '/') {
		file := name
		if !filepath.IsAbs(file) && dir != "" {
			file = filepath.Join(dir, file)
		}
		info, err := checkExecutable(file)
		if err != nil {
			return "", nil, err
		}
		return name, info, nil
	}
	for _, d := range filepath.SplitList(path) {
		if d == "" {
			continue
		}
		file := filepath.Join(d, name)
		if info, err := checkExecutable(file); err == nil {
			return file, info, nil
		}
	}
	return "", nil, &ExecError{Path: name, Missing: true, Text: fmt.Sprintf("cannot find the program %s in %s", name, path)}
}

// ExecError says that a program's executable is missing or cannot be executed.
type ExecError struct {
	Path    string
	Missing bool // it does not exist, as opposed to: it is not executable
	Text    string
	Err     error // the system's; nil where we found the fault ourselves
}

func (e *ExecError) Error() string { return e.Text }
func (e *ExecError) Unwrap() error { return e.Err }

func checkExecutable(file string) (os.FileInfo, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, &ExecError{Path: file, Missing: true, Text: fmt.Sprintf("cannot find the program %s: %v", file, withoutPath(err)), Err: err}
	case info.IsDir():
		return nil, &ExecError{Path: file, Text: fmt.Sprintf("cannot execute %s: it is a directory", file)}
	case info.Mode()&0o111 == 0:
		return nil, &ExecError{Path: file, Text: fmt.Sprintf("cannot execute %s: its mode %v has no execute bit", file, info.Mode().Perm())}
	}
	return info, nil
}
