package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"fate-installer/installer/host"
)

// stalePasswords says which password of a kept data directory is not the wanted one, by the hashes in its mark; empty
// when all are right. The mark is written after the passwords are set, so one that a killed run did not write leads to
// setting them again.
func (d Init) stalePasswords(h *host.Host, data string) (string, error) {
	m, err := readMark(h, path.Join(data, datadirMark))
	if err != nil {
		return "", err
	}
	why := d.differingPassword(m)
	if why == "" || d.Socket != "" {
		return why, nil
	}
	if running, err := d.runs(h, data); err != nil || running {
		return "", err
	}
	return why, nil
}

func (d Init) differingPassword(m mark) string {
	if !storedPasswordIs(sha2PasswordPlugin, m.Root, d.RootPassword) {
		return "the database has another password of its administrator"
	}
	for _, a := range d.Accounts {
		if !storedPasswordIs(sha2PasswordPlugin, m.Accounts[a.Name], a.Password) {
			return "the database has another password of its account " + a.Name
		}
	}
	return ""
}

// runs reports whether a server runs on the data directory.
func (d Init) runs(h *host.Host, data string) (bool, error) {
	_, running, err := h.LockHolder(path.Join(data, "ibdata1"))
	return running, err
}

// renewPasswords gives the administrator and the accounts of a kept data directory the wanted passwords, and then notes
// them in the mark. It may be cut off anywhere: the next attempt sets all of them again.
func (d Init) renewPasswords(ctx context.Context, h *host.Host, data string) error {
	why, err := d.stalePasswords(h, data)
	if err != nil || why == "" {
		return err
	}
	running, err := d.runs(h, data)
	if err != nil {
		return err
	}
	if !running {
		err = d.renewStopped(ctx, h, data)
		if err != nil && ctx.Err() == nil && d.Socket != "" { // the supervisor may have started the server in between
			running, _ = d.runs(h, data)
		}
	}
	if running {
		err = d.renewRunning(ctx, h, data)
	}
	if err != nil {
		return err
	}
	m, err := readMark(h, path.Join(data, datadirMark))
	if err != nil {
		return err
	}
	m.remember(d.RootPassword, d.Accounts)
	return d.writeMark(h, data, m)
}

// renewStopped sets the passwords by way of a temporary server that needs none and that only this process can reach.
func (d Init) renewStopped(ctx context.Context, h *host.Host, data string) error {
	log, closeLog, err := d.openLog(h)
	if err != nil {
		return err
	}
	err = d.withServer(ctx, h, data, log, d.timeout(), func(ctx context.Context, db *sql.DB) error {
		admin, err := inspectServer(ctx, db)
		if err != nil {
			return err
		}
		// Accounts can be changed only once the server has read them.
		if err := admin.exec(ctx, "read the accounts of the kept database", "FLUSH PRIVILEGES"); err != nil {
			return err
		}
		return admin.setPasswords(ctx, d.RootPassword, d.Accounts)
	}, "--skip-grant-tables")
	return errors.Join(err, closeLog())
}

// renewRunning sets the passwords through the socket of the server that runs on the data directory. A server that has
// just been started is waited for.
func (d Init) renewRunning(ctx context.Context, h *host.Host, data string) error {
	database := Contents{
		Address:       Address{Socket: d.Socket},
		AdminPassword: d.RootPassword, FormerPasswords: d.FormerRootPasswords,
	}
	deadline := time.Now().Add(d.timeout())
	for {
		admin, _, err := database.connect(ctx, h)
		if err == nil {
			defer admin.db.Close()
			return admin.setPasswords(ctx, d.RootPassword, d.Accounts)
		}
		running, lookErr := d.runs(h, data)
		if errors.Is(err, errRefused) || lookErr != nil || !running || time.Now().After(deadline) {
			return errors.Join(err, lookErr)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}

// setPasswords makes the accounts and gives them and the administrator their passwords. An account that exists for
// further client hosts gets the password there, too: a replaced password must not open the database from anywhere.
func (a *administrator) setPasswords(ctx context.Context, root Password, accounts []Account) error {
	for _, account := range accounts {
		if err := a.putAccount(ctx, account); err != nil {
			return err
		}
		hosts, err := a.names(ctx, "SELECT host FROM mysql.user WHERE user = ?", account.Name)
		if err != nil {
			return fmt.Errorf("cannot list the accounts %s: %w", account.Name, err)
		}
		for _, from := range hosts {
			if slices.Contains(account.Hosts, from) {
				continue
			}
			_, same, err := a.passwordIs(ctx, account.Name, from, account.Password)
			if err == nil && !same {
				err = a.setPassword(ctx, account.Name, from, account.Password)
			}
			if err != nil {
				return err
			}
		}
	}
	return a.setPassword(ctx, rootAccount, rootHost, root)
}

// CheckLogin logs in to a server as a client does. [LoginRefused] tells a wrong password from other errors.
func CheckLogin(ctx context.Context, h *host.Host, at Address, user string, password Password) error {
	db, err := open(h, at, user, password, "")
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("cannot log in to the database at %s as %s: %w", at, user, err)
	}
	return nil
}

// LoginRefused reports whether a server refused the password of a login.
func LoginRefused(err error) bool {
	return errors.Is(err, errRefused) || serverError(err, errAccessDenied, errAccessNoPassword)
}

// NoAccountHere reports whether a server has no account for any login from the client's address.
func NoAccountHere(err error) bool { return serverError(err, errHostNotAllowed) }
