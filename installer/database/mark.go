package database

import (
	"encoding/json"
	"fmt"
	"path"

	"fate-installer/installer/host"
)

// mark is the content of datadirMark.
type mark struct {
	Flavour Flavour `json:"flavour"`
	Version string  `json:"version,omitempty"` // of the server that made it
	Root    string  `json:"root,omitempty"`    // the administrator's password, hashed as the server itself does

	// Accounts has the hashed password of each account by name. A mark of an older release has none.
	Accounts map[string]string `json:"accounts,omitempty"`
}

// remember puts the present passwords into the mark, hashed.
func (m *mark) remember(root Password, accounts []Account) {
	m.Root, m.Accounts = newSHA2Hash(root), map[string]string{}
	for _, a := range accounts {
		m.Accounts[a.Name] = newSHA2Hash(a.Password)
	}
}

func readMark(h *host.Host, file string) (mark, error) {
	var m mark
	data, err := h.ReadFile(file)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("cannot read %s: %w", file, err)
	}
	return m, nil
}

func (d Init) writeMark(h *host.Host, dir string, m mark) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return h.WriteFile(path.Join(dir, datadirMark), append(data, '\n'),
		host.FileMode{Perm: 0o600, Owner: d.User, Group: d.Group})
}
