package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"

	"fate-installer/scripts/cache"
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

// spec has the keeper's inputs, kept in the lab's directory.
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
			return nil, fmt.Errorf("cannot use host name %q: want at most %d of a-z, 0-9 and -, starting with a letter",
				name, maxHostName)
		}
		prefix, err := parsePrefix(addr)
		if err != nil {
			return nil, fmt.Errorf("cannot read the address of host %q: %w", name, err)
		}
		for _, h := range hosts {
			if h.Name == name || h.Addr.Addr() == prefix.Addr() {
				return nil, fmt.Errorf("cannot use host %q: its name or address is taken by %s=%s", item,
					h.Name, h.Addr.Addr())
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

func labsDir() (string, error) {
	return cache.Dir("labs")
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
