package database

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"fate-installer/installer/engine"
)

const (
	oldRoot, newRoot = Password("The former one 1!"), Password(`n:e#w"o'n\e`)
	oldFate, newFate = Password("fate_dev"), Password(`fate'--\';DROP`)
)

// passwordInit is a data directory with an account that has rights, as a party's has.
func passwordInit(s Server, root, fate Password) Init {
	d := testInit(s)
	d.RootPassword, d.Socket = root, filepath.Join(s.Data, "s.sock")
	d.Accounts = []Account{{Name: "fate", Hosts: []string{"localhost", "127.0.0.1"}, Password: fate,
		Schemas: []string{"fate_flow"}}}
	return d
}

// rotatedInit wants the new passwords and knows the old one of the administrator.
func rotatedInit(s Server) Init {
	d := passwordInit(s, newRoot, newFate)
	d.FormerRootPasswords = []Password{"never used", oldRoot}
	return d
}

// passwordsAre makes sure that the running server takes these passwords, and no former one.
func passwordsAre(t *testing.T, env *engine.Env, socket string, root, fate Password, former ...Password) {
	t.Helper()
	for user, password := range map[string]Password{rootAccount: root, "fate": fate} {
		if err := login(t, env, socket, user, password).Ping(); err != nil {
			t.Errorf("%s cannot log in: %v", user, err)
		}
		for _, f := range former {
			if err := login(t, env, socket, user, f).Ping(); !serverError(err, errAccessDenied) {
				t.Errorf("%s with a former password: %v", user, err)
			}
		}
	}
}

// runningAs is running for an administrator with another password.
func runningAs(t *testing.T, env *engine.Env, s Server, root Password) (stop func()) {
	t.Helper()
	_, stop = startServer(t, env, s, root)
	return stop
}

// TestKeptDataGetsEveryPassword installs over a data directory whose passwords are lost, and over one where only the
// account's changed: both are set before the server is started, so that its readiness probe can log in at once.
func TestKeptDataGetsEveryPassword(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, passwordInit(s, oldRoot, oldFate))
		lost := passwordInit(s, newRoot, newFate) // knows no former one
		applied(t, env, lost)
		stop := runningAs(t, env, s, newRoot)
		passwordsAre(t, env, lost.Socket, newRoot, newFate, oldRoot, oldFate)
		stop()

		account := passwordInit(s, newRoot, oldFate)
		if finding, err := account.Check(context.Background(), env); err != nil || !strings.Contains(finding.Why,
			"account fate") {
			t.Errorf("another password of the account: %+v, %v", finding, err)
		}
		applied(t, env, account)
		stop = runningAs(t, env, s, newRoot)
		passwordsAre(t, env, account.Socket, newRoot, oldFate, newFate)
		stop()

		other := passwordInit(s, newRoot, oldFate)
		other.Accounts[0].Name = "fate2"
		applied(t, env, other)
		defer runningAs(t, env, s, newRoot)()
		if err := login(t, env, account.Socket, "fate2", oldFate).Ping(); err != nil {
			t.Errorf("an account of another name: %v", err)
		}
	})
}

// TestMarkOfAnOlderRelease is a data directory whose mark knows nothing of accounts.
func TestMarkOfAnOlderRelease(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		d := passwordInit(s, oldRoot, oldFate)
		applied(t, env, d)
		m, err := readMark(env.Host, filepath.Join(s.Data, datadirMark))
		if err != nil {
			t.Fatal(err)
		}
		m.Accounts = nil
		must(t, d.writeMark(env.Host, s.Data, m))
		defer runningAs(t, env, s, oldRoot)()
		applied(t, env, passwordInit(s, oldRoot, newFate))
		passwordsAre(t, env, d.Socket, oldRoot, newFate, oldFate)
	})
}

