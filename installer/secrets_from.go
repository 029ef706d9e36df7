package main

import (
	"fmt"
	"os"
	"syscall"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/problem"
)

// readHandedSecrets reads the file of --from; blank gives nil.
func readHandedSecrets(g *globals, name string) (*deploy.Handover, error) {
	if name == "" {
		return nil, nil
	}
	data, public, err := readHandedFile(g, name)
	if err != nil {
		return nil, err
	}
	out, err := deploy.DecodeHandover(data)
	if err != nil {
		return nil, exit.Hint(fmt.Errorf("cannot use %s: %w", name, err),
			"carry the file that secrets rotate names on the host where the passwords were changed")
	}
	if public != "" { // only now: nothing else is to be made private because it was named by mistake
		return nil, exit.Hint(fmt.Errorf("cannot use %s: %s", name, public),
			"others may know or have changed these passwords. If not: chown root "+name+"; chmod 600 "+name)
	}
	return out, nil
}

// readHandedFile reads standard input or a file; public says why others than root may know what it has, or have written
// it.
func readHandedFile(g *globals, name string) (data []byte, public string, err error) {
	if name == "-" {
		data, err = input(g, func() ([]byte, error) { return problem.ReadAll(g.Stdin, deploy.HandoverLimit) })
		return data, "", err
	}
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the passwords: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the passwords: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("cannot read the passwords: %s is no regular file", name)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	switch perm := info.Mode().Perm(); {
	case perm&0o077 != 0:
		public = fmt.Sprintf("others than its owner can read or change it (mode %04o)", perm)
	case owner != 0 && owner != os.Geteuid():
		public = fmt.Sprintf("it belongs to another user (uid %d)", owner)
	}
	data, err = problem.ReadAll(file, deploy.HandoverLimit)
	return data, public, err
}
