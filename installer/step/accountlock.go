package step

import (
	"context"
	"errors"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
)

// runOnAccounts runs a tool that changes accounts. Locks of one that was killed are removed before, for they would be
// waited for, and after, when this one was.
func runOnAccounts(ctx context.Context, env *engine.Env, args []string) (host.Result, error) {
	if _, err := host.ClearAccountLocks(env.Host); err != nil {
		return host.Result{}, err
	}
	result, err := env.Host.Run(ctx, host.Cmd{Args: args})
	if err != nil {
		_, left := host.ClearAccountLocks(env.Host)
		err = errors.Join(err, left)
	}
	return result, err
}