// TestRotationOfARunningServer changes both passwords through the socket, also those of the account at client hosts
// that the cluster file no longer names.
func TestRotationOfARunningServer(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, passwordInit(s, oldRoot, oldFate))
		defer runningAs(t, env, s, oldRoot)()
		d := rotatedInit(s)
		root := login(t, env, d.Socket, rootAccount, oldRoot)
		admin, err := inspectServer(context.Background(), root)
		must(t, err)
		must(t, admin.putAccount(context.Background(), Account{Name: "fate", Hosts: []string{"192.168.0.9"},
			Password: oldFate}))

		if s.Flavour == FlavourMySQL { // accounts that store their passwords in the other way are changed, too
			for _, user := range []string{"root", "fate"} {
				old := map[string]Password{"root": oldRoot, "fate": oldFate}[user]
				must(t, admin.exec(context.Background(), "use the other plugin",
					"ALTER USER ?@'localhost' IDENTIFIED WITH caching_sha2_password BY ?", user, string(old)))
			}
		}

		applied(t, env, d)
		passwordsAre(t, env, d.Socket, newRoot, newFate, oldRoot, oldFate)
		if _, same, err := admin.passwordIs(context.Background(), "fate", "192.168.0.9", newFate); err != nil || !same {
			t.Errorf("the account at a former client host: %v, %v", same, err)
		}

		unknown := passwordInit(s, "Another 1!", newFate)
		err = unknown.Apply(context.Background(), env)
		var hint interface{ Hint() string }
		if !errors.Is(err, errRefused) || !errors.As(err, &hint) ||
			!strings.Contains(hint.Hint(), "svc stop fate-mysql") {
			t.Errorf("a running server with an unknown password: %v", err)
		}
	})
}

// TestRotationCutOff ends a rotation before each of its statements in turn, as a kill would, while the server runs. The
// same step again always reaches the end state.
func TestRotationCutOff(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, passwordInit(s, oldRoot, oldFate))
		defer runningAs(t, env, s, oldRoot)()
		back := passwordInit(s, oldRoot, oldFate)
		back.FormerRootPasswords = []Password{newRoot}
		for statements := 0; cutOff(t, env, rotatedInit(s), statements); statements++ {
			applied(t, env, rotatedInit(s))
			passwordsAre(t, env, back.Socket, newRoot, newFate, oldRoot, oldFate)
			applied(t, env, back)
		}
		passwordsAre(t, env, back.Socket, newRoot, newFate, oldRoot, oldFate)
	})
}

// TestRotationCutOffWhileStopped cuts off one that goes by way of a temporary server; then the server is started, as a
// reboot does, or is not, and the same step again reaches the end state.
func TestRotationCutOffWhileStopped(t *testing.T) {
	eachServer(t, func(t *testing.T, s Server, env *engine.Env) {
		applied(t, env, passwordInit(s, oldRoot, oldFate))
		back := passwordInit(s, oldRoot, oldFate)
		back.FormerRootPasswords = []Password{newRoot}
		for statements := 0; cutOff(t, env, rotatedInit(s), statements); statements++ {
			if statements == 1 {
				applied(t, env, rotatedInit(s))
			}
			_, stop := startServer(t, env, s, "")
			if statements != 1 {
				applied(t, env, rotatedInit(s))
			}
			passwordsAre(t, env, back.Socket, newRoot, newFate, oldRoot, oldFate)
			applied(t, env, back)
			stop()
			if testing.Short() && statements == 1 {
				return
			}
		}
	})
}

// cutOff applies a step and ends it before the statement of that number. It is false when there are fewer.
func cutOff(t *testing.T, env *engine.Env, d Init, statements int) bool {
	t.Helper()
	killed := errors.New("killed")
	ctx := context.WithValue(context.Background(), statementHook{}, func(what string) error {
		if statements--; statements < 0 {
			return fmt.Errorf("%w before: %s", killed, what)
		}
		return nil
	})
	err := d.Apply(ctx, env)
	if err != nil && !errors.Is(err, killed) {
		t.Fatal(err)
	}
	return err != nil
}
