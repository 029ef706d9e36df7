package cluster_test

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/keys"
)

// TestThreeSidesWithOneAuthority holds the routes of three sides and the keys that are made for them. A rollsite has
// one identity and one CA for all that it calls, which is enough when everybody's is the same.
func TestThreeSidesWithOneAuthority(t *testing.T) {
	c, err := fatetest.ParseText(two(tlsOn, tlsOn) +
		"exchange: {ip: 192.168.0.88, rollsite: {server_secure: true, client_secure: true}}")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.Notes().Error(), "keys of one CA") {
		t.Errorf("nothing says what three sides need: %v", c.Notes())
	}
	for _, party := range []struct {
		side *cluster.Side
		id   string
	}{{c.Host, "default"}, {c.Guest, "default"}, {c.Exchange, c.Host.ID()}, {c.Exchange, c.Guest.ID()}} {
		if r, ok := party.side.Route(party.id, cluster.RouteDefault); !ok || !r.IsSecure ||
			r.Port != 9371 {
			t.Errorf("the %s's route for %s is %+v", party.side.Role, party.id, r)
		}
	}
	req, err := c.KeyRequest()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	req.Now, req.Random = now, rand.Reader
	set, err := keys.New(req)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Authorities) != 1 {
		t.Errorf("%d CAs", len(set.Authorities))
	}
	for _, side := range req.Sides {
		if ip := c.Side(cluster.Role(side.Role)).Rollsite.IPs[0]; !slices.Contains(side.Names, ip) {
			t.Errorf("the keys of the %s are for %v, not for %s", side.Role, side.Names, ip)
		}
	}
	for _, s := range c.Sides() {
		names, err := c.KeyNames(s.Role)
		if err != nil {
			t.Fatal(err)
		}
		if problems, _ := keys.Check(string(s.Role), names, set.Sides[string(s.Role)],
			now.Add(time.Hour)); len(problems) > 0 {
			t.Errorf("%s: %v", s.Role, problems)
		}
	}
}

func TestKeyRequestFollowsTheRoutes(t *testing.T) {
	c, err := fatetest.ParseText(`
host: {partyid: 10000, ip: 192.168.0.1, rollsite: {server_secure: true, client_secure: true, public_names: [fate.example.com]}}
guest: {partyid: 9999, ip: 192.168.0.2}
exchange:
  ip: 192.168.0.88
  rollsite:
    server_secure: true
    client_secure: true
    route_tables:
      - {id: 10000, routes: [{name: default, ip: 203.0.113.7, port: 9371, is_secure: true}]}
      - {id: 9999, routes: [{name: default, ip: 192.168.0.2, port: 9370}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	req, err := c.KeyRequest()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range req.Sides {
		got = append(got, s.String())
	}
	want := []string{"host: 192.168.0.1, fate.example.com, 203.0.113.7", "exchange: 192.168.0.88"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
