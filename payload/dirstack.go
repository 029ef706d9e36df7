package payload

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// dirStack is a worker's way to the directory it writes to: one open directory for each element of its path. Entries of
// one directory follow each other, so it hardly ever changes.
type dirStack struct {
	d     *destination
	root  int
	names []string
	fds   []int
}

// enter opens dir below the root, making what is missing, and returns it. It stays open until a call for another path.
func (s *dirStack) enter(dir string) (int, error) {
	depth := 0
	for rest := dir; rest != ""; depth++ {
		name, tail, _ := strings.Cut(rest, "/")
		if depth < len(s.names) && s.names[depth] != name {
			s.cut(depth)
		}
		if depth == len(s.names) {
			fd, err := s.open(name)
			if err != nil {
				return -1, err
			}
			s.names, s.fds = append(s.names, name), append(s.fds, fd)
		}
		rest = tail
	}
	s.cut(depth)
	return s.top(), nil
}

func (s *dirStack) top() int {
	if len(s.fds) == 0 {
		return s.root
	}
	return s.fds[len(s.fds)-1]
}

// cut forgets everything below depth.
func (s *dirStack) cut(depth int) {
	for _, fd := range s.fds[depth:] {
		unix.Close(fd)
	}
	s.names, s.fds = s.names[:depth], s.fds[:depth]
}

func (s *dirStack) close() { s.cut(0) }

// open opens the directory name in the top one, and makes it if it is not there.
func (s *dirStack) open(name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := openat(s.top(), name, flags, 0)
	if err != unix.ENOENT {
		return fd, err
	}
	if err := s.d.makeDir(s.top(), name, path.Join(path.Join(s.names...), name)); err != nil {
		return -1, err
	}
	return openat(s.top(), name, flags, 0)
}

// makeDir makes a directory whose entry is in a frame that is not written yet.
func (d *destination) makeDir(parent int, base, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := unix.Mkdirat(parent, base, 0o700)
	if err == unix.EEXIST {
		return nil
	}
	if err == nil {
		d.made[name] = true
	}
	return err
}

// createFile makes a new file; it is an error if there is something of that name.
func createFile(parent int, name string, mode uint32) (int, error) {
	return openat(parent, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
}

func openat(parent int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(parent, name, flags, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func pwrite(fd int, b []byte, offset int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, offset)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b, offset = b[n:], offset+int64(n)
	}
	return nil
}
