package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/go-zookeeper/zk"
)

// flowRoot is the node that FATE-Flow makes with the ACL of its account, with everything below it.
const flowRoot = "/FATE-COMPONENTS"

// confirmRoot is the node below which hosts note that they have a new password.
const confirmRoot = turnsRoot + "/password"

// Grant gives every node of FATE-Flow and of the installers, the ephemeral ones of running FATE-Flows included, an ACL
// that lets in the account with c's password and with the further ones. The password that the nodes have now must be
// among them. Nodes that are open to everybody stay so. It may be cut off and repeated.
func Grant(ctx context.Context, c Config, further []string) error {
	r, err := Open(ctx, c)
	if err != nil {
		return err
	}
	defer r.Close()
	acl := zk.DigestACL(zk.PermAll, c.User, c.Password)
	for _, password := range further {
		if err := r.conn.AddAuth("digest", []byte(c.User+":"+password)); err != nil {
			return fmt.Errorf("cannot log in to the registry: %w", err)
		}
		acl = append(acl, zk.DigestACL(zk.PermAll, c.User, password)...)
	}
	for _, root := range []string{flowRoot, turnsRoot} {
		if err := r.grantBelow(ctx, root, acl); err != nil {
			return err
		}
	}
	return nil
}

// grantBelow sets the ACL of a node and of everything below it. Nodes that disappear in between are no error.
func (r *Registry) grantBelow(ctx context.Context, node string, acl []zk.ACL) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now, stat, err := r.conn.GetACL(node)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read who may use %s: %w", node, loginHint(err))
	}
	open := slices.ContainsFunc(now, func(a zk.ACL) bool { return a.Scheme == "world" })
	if !open && !sameACL(now, acl) {
		if _, err := r.conn.SetACL(node, acl, stat.Aversion); err != nil && !errors.Is(err, zk.ErrNoNode) {
			return fmt.Errorf("cannot change who may use %s: %w", node, loginHint(err))
		}
	}
	names, _, err := r.conn.Children(node)
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("cannot list %s: %w", node, loginHint(err))
	}
	for _, name := range names {
		if err := r.grantBelow(ctx, path.Join(node, name), acl); err != nil {
			return err
		}
	}
	return nil
}

func sameACL(a, b []zk.ACL) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(entry zk.ACL) bool { return !slices.Contains(b, entry) })
}

// Confirm notes that a host has c's password, and lists which of the hosts have not noted it yet. Notes of other
// passwords are removed; those of this one stay, so that it can be repeated.
func Confirm(ctx context.Context, c Config, host string, hosts []string) (missing []string, err error) {
	r, err := Open(ctx, c)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	sum := sha256.Sum256([]byte(c.User + ":" + c.Password)) // notes of another change must not count
	notes := path.Join(confirmRoot, hex.EncodeToString(sum[:8]))
	for _, node := range []string{turnsRoot, confirmRoot, notes, path.Join(notes, host)} {
		if _, err := r.conn.Create(node, nil, 0, r.acl); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return nil, fmt.Errorf("cannot make %s: %w", node, loginHint(err))
		}
	}
	noted, _, err := r.conn.Children(notes)
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", notes, loginHint(err))
	}
	if err := r.dropNotes(path.Base(notes)); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return slices.Contains(noted, h) }), nil
}

// dropNotes removes the notes of all passwords but one.
func (r *Registry) dropNotes(keep string) error {
	sums, _, err := r.conn.Children(confirmRoot)
	if err != nil {
		return fmt.Errorf("cannot list %s: %w", confirmRoot, loginHint(err))
	}
	for _, sum := range sums {
		if sum == keep {
			continue
		}
		hosts, _, err := r.conn.Children(path.Join(confirmRoot, sum))
		for i := 0; err == nil && i <= len(hosts); i++ {
			node := path.Join(confirmRoot, sum)
			if i < len(hosts) {
				node = path.Join(node, hosts[i])
			}
			err = r.conn.Delete(node, -1)
		}
		if err != nil && !errors.Is(err, zk.ErrNoNode) && !errors.Is(err, zk.ErrNotEmpty) {
			return fmt.Errorf("cannot remove the notes below %s: %w", confirmRoot, loginHint(err))
		}
	}
	return nil
}
