package cluster_test

import (
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"

	"github.com/google/go-cmp/cmp"
)

func TestFault11UnusableTLSIsRefused(t *testing.T) {
	for _, set := range []string{"extra-three-sides-tls-host-guest-UNSUPPORTED", "extra-ssl-roles-one-of-two"} {
		if _,
			err := cluster.Parse(fatetest.Sources(t, fatetest.Upstream+"/setup-conf/"+set+"/setup.conf")); err == nil {
			t.Errorf("%s is accepted", set)
		}
	}
}

const setupHead = "modules: [mysql, eggroll, fate_flow, fateboard]\nroles: ['host:10000']\nhost_ips: " +
	"['default:192.168.0.1']\n"

func TestFault12SpecialRoutes(t *testing.T) {
	_, err := fatetest.ParseText(setupHead +
		"host_special_routes: ['8888:192.168.2.1:9370', '8888:192.168.2.2:9370']\n")
	fatetest.WantProblem(t, err, "cluster.yaml:4:48", "two routes named default")
	for _, route := range []string{"8888:192.168.2.1:9371:tls", "8888:192.168.2.1:9371:true", "8888:192.168.2.1",
		"x1:192.168.2.1:9370", "8888:192.168.2.999:9370", "8888:192.168.2.1:99999"} {
		if _, err := fatetest.ParseText(setupHead + "host_special_routes: ['" + route + "']\n"); err == nil {
			t.Errorf("the route %s is accepted", route)
		}
	}
	// A secure route before another of its party breaks upstream's rendering.
	c, err := fatetest.ParseText("modules: [mysql, eggroll, fate_flow, fateboard]\nroles: ['host:10000']\nssl_roles: " +
		"[host]\nhost_ips: ['default:192.168.0.1']\n" +
		"host_special_routes: ['default:192.168.9.9:9371:secure', '8888:192.168.2.1:9372:secure', " +
		"'7777:fate.example.com:9370']\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []cluster.PartyRoutes{
		{ID: "default", Routes: []cluster.Route{{Name: "default", IP: "192.168.9.9", Port: 9371, IsSecure: true}}},
		{ID: "8888", Routes: []cluster.Route{{Name: "default", IP: "192.168.2.1", Port: 9372, IsSecure: true}}},
		{ID: "7777", Routes: []cluster.Route{{Name: "default", IP: "fate.example.com", Port: 9370}}},
	}
	if diff := cmp.Diff(want, fatetest.Comparable(c)[0].Rollsite.RouteTables[:3]); diff != "" {
		t.Error(diff)
	}
}

func TestFault18QuotesInSetupConfAreNotExecuted(t *testing.T) {
	text := strings.Replace(setupHead, "default:192.168.0.1", "default:192.168.0.1; touch /tmp/owned", 1)
	_, err := fatetest.ParseText(text)
	fatetest.WantProblem(t, err, "no IPv4 address")
	_, err = fatetest.ParseText(
		"modules: [mysql]\nroles: ['exchange:0']\nexchange_ips: ['default:192.168.0.88|192.168.0.89']\n")
	fatetest.WantProblem(t, err, "default takes one address")
	// upstream's init crashes on two exchanges
	in, err := cluster.ParseInitSide(cluster.RoleExchange, "192.168.0.88,192.168.0.89")
	if err != nil || len(in.IPs) != 2 {
		t.Errorf("two exchanges: %v %v", in, err)
	}
	_, err = fatetest.ParseText(setupHead[:strings.Index(setupHead, "host_ips")] +
		"host_ips: ['default:192.168.0.1', 'flow:192.168.0.2']\n")
	fatetest.WantProblem(t, err, "flow")
}
