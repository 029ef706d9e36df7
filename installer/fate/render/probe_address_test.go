package render

import (
	"testing"

	"fate-installer/installer/fate/fatetest"
)

// TestProbeUsesTheAddressOfItsClients: the probe logs in where programs of its host do. Where all of them are on other
// hosts no account is for that address, and the server judges the login by whatever account of the operator fits.
func TestProbeUsesTheAddressOfItsClients(t *testing.T) {
	const apart = `
host:
  partyid: 10000
  fate_flow: {ips: [192.168.0.2]}
  fateboard: {ips: [192.168.0.2]}
  clustermanager: {ips: [192.168.0.2]}
  nodemanager: {ips: [192.168.0.2]}
  rollsite: {ips: [192.168.0.2]}
  mysql: {ips: [192.168.0.1], dbpasswd: Service1}
`
	tests := []struct{ name, text, host, port string }{
		{"clients here", fatetest.OneHost, "192.168.0.1", "3306"},
		{"clients elsewhere", apart, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := fatetest.SpecOf(t, tt.text, "192.168.0.1", "1.11.4")
			options := readOptions([]byte(rendered(t, s)[ProbeConf(s)]))
			if options["host"] != tt.host || options["port"] != tt.port || options["socket"] == "" {
				t.Errorf("%v", options)
			}
		})
	}
}
