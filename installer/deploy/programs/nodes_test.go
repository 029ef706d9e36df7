package programs

import (
	"net"
	"slices"
	"strconv"
	"testing"

	"fate-installer/installer/fate/cluster"
)

// TestUnreachableNodes: the nodemanagers on other hosts that do not answer are named, in order, and only those.
func TestUnreachableNodes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	side := &cluster.Side{}
	side.NodeManager.IPs, side.NodeManager.Port = []string{"127.0.0.4", "127.0.0.2", "127.0.0.1", "127.0.0.3"}, port
	spec := &cluster.Spec{IP: "127.0.0.1", Side: side}
	need := unreachableNodes(t.Context(), spec, cluster.ClusterManager.Program())
	want := []string{net.JoinHostPort("127.0.0.3", strconv.Itoa(port)),
		net.JoinHostPort("127.0.0.4", strconv.Itoa(port))}
	if need == nil || !slices.Equal(need.Addrs, want) || need.AtLeast != 2 {
		t.Errorf("%+v, want %v", need, want)
	}
	side.NodeManager.IPs = []string{"127.0.0.1", "127.0.0.2"}
	if need := unreachableNodes(t.Context(), spec, cluster.ClusterManager.Program()); need != nil {
		t.Errorf("%+v, though all answer", need)
	}
	if need := unreachableNodes(t.Context(), spec, cluster.FateFlow.Program()); need != nil {
		t.Errorf("%+v for another program", need)
	}
}
