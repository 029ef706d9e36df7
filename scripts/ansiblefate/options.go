package ansiblefate

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"fate-installer/installer/fate/cluster"
)

// Options says what host is laid out. The zero value of each field is what AnsibleFATE's manual has in its examples.
type Options struct {
	Version string // of FATE: 1.5.0 to 1.11.4; blank: 1.11.3

	Role     string // host, guest or exchange; blank: host
	Party    int    // 0: 10000
	IP       string // of this host; blank: 192.168.0.1
	Exchange string // address of an exchange, to which the default route leads; blank: to the peer
	Peer     string // address of the other party; blank: 192.168.0.2
	Base     string // blank: /data

	TLS bool // between rollsites, with real keys
	HA  bool // two FATE-Flows with ZooKeeper and nginx, set up by hand as upstream's guide says

	Main    string   // address of the host with everything else; blank: IP
	Nodes   []string // addresses of the nodemanagers; empty: Main
	Flows   []string // addresses of other FATE-Flows with HA
	Modules []string // programs of this host without "fate-"; empty: all of the role

	Linked []string // components ("eggroll", "fateboard", ...) whose directory is a link into BASE/trees

	Running bool // processes in /proc, as the python supervisor starts them

	// Laid is for a host that has the components: only what AnsibleFATE itself writes is laid out, and what components
	// bring is not.
	Laid     bool
	Versions map[string]string // of components that are not the release's own; mariadb takes the place of mysql
}

// programs of a party in the order in which they start.
var programs = []string{"mysql", "clustermanager", "nodemanager", "rollsite", "fateflow", "fateboard"}

// host is Options with every field filled in.
type host struct {
	Options
	versions map[string]string // of components
	env      map[string]string // fate.env
	l        cluster.Layout
}

func newHost(o Options) (*host, error) {
	fill := func(value *string, standard string) {
		if *value == "" {
			*value = standard
		}
	}
	fill(&o.Version, "1.11.3")
	fill(&o.Role, "host")
	fill(&o.IP, "192.168.0.1")
	fill(&o.Peer, "192.168.0.2")
	fill(&o.Base, "/data")
	fill(&o.Main, o.IP)
	if o.Party == 0 {
		o.Party = 10000
	}
	if len(o.Nodes) == 0 {
		o.Nodes = []string{o.Main}
	}
	if len(o.Modules) == 0 {
		o.Modules = slices.Clone(programs)
	}
	if o.Role == "exchange" {
		o.Modules = []string{"rollsite"}
	}
	env, versions, err := cluster.Release(o.Version)
	if err != nil {
		return nil, err
	}
	versions = maps.Clone(versions)
	maps.Copy(versions, o.Versions)
	flat := strings.HasPrefix(o.Version, "1.5.") || strings.HasPrefix(o.Version, "1.6.")
	return &host{o, versions, env, cluster.Layout{Base: o.Base, Flat: flat}}, nil
}

func (h *host) runs(program string) bool { return slices.Contains(h.Modules, program) }

func (h *host) isParty() bool { return h.Role != "exchange" }

func (h *host) atLeast(numbers ...int) bool { return cluster.Version(h.Version).AtLeast(numbers...) }

func (h *host) mysqlHome() string {
	if version := h.versions["mariadb"]; version != "" {
		return h.l.DatabaseHome("mariadb", version)
	}
	return h.l.DatabaseHome("mysql", h.versions["mysql"])
}

func (h *host) javaHome() string { return h.l.JavaHome(h.versions["jdk"]) }

func (h *host) supervisord() string { return path.Join(h.l.Supervisor(), "supervisord.conf") }

// nginx is the address and port through which FATE-Flow is reached with HA.
func (h *host) nginx() (string, int) { return h.Main, 9999 }

// The passwords that AnsibleFATE publishes.
const (
	AdminPassword      = "fatE168dev"
	UserPassword       = "fate_deV2999"
	BoardPassword      = "admin"
	SupervisorPassword = "fate"
)

// file is a file of the tree.
type file struct {
	path string
	mode uint32
	text string
	link string // the target of a symbolic link, instead of text

	brought bool // by a component, by its server, or by the operating system
}

func lines(list ...string) string { return strings.Join(list, "\n") + "\n" }

func setting(key string, value any) string { return fmt.Sprintf("%s=%v", key, value) }
