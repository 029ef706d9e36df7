package registry

import (
	"strings"
	"testing"
	"time"
)

func TestParseInstance(t *testing.T) {
	const text = `{"instance_id": "flow-192.168.0.1-9380", "timestamp": 1700000000123, "version": "1.11.2", "host": "192.168.0.1", "grpc_port": %, "http_port": 9380}`
	for _, port := range []string{`9360`, `"9360"`} {
		got, err := parseInstance("192.168.0.1%3A9360", []byte(strings.Replace(text, "%", port, 1)))
		if err != nil {
			t.Fatal(err)
		}
		want := Instance{
			Node: "192.168.0.1:9360", ID: "flow-192.168.0.1-9380", Host: "192.168.0.1", GRPCPort: 9360, HTTPPort: 9380,
			Version: "1.11.2", Since: time.UnixMilli(1700000000123),
		}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if _, err := parseInstance("x", []byte("[]")); err == nil || !strings.Contains(err.Error(), Root+"/x") {
		t.Errorf("got %v", err)
	}
}

func TestParseMode(t *testing.T) {
	for answer, want := range map[string]string{
		"Zookeeper version: 3.5.8\nMode: leader\nNode count: 5\n":     "leader",
		"Zookeeper version: 3.5.8\nMode: standalone\n":                "standalone",
		"This ZooKeeper instance is not currently serving requests\n": "cannot reach enough of the other ZooKeepers",
		"srvr is not executed because it is not in the whitelist.\n":  "it answers",
		"": "without an answer",
	} {
		mode, err := parseMode(answer)
		if err != nil {
			mode = err.Error()
		}
		if !strings.Contains(mode, want) {
			t.Errorf("%q: got %q, want %q", answer, mode, want)
		}
	}
}

func FuzzParseInstance(f *testing.F) {
	f.Add("192.168.0.1%3A9360", []byte(`{"instance_id": "a", "timestamp": 1, "grpc_port": "x"}`))
	f.Add("%zz", []byte(`null`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if i, err := parseInstance(name, data); err == nil && name != "" && i.Node == "" {
			t.Errorf("a registered FATE-Flow without a name: %q", name)
		}
	})
}
