package cluster

import (
	"fmt"
	"slices"
	"strings"
)

// tls checks which sides speak TLS with which. A rollsite has one client identity and one CA for all it calls.
// Upstream's tools therefore join two sides, and the third, if any, stays plain; with one CA for all, three can be
// joined as well.
func (k *checker) tls() {
	var secure, plain []string
	for _, s := range k.c.Sides() {
		r := s.Rollsite
		if r.ServerSecure != r.ClientSecure {
			k.bad(string(s.Role)+".rollsite.server_secure", "write the same for both",
				"server_secure and client_secure of the %s differ: TLS works in both directions or not at all", s.Role)
			return
		}
		if s.Secure() {
			secure = append(secure, string(s.Role))
		} else {
			plain = append(plain, string(s.Role))
		}
		if r.ClientAuth && !s.Secure() {
			k.bad(string(s.Role)+".rollsite.client_auth", "switch server_secure and client_secure on",
				"client_auth of the %s has no meaning without TLS", s.Role)
		}
	}
	k.sslRoles(secure)
	if len(secure) == 0 {
		return
	}
	at := k.tlsPath(secure)
	const fix = "use TLS between host and guest without an exchange, host and exchange, guest and exchange, or all " +
		"three"
	switch {
	case len(secure) == 3:
		k.c.notes.Add(k.c.At("%s", at), "",
			"TLS on all three sides takes keys of one CA, which upstream's own tools do not make")
	case len(secure) == 2 && k.c.Exchange != nil && !k.c.Exchange.Secure():
		k.bad(at, fix, "TLS of %s cannot work with an exchange between them that has none",
			strings.Join(secure, " and "))
	case len(secure) == 1 && len(plain) > 0:
		k.bad(at, fix, "only the %s has TLS, and none of its peers (%s)", secure[0], strings.Join(plain, ", "))
	}
}

func (k *checker) tlsPath(secure []string) string {
	for _, path := range []string{"ssl_roles", "setup.ssl_roles"} {
		if k.c.written("%s", path) {
			return path
		}
	}
	return secure[len(secure)-1] + ".rollsite.server_secure"
}

// sslRoles compares fate_init's list with the sides' own switches.
func (k *checker) sslRoles(secure []string) {
	listed := k.c.Install.SSLRoles
	if len(listed) > 2 {
		k.bad("ssl_roles", "keep two", "ssl_roles has %d roles; TLS joins two", len(listed))
		return
	}
	if !k.c.written("ssl_roles") {
		return
	}
	for _, s := range k.c.Sides() {
		role := string(s.Role)
		if in := slices.Contains(listed, role); in != slices.Contains(secure, role) {
			state := "no TLS"
			if !in {
				state = "TLS"
			}
			k.bad("ssl_roles", "make ssl_roles and the side's server_secure and client_secure agree",
				"ssl_roles says [%s], but the %s has %s", strings.Join(listed, ", "), role, state)
		}
	}
}

// polling checks the one-way mode, in which a party fetches its messages from the exchange.
func (k *checker) polling() {
	for _, s := range []*Side{k.c.Host, k.c.Guest} {
		if s != nil && s.Rollsite.Polling.Enable {
			k.pollingClient(s)
		}
	}
	if e := k.c.Exchange; e != nil && e.Rollsite.Polling.Enable {
		k.pollingServer(e)
	}
}

func (k *checker) pollingClient(s *Side) {
	at := string(s.Role) + ".rollsite.polling.enable"
	if _, ok := s.Route(partyDefault, RouteDefault); !ok {
		k.bad(at, "add a route for default that leads to the exchange",
			"the %s polls, but has no default route to poll", s.Role)
	}
	e := k.c.Exchange
	switch {
	case e == nil && len(k.c.Sides()) > 1:
		k.bad(at, "describe the exchange, or switch polling off",
			"the %s polls, but there is no exchange: only an exchange can be polled", s.Role)
	case e == nil:
	case !e.Rollsite.Polling.Enable:
		k.bad(at, "switch the exchange's polling on with ids: ["+s.ID()+"]",
			"the %s polls, but the exchange's polling is off", s.Role)
	case !slices.Contains(e.Rollsite.Polling.IDs, s.PartyID):
		k.bad("exchange.rollsite.polling.ids", "add "+s.ID(),
			"the %s polls, but the exchange keeps no messages for party %s", s.Role, s.ID())
	}
	if s.Secure() {
		k.c.notes.Add(k.c.At("%s", at), "", "polling together with TLS is not known to have been tried upstream")
	}
}

func (k *checker) pollingServer(e *Side) {
	if len(e.Rollsite.Polling.IDs) == 0 {
		k.bad("exchange.rollsite.polling.enable", "list the parties that poll under ids",
			"the exchange's polling is on for no party")
	}
	for i, id := range e.Rollsite.Polling.IDs {
		at := fmt.Sprintf("exchange.rollsite.polling.ids[%d]", i)
		if !slices.ContainsFunc(e.Rollsite.RouteTables, hasID(fmt.Sprint(id))) {
			k.bad(at, "add a route for it; its address is not used",
				"the party %d polls, but has no entry in the exchange's route table", id)
		}
		for _, s := range []*Side{k.c.Host, k.c.Guest} {
			if s != nil && s.PartyID == id && !s.Rollsite.Polling.Enable {
				k.bad(at, "write polling: {enable: true} for the "+string(s.Role),
					"the exchange keeps messages for the %s %d, which does not poll", s.Role, id)
			}
		}
	}
}
