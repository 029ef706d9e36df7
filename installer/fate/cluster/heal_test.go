package cluster_test

import (
	"testing"

	"fate-installer/installer/fate/fatetest"
)

func TestHealIsChecked(t *testing.T) {
	for text, words := range map[string][]string{
		"heal: {fate_flow: always}\n": {"cluster.yaml:2:"},
		"heal: {fateflow: true}\n":    {"cluster.yaml:2:", "fate_flow"},
		"heal: true\n":                {"cluster.yaml:2:"},
	} {
		_, err := fatetest.ParseText("host: {partyid: 1, ip: 10.0.0.1}\n" + text)
		fatetest.WantProblem(t, err, words...)
	}
}
