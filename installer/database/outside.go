package database

import (
	"context"
	"fmt"
	"strings"

	"fate-installer/installer/engine"
)

// AccountFact is the result of a login as an account.
type AccountFact struct {
	Name    string
	Refused bool    // the server does not let it in from this host with this password
	Error   string  // why it could not log in; blank when it could
	As      string  // the account that the server matched, as user@host
	Grants  []Grant // its rights

	err error
}

// tryAccount logs in to an outside server as the account does.
func (a *administrator) tryAccount(ctx context.Context, account Account) AccountFact {
	fact := AccountFact{Name: account.Name}
	fact.err = func() error {
		db, err := a.outside(account.Name, account.Password)
		if err != nil {
			return err
		}
		defer db.Close()
		if err := db.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&fact.As); err != nil {
			fact.Refused = serverError(err, errAccessDenied, errAccessNoPassword, errHostNotAllowed,
				errHostNotPrivileged,
				errPluginNotAvailable)
			return fmt.Errorf("cannot log in as %s: %w", account.Name, err)
		}
		fact.Grants, err = ownGrants(ctx, db)
		if err != nil {
			return fmt.Errorf("cannot list the rights of %s: %w", fact.As, err)
		}
		return nil
	}()
	if fact.err != nil {
		fact.Error = fact.err.Error()
	}
	return fact
}

// outsideGrants lists the schemas on which an account that can log in lacks rights.
func (a *administrator) outsideGrants(account Account, fact AccountFact) []repair {
	at := strings.LastIndexByte(fact.As, '@')
	var out []repair
	for _, schema := range account.Schemas {
		if len(missingRights(fact.Grants, schema, serviceRights)) > 0 {
			out = append(out, a.grant(fact.As[:at], fact.As[at+1:], schema))
		}
	}
	return out
}

// unseenAccountRepairs makes an account, or gives it its password and rights, without a look into the server's table of
// accounts, which the administrator may not read. refusal is why the account could not log in.
func (a *administrator) unseenAccountRepairs(account Account, from string, refusal error) []repair {
	name := account.Name + "@" + from
	out := []repair{{fmt.Sprintf("%v", refusal), func(ctx context.Context) error {
		if err := a.exec(ctx, "create the account "+name, "CREATE USER IF NOT EXISTS ?@?"+a.identified(), account.Name,
			from,
			string(account.Password)); err != nil {
			return err
		}
		return a.setPassword(ctx, account.Name, from, account.Password)
	}}}
	for _, schema := range account.Schemas {
		out = append(out, a.grant(account.Name, from, schema))
	}
	return out
}

// forDBA is where the statements are that an administrator's account without the rights for them cannot carry out.
const forDBA = "have the database's administrator run what fate-installer config sql --for-dba prints, or give the\n" +
	"account the rights that fate-installer check lists as missing"

// explainDenied adds the way out to the error of a statement that an outside server does not let us carry out.
func (d Contents) explainDenied(err error) error {
	denied := serverError(err, errSchemaDenied, errTableDenied, errColumnDenied, errRightNeeded, errGrantMakesNoUser)
	if d.isSocket() || !denied {
		return err
	}
	return engine.WithHint(err, forDBA)
}
