package render

import (
	"fmt"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"
)

func TestMain(m *testing.M) { fatetest.Main(m) }

// TestEggrollPropertiesCarryOrRefuse writes every text that validation lets into eggroll.properties, and reads it with
// both of the file's readers.
func TestEggrollPropertiesCarryOrRefuse(t *testing.T) {
	p := &properties{header: "[eggroll]\n"}
	want := make(map[string]string)
	for i, s := range fatetest.ManyTexts() {
		if char, _ := cluster.Unfit("eggroll.properties", s); char == "" {
			key := fmt.Sprintf("key.%d", i)
			p.set(key, s)
			want[key] = s
		}
	}
	if len(want) < 40 {
		t.Fatalf("only %d texts are let through", len(want))
	}
	data := p.encodeBoth()
	java := fatetest.ReadJava(t, data)
	var python map[string]string
	fatetest.ReadPython(t, "properties", data, &python)
	for key, s := range want {
		if java[key] != s {
			t.Errorf("java reads %q as %q", s, java[key])
		}
		if python[key] != s {
			t.Errorf("python reads %q as %q", s, python[key])
		}
	}
}

// TestJavaPropertiesCarryEverything covers application.properties and zoo.cfg.
func TestJavaPropertiesCarryEverything(t *testing.T) {
	p := &properties{}
	for i, s := range fatetest.ManyTexts() {
		p.set(fmt.Sprintf("key.%d", i), s)
	}
	got := fatetest.ReadJava(t, p.encodeJava())
	for _, e := range p.entries {
		if got[e.key] != e.value {
			t.Errorf("java reads %q as %q", e.value, got[e.key])
		}
	}
}

func TestRenderedFilesCarryPasswords(t *testing.T) {
	const password = `p:a#s"s';$x=[y]{z}!&*|>@,~^?<(` // everything printable that all of the files can carry
	c, err := fatetest.ParseText("host: {partyid: 10000, ip: 192.168.0.1, mysql: {dbpasswd: " + quoteYAML(password) +
		"}, fateboard: {passwd: " + quoteYAML(`\ü%`+password) + "}}")
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Versions: fatetest.Versions1113, Env: fatetest.Env1113})
	if err != nil {
		t.Fatal(err)
	}
	files := rendered(t, s)
	props := []byte(files["/data/projects/fate/eggroll/conf/eggroll.properties"])
	const key = "eggroll.resourcemanager.clustermanager.jdbc.password"
	if got := fatetest.ReadJava(t, props)[key]; got != password {
		t.Errorf("java reads the password as %q", got)
	}
	var python map[string]string
	fatetest.ReadPython(t, "properties", props, &python)
	if python[key] != password {
		t.Errorf("python reads the password as %q", python[key])
	}
	var all map[string]any
	fatetest.ReadPython(t, "yaml", []byte(files["/data/projects/fate/conf/service_conf.yaml"]), &all)
	if got := all["database"].(map[string]any)["passwd"]; got != password {
		t.Errorf("PyYAML reads the password as %q", got)
	}
	board := []byte(files["/data/projects/fate/fateboard/conf/application.properties"])
	if got := fatetest.ReadJava(t, board)["server.board.login.password"]; got != `\ü%`+password {
		t.Errorf("java reads the board's password as %q", got)
	}
	if got := readOptions([]byte(
		files["/data/projects/fate/common/mysql/mysql-8.0.28/conf/probe.cnf"]))["password"]; got != password {
		t.Errorf("MySQL reads the password as %q", got)
	}
}

// quoteYAML writes a text as a single-quoted YAML scalar.
func quoteYAML(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
