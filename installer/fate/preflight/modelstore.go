package preflight

import (
	"fmt"
	"strings"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"
)

// FATE-Flow's model store locks each model with GET_LOCK(name, -1), which has no other setting (sync_model.py and
// db_models.py up to 1.11.2). MySQL waits as long as it takes; MariaDB (seen with 10.11) answers NULL with warning
// 1411, and the job that has trained fails with "failed to acquire lock". Nothing on the server's side helps: a
// function of the server itself goes before a stored one of its name, and sql_mode does not change what it takes.
const (
	lockWhy = "FATE-Flow's model store, which several FATE-Flows share, locks models with GET_LOCK(name, -1): " +
		"MariaDB refuses that, and every job that trains fails with \"failed to acquire lock\""
	lockRemedy = "use MySQL 8: an appliance built with it (bundle import --with mysql@8.0.28=PATH) or an outside " +
		"server " +
		"(mysql: {type: outside}); or keep one fate_flow address and no model_store"
)

// storesModels reports whether a side's FATE-Flows keep their models in the model store.
func storesModels(s *cluster.Side) bool {
	return s.Role != cluster.RoleExchange && s.FateFlow.Enable && s.ModelStore.Enable
}

// CheckDatabase reports the sides that cannot train with the database that a payload brings. versions are the payload's
// components; without any, nothing is known.
func CheckDatabase(c *cluster.Cluster, versions map[string]string) problem.Problems {
	var problems problem.Problems
	if cluster.DatabaseEngine(versions) != "mariadb" {
		return problems
	}
	for _, s := range c.Sides() {
		if storesModels(s) && s.MySQL.Ours() {
			problems.Add(c.At("%s.fate_flow.ips", s.Role), lockRemedy, "the %s cannot train with MariaDB: %s", s.Role,
				lockWhy)
		}
	}
	return problems
}

// serverVersion is the version that a database reported when it was reached; blank when it was not reached or is none.
func serverVersion(peers []host.Reach, addr string) string {
	for _, reach := range peers {
		if reach.Addr == addr {
			return greetingVersion(reach.Greeting)
		}
	}
	return ""
}

// greetingVersion reads the server's version from the first packet of a connection: 4 bytes of length and sequence
// number, the protocol's version 10, and the text up to a zero byte (MySQL's manual, "Protocol::HandshakeV10"). A
// server that refuses the client's host sends an error packet, and MariaDB puts 5.5.5- in front.
func greetingVersion(greeting []byte) string {
	const head = 5
	if len(greeting) <= head || greeting[head-1] != 10 {
		return ""
	}
	version, _, whole := strings.Cut(string(greeting[head:]), "\x00")
	if !whole || version == "" {
		return ""
	}
	for _, r := range version {
		if r < ' ' || r > '~' {
			return ""
		}
	}
	if plain, ok := strings.CutPrefix(version, "5.5.5-"); ok && strings.Contains(version, "MariaDB") {
		version = plain
	}
	if strings.Contains(version, "MariaDB") {
		return version
	}
	return fmt.Sprintf("MySQL %s", version)
}
