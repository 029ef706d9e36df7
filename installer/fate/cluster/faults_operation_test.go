package cluster_test

import (
	"testing"

	"fate-installer/installer/fate/fatetest"
)

func TestFault17HostAndGuestOnOneMachineAreRefused(t *testing.T) {
	_, err := fatetest.ParseText("host: {partyid: 10000, ip: 192.168.0.1}\nguest: {partyid: 9999, ip: 192.168.0.1}\n")
	fatetest.WantProblem(t, err, "an address of both the host and the guest")
}
