package cluster

import "fmt"

// Role says what a side does in a federation. The words are upstream's and appear in file names, certificates and
// flags.
type Role string

// The three roles of a FATE 1.x federation.
const (
	RoleHost     Role = "host"     // a party that contributes features
	RoleGuest    Role = "guest"    // the party that owns the labels and starts jobs
	RoleExchange Role = "exchange" // a rollsite between parties, without data of its own
)

// Roles lists every role in the order in which upstream treats them.
var Roles = []Role{RoleHost, RoleGuest, RoleExchange}

// ParseRole accepts exactly the three role names.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles {
		if s == string(r) {
			return r, nil
		}
	}
	return "", fmt.Errorf("cannot use role %q: it must be host, guest or exchange", s)
}
