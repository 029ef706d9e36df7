// Package registry reads what the FATE-Flows of a party have written about themselves into ZooKeeper, and lets
// installers on several hosts take turns there.
//
// Each FATE-Flow creates one ephemeral node when it starts (fate_flow/db/service_registry.py and db_services.py of
// FATE-Flow 1.9 to 1.11): its name is the URL-quoted host:grpc_port, its content a JSON object. When the flow's
// session expires the node is gone, and the flow does not write it again until it is restarted.
package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// Root is the node below which FATE-Flow registers.
const Root = "/FATE-COMPONENTS/fate-flow"

// turnsRoot is the node below which installers take turns.
const turnsRoot = "/fate-installer"

// sessionTimeout is after how long ZooKeeper lets go of the turn of an installer that died.
const sessionTimeout = 10 * time.Second

// Config says where the registry is, and how to log in.
type Config struct {
	Servers  []string // host:port
	User     string   // of the digest ACL; blank: none is used
	Password string
}

// Instance is a FATE-Flow that is registered.
type Instance struct {
	Node     string    `json:"node"`        // host:grpc_port, unquoted
	ID       string    `json:"instance_id"` // the name of its entry
	Host     string    `json:"host"`        // its address
	GRPCPort int       `json:"grpc_port"`   // where other parties reach it
	HTTPPort int       `json:"http_port"`   // where its API listens
	Version  string    `json:"version"`     // of FATE-Flow
	Since    time.Time `json:"since"`       // when it registered
}

// Registry is a session with ZooKeeper.
type Registry struct {
	conn *zk.Conn
	acl  []zk.ACL
}

// Open connects to whichever server answers, and returns when there is a session: a server without a quorum gives none.
func Open(ctx context.Context, c Config) (*Registry, error) {
	fail := func(err error) error {
		return fmt.Errorf("cannot open the registry at %s: %w", strings.Join(c.Servers, ", "), err)
	}
	conn, events, err := zk.Connect(c.Servers, sessionTimeout, zk.WithLogger(silence{}), zk.WithLogInfo(false))
	if err != nil {
		return nil, fail(err)
	}
	r := &Registry{conn: conn, acl: zk.WorldACL(zk.PermAll)}
	if err := awaitSession(ctx, events); err != nil {
		conn.Close()
		return nil, fail(err)
	}
	if c.User != "" {
		r.acl = zk.DigestACL(zk.PermAll, c.User, c.Password)
		if err := conn.AddAuth("digest", []byte(c.User+":"+c.Password)); err != nil {
			conn.Close()
			return nil, fail(err)
		}
	}
	go func() { // the library blocks when its events are not taken
		for range events {
		}
	}()
	return r, nil
}

// errNoSession means that servers may answer, but serve no client.
var errNoSession = errors.New(
	"no server gives a session: fewer than half of the ensemble can talk to each other, or none is reachable")

func awaitSession(ctx context.Context, events <-chan zk.Event) error {
	for {
		select {
		case e, open := <-events:
			if !open {
				return errNoSession
			}
			if e.State == zk.StateHasSession {
				return nil
			}
		case <-ctx.Done():
			return errNoSession
		}
	}
}

// Close ends the session, and with it every turn that was taken in it.
func (r *Registry) Close() { r.conn.Close() }

// Instances lists the FATE-Flows that are registered, by host. None when none has registered yet.
func (r *Registry) Instances() ([]Instance, error) {
	names, _, err := r.conn.Children(Root)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", Root, loginHint(err))
	}
	var out []Instance
	for _, name := range names {
		data, _, err := r.conn.Get(path.Join(Root, name))
		if errors.Is(err, zk.ErrNoNode) {
			continue // gone since the list was made
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read %s/%s: %w", Root, name, loginHint(err))
		}
		instance, err := parseInstance(name, data)
		if err != nil {
			return nil, err
		}
		out = append(out, instance)
	}
	slices.SortFunc(out, func(a, b Instance) int { return cmp.Compare(a.Node, b.Node) })
	return out, nil
}

// loginHint explains the refusal that a wrong password gives.
func loginHint(err error) error {
	if errors.Is(err, zk.ErrNoAuth) {
		return fmt.Errorf("%w: the node was made with another zk.user or zk.passwd; all hosts of a party need the same",
			err)
	}
	return err
}

// parseInstance reads a node. Numbers may be texts, as a configuration file has them.
func parseInstance(name string, data []byte) (Instance, error) {
	node, err := url.QueryUnescape(name)
	if err != nil {
		node = name
	}
	var raw struct {
		ID        string      `json:"instance_id"`
		Timestamp json.Number `json:"timestamp"`
		Version   string      `json:"version"`
		Host      string      `json:"host"`
		GRPCPort  json.Number `json:"grpc_port"`
		HTTPPort  json.Number `json:"http_port"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return Instance{}, fmt.Errorf("cannot understand what FATE-Flow wrote to %s/%s: %w", Root, name, err)
	}
	number := func(n json.Number) int64 {
		i, _ := n.Int64() // 0 is as good as any other number that is not there
		return i
	}
	return Instance{
		Node: node, ID: raw.ID, Host: raw.Host, Version: raw.Version,
		GRPCPort: int(number(raw.GRPCPort)), HTTPPort: int(number(raw.HTTPPort)),
		Since: time.UnixMilli(number(raw.Timestamp)),
	}, nil
}

// Lock returns when no other client does what name says. The turn ends with the registry's session at the latest.
func (r *Registry) Lock(ctx context.Context, name string) (end func() error, err error) {
	lock := zk.NewLock(r.conn, path.Join(turnsRoot, name), r.acl)
	taken := make(chan error, 1)
	go func() { taken <- lock.Lock() }()
	select {
	case err := <-taken:
		if err != nil {
			return nil, fmt.Errorf("cannot take the turn for %s: %w", name, loginHint(err))
		}
		return lock.Unlock, nil
	case <-ctx.Done():
		r.conn.Close() // ends the wait
		return nil, fmt.Errorf("cannot take the turn for %s, another host has it: %w", name, context.Cause(ctx))
	}
}

// silence keeps the library from writing to standard error what the errors already say.
type silence struct{}

func (silence) Printf(string, ...any) {}
