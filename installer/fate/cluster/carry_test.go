package cluster_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
	"fate-installer/installer/fate/yamltext"

	"github.com/goccy/go-yaml"
)

func TestMain(m *testing.M) { fatetest.Main(m) }

// TestWhatEggrollPropertiesRefuseWouldBeMangled keeps the refusals honest: each refused text is really read wrongly by
// one of the readers.
func TestWhatEggrollPropertiesRefuseWouldBeMangled(t *testing.T) {
	texts := []string{`a\b`, `100%`, `密码`, ` lead`, `trail `}
	all := "[eggroll]\n"
	for i, s := range texts {
		if char, _ := cluster.Unfit("eggroll.properties", s); char == "" {
			t.Errorf("%q is let through", s)
		}
		all += fmt.Sprintf("key.%d=%s\n", i, s)
	}
	java := fatetest.ReadJava(t, []byte(all))
	program, err := fatetest.LookReader("python3")
	if err != nil {
		t.Skip("no python3 on this machine")
	}
	for i, s := range texts {
		// One file each: a percent sign keeps python from reading the file at all.
		one := fatetest.Temporary(t, "x.properties", []byte("[eggroll]\nkey="+s+"\n"))
		out, err := exec.Command(program, "../fatetest/testdata/readers/read.py", "properties", one).Output()
		var python map[string]string
		pythonRight := err == nil && json.Unmarshal(out, &python) == nil && python["key"] == s
		if pythonRight && java[fmt.Sprintf("key.%d", i)] == s {
			t.Errorf("%q is refused, but both readers take it", s)
		}
	}
}

// TestYAMLCarriesEverything covers service_conf.yaml, read by PyYAML, and the cluster file, read by ourselves.
func TestYAMLCarriesEverything(t *testing.T) {
	var m yamltext.Map
	want := make(map[string]string)
	for i, s := range fatetest.ManyTexts() {
		key := fmt.Sprintf("key%d", i)
		m = append(m, yamltext.Item(key, s))
		want[key] = s
	}
	data, err := yamltext.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	var goccy map[string]any
	if err := yaml.Unmarshal(data, &goccy); err != nil {
		t.Fatal(err)
	}
	var python map[string]any
	fatetest.ReadPython(t, "yaml", data, &python)
	for key, s := range want {
		if goccy[key] != s {
			t.Errorf("goccy reads %q as %v", s, goccy[key])
		}
		if python[key] != s {
			t.Errorf("PyYAML reads %q as %v", s, python[key])
		}
	}
}

// TestClusterFileCarriesEveryPassword sends awkward passwords through init's file.
func TestClusterFileCarriesEveryPassword(t *testing.T) {
	for _, s := range fatetest.ManyTexts() {
		if char, _ := cluster.Unfit("eggroll.properties", s); char != "" {
			continue
		}
		if char, _ := cluster.Unfit("application.properties", s); char != "" {
			continue
		}
		host, err := cluster.ParseInitSide(cluster.RoleHost, "10000:192.168.0.1")
		if err != nil {
			t.Fatal(err)
		}
		one := cluster.NewSecret(s)
		c, err := cluster.NewCluster(cluster.InitOptions{Host: host,
			Secrets: map[cluster.Role]cluster.Secrets{cluster.RoleHost: {one, one, one, one, one}}})
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if got := fatetest.Reparse(t, c).Host.Secrets.MySQLUser.Reveal(); got != s {
			t.Errorf("%q comes back as %q", s, got)
		}
	}
}
