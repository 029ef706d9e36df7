package cluster

import (
	"fmt"
	"path"

	"fate-installer/installer/fate/yamltext"
)

// ZooKeeper is the registry of several FATE-Flows.
const ZooKeeper Module = "zookeeper"

func zooKeeperModule() moduleEntry {
	return moduleEntry{
		module: ZooKeeper, key: "zk",
		defaults: func(s *Side) {
			s.ZK.User = "fate"
			s.ZK.AdminPort = defaultZooKeeperAdminPort
		},
		block:   func(_ *Cluster, s *Side) yamltext.Map { return when(s.ZK.Enable, zooKeeperItems(s)) },
		comment: "The registry of several FATE-Flows. type: outside uses existing servers.",

		addresses: func(s *Side) []string {
			var ips []string
			for _, e := range s.ZK.Lists {
				ips = append(ips, e.IP)
			}
			return when(s.ZK.Enable && s.ZK.Type == "inside", ips)
		},
		instances: func(s *Side) []Endpoint { return when(s.ZK.Enable, s.ZK.Lists) },
		outside:   true,
		allEnds:   true,
		listeners: zooKeeperListeners,

		components: made("jdk", "zookeeper"),
		main: &component{name: "zookeeper", home: func(l Layout, _ string) string { return l.ZooKeeper() },
			kept: []string{"data", "logs"}}, // the transaction log is among the "logs"

		home: func(s *Spec) string { return s.Layout.ZooKeeper() },
		logs: "zookeeper",
		// A majority has to talk to each other before any of them serves.
		wants:    func(*Spec) []Module { return []Module{ZooKeeper} },
		dataDirs: func(l Layout) []string { return []string{l.ZooKeeperData(), l.ZooKeeperLogs()} },
		heap:     heapShare{32, 128, 1024, 0},
		memory:   measured(Resident{167, 167}),
	}
}

// zooKeeperListeners are the ports of each server, and when we install it those that only it and its like use.
func zooKeeperListeners(s *Side) []listener {
	var out []listener
	if !s.ZK.Enable {
		return nil
	}
	for i, e := range s.ZK.Lists {
		at := fmt.Sprintf("zk.lists[%d].port", i)
		out = append(out, listener{at, e.Port, nil})
		if s.ZK.Type != "inside" {
			continue
		}
		here := []string{e.IP}
		out = append(out, listener{at, e.Port, here}, listener{"zk.admin_port", s.ZK.AdminPort, here})
		if len(s.ZK.Lists) > 1 {
			out = append(out, listener{at, ZooKeeperQuorumPort, here}, listener{at, ZooKeeperElectionPort, here})
		}
	}
	return out
}

// ZooKeeperConf is the registry of FATE-Flow.
type ZooKeeperConf struct {
	Enable    bool       `yaml:"enable"`
	Lists     []Endpoint `yaml:"lists"`
	Type      string     `yaml:"type"` // ours: inside or outside, as for mysql
	UseACL    bool       `yaml:"use_acl"`
	User      string     `yaml:"user"`
	Password  Secret     `yaml:"passwd"`
	AdminPort int        `yaml:"admin_port"` // ours
}

// ZooKeeper is the home of ZooKeeper; its data and transaction logs live below it, as in upstream's guide.
func (l Layout) ZooKeeper() string { return l.under("projects", "zookeeper") }

// ZooKeeperConf is zoo.cfg.
func (l Layout) ZooKeeperConf() string { return path.Join(l.ZooKeeper(), "conf", "zoo.cfg") }

// ZooKeeperData holds snapshots and myid.
func (l Layout) ZooKeeperData() string { return path.Join(l.ZooKeeper(), "data", "zookeeper") }

// ZooKeeperLogs holds ZooKeeper's transaction log, which is data despite its name.
func (l Layout) ZooKeeperLogs() string { return path.Join(l.ZooKeeper(), "logs") }

func zooKeeperItems(s *Side) yamltext.Map {
	var lists []any
	for _, e := range s.ZK.Lists {
		lists = append(lists, yamltext.Map{yamltext.Item("ip", e.IP), yamltext.Item("port", e.Port)})
	}
	return yamltext.Map{
		yamltext.Item("enable", true), yamltext.Item("type", s.ZK.Type), yamltext.Item("lists", lists),
		yamltext.Item("use_acl", s.ZK.UseACL),
		yamltext.Item("user", s.ZK.User), secretItem("passwd", s.Secrets.ZooKeeper),
	}
}
