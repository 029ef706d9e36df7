package fatetest

import (
	"crypto/rand"
	"testing"

	"fate-installer/installer/fate/cluster"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Comparable takes out of a cluster's sides what setup.conf cannot say: passwords, and values of blocks that are off.
func Comparable(c *cluster.Cluster) []cluster.Side {
	var out []cluster.Side
	for _, s := range c.Sides() {
		side := *s
		side.Secrets = cluster.SecretsConf{}
		side.MySQL.Password, side.ZK.Password, side.RabbitMQ.Password = cluster.Secret{}, cluster.Secret{},
			cluster.Secret{}
		if !side.ZK.Enable {
			side.ZK = cluster.ZooKeeperConf{}
		}
		if !side.Nginx.Enable {
			side.Nginx = cluster.NginxConf{}
		}
		side.Rollsite.RouteTables = nil
		for _, p := range s.Rollsite.RouteTables {
			entry := cluster.PartyRoutes{ID: p.ID}
			for _, r := range p.Routes {
				r.At = ""
				entry.Routes = append(entry.Routes, r)
			}
			side.Rollsite.RouteTables = append(side.Rollsite.RouteTables, entry)
		}
		out = append(out, side)
	}
	return out
}

// Generated are new passwords for every side.
func Generated(t *testing.T) map[cluster.Role]cluster.Secrets {
	t.Helper()
	out := make(map[cluster.Role]cluster.Secrets)
	for _, r := range cluster.Roles {
		s, err := cluster.NewSecrets(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		out[r] = s
	}
	return out
}

// Reparse writes a cluster as a file and reads it back.
func Reparse(t *testing.T, c *cluster.Cluster) *cluster.Cluster {
	t.Helper()
	data, err := c.ClusterFile()
	if err != nil {
		t.Fatal(err)
	}
	back, err := cluster.Parse([]cluster.Source{{Name: "cluster.yaml", Data: data}})
	if err != nil {
		t.Fatalf("cannot read back what was written:\n%v\n%s", err, data)
	}
	return back
}

// SideDiff compares the sides of two clusters, passwords included, by what they mean.
func SideDiff(a, b *cluster.Cluster) string {
	plain := func(c *cluster.Cluster) []cluster.Side {
		sides := Comparable(c)
		for i, s := range c.Sides() {
			sides[i].Secrets = s.Secrets
			if s.Role == cluster.RoleExchange {
				sides[i].Secrets = cluster.SecretsConf{RouteTableKey: s.Secrets.RouteTableKey}
			}
			sides[i].Rollsite.RouteTableKey, sides[i].FateBoard.Password, sides[i].IP = cluster.Secret{},
				cluster.Secret{}, ""
			if !sides[i].ZK.Enable {
				sides[i].Secrets.ZooKeeper = cluster.Secret{}
			}
			if !sides[i].ModelStore.Enable {
				sides[i].ModelStore = cluster.ModelStoreConf{}
			}
			rollsite := &sides[i].Rollsite
			rollsite.PoolSize, rollsite.DefaultRules, rollsite.Rules, rollsite.Polling.ID = 0, nil, nil, 0
			if !sides[i].Rollsite.Polling.Enable {
				sides[i].Rollsite.Polling.IDs = nil
			}
		}
		return sides
	}
	return cmp.Diff(plain(a), plain(b), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(cluster.Endpoint{}, "At"))
}
