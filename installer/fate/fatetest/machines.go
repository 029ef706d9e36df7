package fatetest

import (
	"context"
	"path/filepath"
	"testing"

	"fate-installer/installer/host"
)

// GatherTree reads one of the machines that package host has as directory trees, with a disk of a known size.
func GatherTree(t *testing.T, machine string, query host.FactsQuery) *host.Facts {
	t.Helper()
	h, err := host.New(filepath.Join(Repository("installer/host/testdata/hosts"), machine), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	f, err := host.Gather(context.Background(), h, query)
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.Paths {
		p := &f.Paths[i]
		p.Device, p.Size, p.Free, p.Inodes, p.InodesFree = uint64(len(p.Mount)), 600<<30, 550<<30, 1_000_000, 900_000
	}
	return f
}

// Machines are the trees with the address of each.
var Machines = map[string]string{
	"centos7": "192.168.0.1", "ubuntu18.04": "192.168.0.2", "ubuntu22.04": "172.17.0.2", "debian12": "192.168.0.1",
	"openeuler": "10.20.30.40", "kylin": "172.16.5.9",
}

// Greeting is a server's first packet.
func Greeting(version string) []byte {
	return append([]byte{byte(len(version)) + 30, 0, 0, 0, 10}, version+"\x00\x08\x00\x00\x00salt"...)
}
