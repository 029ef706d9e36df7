package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"
)

// maxHostName keeps "vb-" plus the name, the host's end on the bridge, within the
// 15 characters of an interface name, so that tc and tcpdump can be given it.
const maxHostName = 12

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Host is one machine of a lab.
type Host struct {
	Name string       `json:"name"`
	Addr netip.Prefix `json:"addr"` // address and on-link network, e.g. 192.168.0.1/16
}

// spec is what the keeper needs to know, kept in the lab's directory.
type spec struct {
	Name  string `json:"name"`
	Base  string `json:"base"` // shared root file system
	Hosts []Host `json:"hosts"`
}

// ParseHosts reads "a=192.168.0.1,b=192.168.0.2". An address may carry the length of
// its on-link network; without one it is /16, so that 192.168.0.1 and 192.168.1.1
// see each other without a router.
func ParseHosts(list []string) ([]Host, error) {
	var hosts []Host
	for _, item := range list {
		name, addr, ok := cut(item)
		if !ok {
			return nil, fmt.Errorf("cannot read host %q: want NAME=ADDRESS", item)
		}
		if !nameForm.MatchString(name) || len(name) > maxHostName {
			return nil, fmt.Errorf("cannot use host name %q: want at most %d of a-z, 0-9 and -, starting with a letter", name, maxHostName)
		}
		prefix, err := parsePrefix(addr)
		if err != nil {
			return nil, fmt.Errorf("cannot read the address of host %q: %w", name, err)
		}
		for _, h := range hosts {
			if h.Name == name || h.Addr.Addr() == prefix.Addr() {
				return nil, fmt.Errorf("cannot use host %q: its name or address is taken by %s=%s", item, h.Name, h.Addr.Addr())
			}
		}
		hosts = append(hosts, Host{Name: name, Addr: prefix})
	}
	if len(hosts) == 0 {
		return nil, errors.New("cannot make a lab without hosts")
	}
	return hosts, nil
}

func cut(item string) (name, addr string, ok bool) {
	for i := range item {
		if item[i] == '=' {
			return item[:i], item[i+1:], true
		}
	}
	return "", "", false
}

func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	bits := 16
	if a.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(a, bits), nil
}

// CacheDir is the one directory in which the lab keeps things on disk: root file
// systems, downloads and the labs that are up. It is below $XDG_CACHE_HOME, and
// below /var/cache for a caller without a home.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = "/var/cache"
	}
	dir := filepath.Join(base, "fate-installer")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the cache directory: %w", err)
	}
	return dir, nil
}

func labsDir() (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "labs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot create the directory of the labs: %w", err)
	}
	return dir, nil
}

func labDir(name string) (string, error) {
	if !nameForm.MatchString(name) || len(name) > 32 {
		return "", fmt.Errorf("cannot use lab name %q: want at most 32 of a-z, 0-9 and -, starting with a letter", name)
	}
	dir, err := labsDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

func (s spec) save(dir string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("cannot encode lab %s: %w", s.Name, err)
	}
	return os.WriteFile(filepath.Join(dir, "lab.json"), data, 0o600)
}

func loadSpec(dir string) (spec, error) {
	var s spec
	data, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil {
		return s, fmt.Errorf("cannot read the lab: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("cannot read the lab in %s: %w", dir, err)
	}
	return s, nil
}

// errBusy is returned by tryLock when another process holds the lock.
var errBusy = errors.New("locked by another process")

// tryLock takes the lock file at path, creating it. The lock belongs to the open
// file, so it can be handed to a child and ends with the last process that has it.
// mode is unix.LOCK_EX or unix.LOCK_SH, with LOCK_NB for errBusy instead of waiting.
func tryLock(path string, mode int) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("cannot open the lock: %w", err)
		}
		if err := flock(f, mode); err != nil {
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, errBusy
			}
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		// The holder before us may have removed the file while we waited for it.
		held, err1 := f.Stat()
		named, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(held, named) {
			return f, nil
		}
		f.Close()
		if err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot look at the lock: %w", err2)
		}
	}
}

func flock(f *os.File, mode int) error {
	for {
		err := unix.Flock(int(f.Fd()), mode)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
