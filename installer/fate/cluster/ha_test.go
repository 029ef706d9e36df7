package cluster_test

import (
	"testing"

	"fate-installer/installer/fate/fatetest"
)

func TestSeveralFlowsNeedRegistryBalancerAndStore(t *testing.T) {
	_, err := fatetest.ParseText(`
host:
  partyid: 10000
  ip: 192.168.0.1
  fate_flow: {ips: [192.168.0.1, 192.168.0.2]}
  mysql: {dbpasswd: x}
  model_store: {enable: false}
`)
	fatetest.WantProblem(t, err, "cluster.yaml:5:15", "need ZooKeeper")
	fatetest.WantProblem(t, err, "cluster.yaml:5:15", "need nginx")
	fatetest.WantProblem(t, err, "cluster.yaml:7", "need the model store")
}
