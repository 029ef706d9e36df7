package programs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fate-installer/installer/database"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/host"
)

// loginPause is between two looks at a database server that is starting.
const loginPause = time.Second

// refusedLoginError is a database of this host that does not take the password that the host has for it. Waiting does
// not help: a server reads its accounts before it lets anyone in.
type refusedLoginError struct {
	file string // has the password
	err  error
}

func (e *refusedLoginError) Error() string {
	return fmt.Sprintf("the database refuses the password in %s, which was changed outside this program: %v", e.file,
		e.err)
}

func (e *refusedLoginError) Unwrap() error { return e.err }

// Hint is the way out: a stopped database can be given passwords without knowing the present ones.
func (e *refusedLoginError) Hint() string {
	return "give the password that the database has in the cluster file (mysql_fate in secrets:), or set new ones:\n" +
		"fate-installer svc stop fate-mysql && fate-installer secrets rotate mysql_root mysql_fate"
}

// DatabaseLogin logs in to the database server of this host as its readiness probe does, and returns an
// error with a hint when the server answers and refuses the password. Any other failure is nil: the server may be
// starting. The function is nil on a host without a database server.
func DatabaseLogin(h *host.Host, spec *cluster.Spec) func(context.Context) error {
	if !spec.Runs(cluster.MySQL) {
		return nil
	}
	file := render.ProbeConf(spec)
	return func(ctx context.Context) error {
		text, err := h.ReadPlain(file, maxLoginFile)
		if err != nil {
			return nil // it is written before the program is started, and the probe says what is wrong with it
		}
		login, _, err := database.ClientConfig(text)
		if err != nil {
			return nil
		}
		at := database.Address{Socket: login.Addr}
		if err := database.CheckLogin(ctx, h, at, login.User,
			database.Password(login.Passwd)); database.LoginRefused(err) {
			return &refusedLoginError{file, err}
		}
		return nil
	}
}

// maxLoginFile is more than the option file of the probe ever has.
const maxLoginFile = 64 << 10

// unlessRefused starts programs and waits, and stops waiting when the database server among them refuses its password.
func (s *services) unlessRefused(ctx context.Context, names []string, start func(context.Context) error) error {
	if s.login == nil || !slices.Contains(names, cluster.MySQL.Program()) {
		return start(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	looked := make(chan error, 1)
	go func() {
		var refused error
		for refused == nil && ctx.Err() == nil {
			if refused = s.login(ctx); refused != nil {
				cancel(refused)
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(loginPause):
			}
		}
		looked <- refused
	}()
	err := start(ctx)
	cancel(nil)
	if refused := <-looked; err != nil && refused != nil {
		return refused
	}
	return err
}
