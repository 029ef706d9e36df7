package deploy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/registry"
)

// registryTime is enough for a few hundred short requests to an ensemble that works.
const registryTime = 30 * time.Second

// shareRegistry lets both the new and the former password into ZooKeeper, before a FATE-Flow has the new one.
func (r *rotation) shareRegistry(ctx context.Context) error {
	if !slices.Contains(r.names, "zookeeper") || !r.host.Live() {
		return nil
	}
	config, former := r.registryConfig()
	ctx, cancel := context.WithTimeout(ctx, registryTime)
	defer cancel()
	if err := registry.Grant(ctx, config, former); err != nil {
		return fmt.Errorf("cannot change the password of ZooKeeper: %w", err)
	}
	return nil
}

// finishRegistry notes that this host has the new password. When every host of FATE-Flow has noted it, the former one
// is let in no more; until then it names those that have not.
func (r *rotation) finishRegistry(ctx context.Context) error {
	if !slices.Contains(r.names, "zookeeper") || !r.host.Live() {
		return nil
	}
	config, former := r.registryConfig()
	ctx, cancel := context.WithTimeout(ctx, registryTime)
	defer cancel()
	if err := registry.Grant(ctx, config, former); err != nil { // the restarted FATE-Flow made a node of its own
		return fmt.Errorf("cannot change the password of ZooKeeper: %w", err)
	}
	missing, err := registry.Confirm(ctx, config, r.d.spec.IP, r.d.spec.Side.FateFlow.IPs)
	if err != nil {
		return fmt.Errorf("cannot note that this host has the new password of ZooKeeper: %w", err)
	}
	r.keepLeft("zookeeper", missing)
	if len(missing) > 0 {
		return nil
	}
	return registry.Grant(ctx, config, nil)
}

// registryConfig is how to log in with the new password, and the former ones.
func (r *rotation) registryConfig() (config registry.Config, former []string) {
	servers, user, password, _ := r.d.spec.Registry()
	for _, secret := range r.d.spec.SecretRecords["zookeeper"].Former {
		former = append(former, secret.Reveal())
	}
	return registry.Config{Servers: servers, User: user, Password: password}, former
}

// keepLeft makes missing the hosts that are named for one secret.
func (r *rotation) keepLeft(name string, missing []string) {
	command := cluster.SecretCommand(name)
	for i := range r.left {
		if !slices.Contains(missing, r.left[i].Host) {
			r.left[i].Secrets = slices.DeleteFunc(r.left[i].Secrets, func(s string) bool { return s == command })
		}
	}
	r.left = slices.DeleteFunc(r.left, func(l SecretsLeft) bool { return len(l.Secrets) == 0 })
}
