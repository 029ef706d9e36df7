package cluster

import (
	"fmt"
	"slices"

	"fate-installer/installer/fate/keys"
)

// Selection says which host of a Cluster a Spec is wanted for, and what is known about it and about the payload.
type Selection struct {
	Role       Role     // blank: decided by the address
	Party      int      // 0: the one of the cluster file
	IP         string   // this host's address as the cluster file writes it; blank: found among LocalAddrs
	LocalAddrs []string // the host's own addresses
	Base       string   // blank: the cluster file's, or /data
	User       string   // blank: the cluster file's, or app
	Group      string   // blank: the cluster file's, or apps

	Versions     map[string]string   // component -> version, from the payload
	LibraryPaths map[string][]string // component -> directories inside it for LD_LIBRARY_PATH, from the payload
	Env          map[string]string   // the payload's fate.env
	Secrets      Secrets             // used where the cluster file gives none, or one that a rotation replaced

	SecretRecords SecretRecords // the history of the secrets on this host

	SkipOS []string // policies of os: that are to be keep, whatever the cluster file says

	// key files of this side that keys.Check has accepted, to be installed with the configuration; optional
	Keys []keys.File

	Memory uint64 // bytes of RAM of the host, 0: unknown
	CPUs   int    // 0: unknown
}

// Spec is a Cluster seen from one host: everything needed to install and configure it, with no value left open.
type Spec struct {
	Role    Role
	PartyID int    // 0 for the exchange
	IP      string // this host, as the cluster file writes it
	Layout  Layout
	User    string
	Group   string

	Side    *Side // the own side
	Cluster *Cluster
	OS      OS
	Secrets Secrets // the effective ones

	SecretRecords SecretRecords // their history on this host

	Versions     map[string]string
	LibraryPaths map[string][]string
	Env          map[string]string
	Profile      Profile
	Keys         []keys.File
	Memory       uint64
	CPUs         int

	modules []Module
}

// Runs reports whether a module's process runs on this host.
func (s *Spec) Runs(m Module) bool { return slices.Contains(s.modules, m) }

// Modules lists the modules that run on this host in start order.
func (s *Spec) Modules() []Module { return slices.Clone(s.modules) }

// DatabaseEngines are the components that can serve the database, the preferred one first.
var DatabaseEngines = []string{"mysql", "mariadb"}

// DatabaseServer is the server program of a database engine, by its path in the component's tree. Builders refuse a
// tree that has it elsewhere.
func DatabaseServer(engine string) string {
	if engine == "mariadb" {
		return "bin/mariadbd"
	}
	return "bin/mysqld"
}

// DatabaseEngine is the component that serves the database: mariadb when the payload has only that, otherwise mysql.
func (s *Spec) DatabaseEngine() string { return DatabaseEngine(s.Versions) }

// DatabaseEngine is the component of a payload that serves the database: see [Spec.DatabaseEngine].
func DatabaseEngine(versions map[string]string) string {
	for _, engine := range DatabaseEngines {
		if versions[engine] != "" {
			return engine
		}
	}
	return DatabaseEngines[0]
}

// DatabaseHome is the basedir of the database server on this host.
func (s *Spec) DatabaseHome() string {
	e := s.DatabaseEngine()
	return s.Layout.DatabaseHome(e, s.Versions[e])
}

// JavaHome is $JAVA_HOME on this host.
func (s *Spec) JavaHome() string { return s.Layout.JavaHome(s.Versions["jdk"]) }

func (s *Spec) runsEggroll() bool { return slices.ContainsFunc(s.modules, Module.IsEggroll) }

// HasEggroll reports whether eggroll is configured on this host: where its processes run, and where FATE-Flow uses its
// python client.
func (s *Spec) HasEggroll() bool {
	return s.runsEggroll() || s.Runs(FateFlow) && s.Side.FateFlow.DefaultEngines == "eggroll"
}

// LogsIn reports whether something on this host logs into the database or the registry. A host that only runs a
// nodemanager gets the same files, but not the passwords in them.
func (s *Spec) LogsIn() bool {
	return s.Runs(MySQL) || s.Runs(ClusterManager) || s.Runs(FateFlow)
}

// UsesDatabase reports whether a program of this host logs into the database.
func (s *Spec) UsesDatabase() bool {
	return slices.ContainsFunc(s.modules, func(m Module) bool { return slices.Contains(s.Wants(m), MySQL) })
}

// DatabasePassword is the clear text with which programs of this host log in; blank where none does.
func (s *Spec) DatabasePassword() string {
	if !s.LogsIn() {
		return ""
	}
	return s.Secrets.MySQLUser.Reveal()
}

// DatabaseHost is the address of the database server when it is installed with the side; blank for an outside one.
func (s *Spec) DatabaseHost() string {
	if s.Role == RoleExchange || !s.Side.MySQL.Ours() {
		return ""
	}
	return FirstAddress(s.Side.MySQL.IPs)
}

// RestrictTo is the Spec as if only these modules ran on this host. What it lists is planned; what is written into a
// file or handed to the supervisor comes from the whole Spec, so that a part is the same as when it is installed with
// all.
func (s *Spec) RestrictTo(modules []Module) (*Spec, error) {
	if len(modules) == 0 {
		return s, nil
	}
	part := *s
	part.modules = slices.DeleteFunc(slices.Clone(s.modules),
		func(m Module) bool { return !slices.Contains(modules, m) })
	if len(part.modules) == 0 {
		return nil, fmt.Errorf("none of the modules %v runs on this host, which has %v", modules, s.modules)
	}
	return &part, nil
}
