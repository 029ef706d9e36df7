package step

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"fate-installer/installer/host"
)

// mark is the content of datadirMark.
type mark struct {
	Flavour Flavour `json:"flavour"`
	Version string  `json:"version,omitempty"` // of the server that made it
	Root    string  `json:"root,omitempty"`    // the administrator's password, hashed as the server itself does
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

func (d DatabaseInit) writeMark(h *host.Host, dir string, m mark) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return h.WriteFile(path.Join(dir, datadirMark), append(data, '\n'), host.FileMode{Perm: 0o600, Owner: d.User, Group: d.Group})
}

// stalePassword says that the administrator of a kept database has another password than the present one. A server that
// runs on it is left to the Database step, which can try the passwords it knows.
func (d DatabaseInit) stalePassword(h *host.Host, data string) (string, error) {
	m, err := readMark(h, path.Join(data, datadirMark))
	if err != nil || m.Root == "" || storedPasswordIs(sha2PasswordPlugin, m.Root, d.RootPassword) {
		return "", err
	}
	if _, running, err := h.LockHolder(path.Join(data, "ibdata1")); err != nil || running {
		return "", err
	}
	return "the kept database has another password of its administrator", nil
}

// renewPassword gives the administrator of a kept database the present password, by way of a server that asks for none
// and that nobody else can reach.
func (d DatabaseInit) renewPassword(ctx context.Context, h *host.Host, data string) error {
	why, err := d.stalePassword(h, data)
	if err != nil || why == "" {
		return err
	}
	m, err := readMark(h, path.Join(data, datadirMark))
	if err != nil {
		return err
	}
	log, closeLog, err := d.openLog(h)
	if err != nil {
		return err
	}
	err = d.withServer(ctx, h, data, log, d.patience(), func(ctx context.Context, db *sql.DB) error {
		admin, err := inspectServer(ctx, db)
		if err != nil {
			return err
		}
		// Accounts can be changed only once the server has read them.
		if err := admin.exec(ctx, "read the accounts of the kept database", "FLUSH PRIVILEGES"); err != nil {
			return err
		}
		return admin.setPassword(ctx, rootAccount, rootHost, d.RootPassword)
	}, "--skip-grant-tables")
	if err := errors.Join(err, closeLog()); err != nil {
		return err
	}
	m.Root = newSHA2Hash(d.RootPassword)
	return d.writeMark(h, data, m)
}
