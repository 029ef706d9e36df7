package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/problem"
)

// handedSecrets is the file that carries changed passwords to the other hosts of a side.
type handedSecrets struct {
	Role    cluster.Role
	Party   int
	Secrets cluster.Secrets // only the shared ones
}

// handedFile is its JSON form.
type handedFile struct {
	Schema  int               `json:"schema"`
	Role    cluster.Role      `json:"role"`
	Party   int               `json:"party"`
	Secrets map[string]string `json:"secrets"` // in clear text, by the cluster file's names
}

// handedSchema is the version of the file; a newer one is refused.
const handedSchema = 1

// handedLimit is far above a file with five passwords.
const handedLimit = 64 << 10

func (h handedSecrets) encode() ([]byte, error) {
	f := handedFile{Schema: handedSchema, Role: h.Role, Party: h.Party, Secrets: map[string]string{}}
	for _, name := range cluster.SecretNames() {
		if value := h.Secrets.Get(name); !value.IsZero() {
			f.Secrets[name] = value.Reveal()
		}
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the passwords for the other hosts: %w", err)
	}
	return append(data, '\n'), nil
}

// decodeHandedSecrets reads what encode wrote. No error quotes the content.
func decodeHandedSecrets(data []byte) (*handedSecrets, error) {
	var f handedFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return nil, errors.New("it is not a file that secrets rotate wrote")
	}
	switch {
	case f.Schema != handedSchema:
		return nil, fmt.Errorf("it has schema %d, this fate-installer knows %d", f.Schema, handedSchema)
	case len(f.Secrets) == 0:
		return nil, errors.New("it has no password in it")
	}
	out := &handedSecrets{Role: f.Role, Party: f.Party}
	for name, value := range f.Secrets {
		if !slices.Contains(cluster.SecretNames(), name) {
			return nil, fmt.Errorf("it has an unknown secret %q", name)
		}
		if err := cluster.CheckSecret(name, value); err != nil {
			return nil, err
		}
		out.Secrets.Set(name, cluster.NewSecret(value))
	}
	return out, nil
}

// readHandedSecrets reads the file of --from; blank gives nil.
func readHandedSecrets(g *globals, name string) (*handedSecrets, error) {
	if name == "" {
		return nil, nil
	}
	data, public, err := readHandedFile(g, name)
	if err != nil {
		return nil, err
	}
	out, err := decodeHandedSecrets(data)
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
		data, err = input(g, func() ([]byte, error) { return problem.ReadAll(g.Stdin, handedLimit) })
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
	data, err = problem.ReadAll(file, handedLimit)
	return data, public, err
}

// fits refuses passwords of another side.
func (h *handedSecrets) fits(spec *cluster.Spec) error {
	if h.Role == spec.Role && h.Party == spec.PartyID {
		return nil
	}
	return exit.With(fmt.Errorf(
		"cannot use these passwords here: they are those of %s of party %d, and this is %s of party %d",
		h.Role, h.Party, spec.Role, spec.PartyID), exit.Usage)
}
