package fate

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests in this file are named after what AnsibleFATE gets wrong: faults of its roles and scripts by number, and
// single defects of its templates by what they are about. Each holds the rendering against the right behaviour.

func specOf(t *testing.T, text, ip, release string) *Spec {
	t.Helper()
	c, err := parseText(text)
	if err != nil {
		t.Fatal(err)
	}
	env, versions, err := Release(release)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Spec(Selection{IP: ip, Env: env, Versions: versions, Secrets: fixedSecrets})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serviceConfOf and propertiesOf are the two main files of a host, flattened.
func serviceConfOf(t *testing.T, s *Spec) map[string]string {
	t.Helper()
	return flatten(t, "x.yaml", []byte(rendered(t, s)[s.Layout.ServiceConf()]))
}

func propertiesOf(t *testing.T, s *Spec) map[string]string {
	t.Helper()
	return flatten(t, "x.properties", []byte(rendered(t, s)[s.Layout.EggrollProperties()]))
}

const oneHost = "host: {partyid: 10000, ip: 192.168.0.1}"

// TestFault02NoPasswordInAnArgument looks at every command line and environment of every program.
func TestFault02NoPasswordInAnArgument(t *testing.T) {
	for _, s := range []*Spec{specOf(t, oneHost, "192.168.0.1", "1.11.4"),
		specOf(t, haCluster, "192.168.0.1", "1.11.4"), specOf(t, oneHost, "192.168.0.1", "1.5.0")} {
		for _, p := range Programs(s) {
			text := string(p.INI())
			for _, name := range SecretNames() {
				if strings.Contains(text, fixedSecrets.Get(name).Reveal()) {
					t.Errorf("%s shows %s", p.Name, name)
				}
			}
		}
	}
}

// TestFault03And04SecretFilesArePrivate checks that whatever has a password says so and is readable by its owner only.
func TestFault03And04SecretFilesArePrivate(t *testing.T) {
	for _, release := range []string{"1.5.0", "1.8.0", "1.11.4"} {
		files, err := Render(specOf(t, oneHost, "192.168.0.1", release))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			has := slices.ContainsFunc(fixedSecrets.All(),
				func(s Secret) bool { return strings.Contains(string(f.Content), s.Reveal()) })
			if has != f.Secret || f.Secret && f.Perm != 0o600 {
				t.Errorf("%s: has a password %v, says so %v, mode %v", f.Path, has, f.Secret, f.Perm)
			}
			if strings.HasPrefix(f.Path, "/data/temp") {
				t.Errorf("%s is left in the scratch directory", f.Path)
			}
		}
	}
}

func TestFault07NodesAreKnownToTheClusterManager(t *testing.T) {
	const text = "host: {partyid: 10000, ip: 192.168.0.1, nodemanager: {ips: [192.168.0.1, 192.168.0.7]}}"
	for release, registers := range map[string]bool{"1.5.0": false, "1.9.0": false, "1.11.1": false,
		"1.11.2": true, "1.11.4": true} {
		s := specOf(t, text, "192.168.0.1", release)
		db, _ := s.Database()
		want := []ServerNode{
			{"192.168.0.1", 4670, "CLUSTER_MANAGER", "HEALTHY"}, {"192.168.0.1", 4671, "NODE_MANAGER", "HEALTHY"},
			{"192.168.0.7", 4671, "NODE_MANAGER", "HEALTHY"},
		}
		if registers { // a node whose row is there is HEALTHY one heartbeat sooner
			want = []ServerNode{{"192.168.0.1", 4671, "NODE_MANAGER", "INIT"},
				{"192.168.0.7", 4671, "NODE_MANAGER", "INIT"}}
		}
		if diff := cmp.Diff(want, db.Nodes); diff != "" {
			t.Errorf("%s: server_node:\n%s", release, diff)
		}
		for _, ip := range []string{"192.168.0.1", "192.168.0.7"} {
			got := propertiesOf(t, specOf(t, text, ip, release))["eggroll.resourcemanager.nodemanager.host"]
			if registers && got != ip || !registers && got != "" {
				t.Errorf("%s on %s: nodemanager.host is %q", release, ip, got)
			}
		}
	}
}

func TestFault08ModelStoreHasTheKeysItsFlowReads(t *testing.T) {
	for release, want := range map[string][2]string{
		"1.5.0": {"name", "passwd"}, "1.6.1": {"name", "passwd"}, "1.7.0": {"database", "passwd"},
		"1.8.0": {"database", "passwd"},
		"1.9.0": {"database", "password"}, "1.11.4": {"database", "password"},
	} {
		conf := serviceConfOf(t, specOf(t, oneHost, "192.168.0.1", release))
		if conf["model_store_address."+want[0]] != "fate_flow" || conf["model_store_address."+want[1]] != "drawn-user" {
			t.Errorf("%s: model_store_address lacks %v", release, want)
		}
	}
}

func TestFault08HiveKeysAndProxyOfTheOtherParty(t *testing.T) {
	c := mustParse(t, upstream+"/setup-conf/scenario4-host-guest-spark-empty/setup.conf")
	env, versions, _ := Release("1.11.4")
	for ip, peer := range map[string]string{"192.168.0.1": "192.168.1.1", "192.168.1.1": "192.168.0.1"} {
		s, err := c.Spec(Selection{IP: ip, Env: env, Versions: versions, Secrets: fixedSecrets})
		if err != nil {
			t.Fatal(err)
		}
		conf := serviceConfOf(t, s)
		if _, ok := conf["fate_on_spark.hive.auth_mechanism"]; !ok {
			t.Error("hive lacks auth_mechanism")
		}
		if got := conf["fateflow.proxy.host"]; got != peer {
			t.Errorf("%s calls the FATE-Flow at %s, not its peer's at %s", ip, got, peer)
		}
	}
}

func TestFault09BoardKnowsTheFlowsKeysAndItsEncoding(t *testing.T) {
	const text = "host: {partyid: 10000, ip: 192.168.0.1, fate_flow: {http_app_key: key, http_secret_key: secret}}"
	for release, encoding := range map[string]string{"1.8.0": "spring.http", "1.9.0": "spring.http",
		"1.9.1": "server.servlet", "1.11.4": "server.servlet"} {
		s := specOf(t, text, "192.168.0.1", release)
		p := flatten(t, "x.properties", []byte(rendered(t, s)[s.Layout.BoardProperties()]))
		if p["fateflow.http_app_key"] != "key" || p["fateflow.http_secret_key"] != "secret" {
			t.Errorf("%s: the board lacks the keys", release)
		}
		if p[encoding+".encoding.charset"] != "UTF-8" {
			t.Errorf("%s: no %s.encoding.charset", release, encoding)
		}
		if got := serviceConfOf(t, s)["authentication.client.switch"]; got != "true" {
			t.Errorf("%s: authentication is %s", release, got)
		}
	}
}

func TestFault10StandaloneReachesFateFlow(t *testing.T) {
	for _, source := range []string{"/setup.conf", "/expected-var-files"} {
		c := mustParse(t, upstream+"/setup-conf/extra-standalone-engine"+source)
		s, err := c.Spec(Selection{IP: "192.168.0.1", Env: env1113, Versions: versions1113, Secrets: fixedSecrets})
		if err != nil {
			t.Fatal(err)
		}
		conf := serviceConfOf(t, s)
		for _, engine := range []string{"computing", "federation", "storage"} {
			if got := conf["default_engines."+engine]; got != "standalone" {
				t.Errorf("%s: %s is %s", source, engine, got)
			}
		}
		if conf["fate_on_standalone.standalone.cores_per_node"] != "20" {
			t.Errorf("%s: no cores for standalone", source)
		}
	}
}

func TestFault11UnusableTLSIsRefused(t *testing.T) {
	for _, set := range []string{"extra-three-sides-tls-host-guest-UNSUPPORTED", "extra-ssl-roles-one-of-two"} {
		if _, err := Parse(sources(t, upstream+"/setup-conf/"+set+"/setup.conf")); err == nil {
			t.Errorf("%s is accepted", set)
		}
	}
}

const setupHead = "modules: [mysql, eggroll, fate_flow, fateboard]\nroles: ['host:10000']\nhost_ips: " +
	"['default:192.168.0.1']\n"

func TestFault12SpecialRoutes(t *testing.T) {
	_, err := parseText(setupHead + "host_special_routes: ['8888:192.168.2.1:9370', '8888:192.168.2.2:9370']\n")
	wantProblem(t, err, "cluster.yaml:4:48", "two routes named default")
	for _, route := range []string{"8888:192.168.2.1:9371:tls", "8888:192.168.2.1:9371:true", "8888:192.168.2.1",
		"x1:192.168.2.1:9370", "8888:192.168.2.999:9370", "8888:192.168.2.1:99999"} {
		if _, err := parseText(setupHead + "host_special_routes: ['" + route + "']\n"); err == nil {
			t.Errorf("the route %s is accepted", route)
		}
	}
	// A secure route before another of its party breaks upstream's rendering.
	c, err := parseText("modules: [mysql, eggroll, fate_flow, fateboard]\nroles: ['host:10000']\nssl_roles: " +
		"[host]\nhost_ips: ['default:192.168.0.1']\n" +
		"host_special_routes: ['default:192.168.9.9:9371:secure', '8888:192.168.2.1:9372:secure', " +
		"'7777:fate.example.com:9370']\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []PartyRoutes{
		{ID: "default", Routes: []Route{{Name: "default", IP: "192.168.9.9", Port: 9371, IsSecure: true}}},
		{ID: "8888", Routes: []Route{{Name: "default", IP: "192.168.2.1", Port: 9372, IsSecure: true}}},
		{ID: "7777", Routes: []Route{{Name: "default", IP: "fate.example.com", Port: 9370}}},
	}
	if diff := cmp.Diff(want, comparable(c)[0].Rollsite.RouteTables[:3]); diff != "" {
		t.Error(diff)
	}
}

func TestFault13ExchangeNeedsNoPython(t *testing.T) {
	s := specOf(t, "exchange: {ip: 192.168.0.88}", "192.168.0.88", "1.11.4")
	if got := s.Components(); !slices.Equal(got, []string{"jdk", "eggroll"}) {
		t.Errorf("an exchange gets %v", got)
	}
	if env := rendered(t, s)[s.Layout.InitEnv()]; strings.Contains(env, "venv") {
		t.Errorf("init_env.sh of an exchange uses python:\n%s", env)
	}
}

func TestFault14BoardIsStartedByItsUnversionedName(t *testing.T) {
	for _, p := range Programs(specOf(t, oneHost, "192.168.0.1", "1.7.3")) { // board 1.7.2.2
		if p.Name == "fate-fateboard" && p.Command[len(p.Command)-1] != "/data/projects/fate/fateboard/fateboard.jar" {
			t.Errorf("the board is started as %q", p.Command)
		}
	}
}

func TestFault18QuotesInSetupConfAreNotExecuted(t *testing.T) {
	text := strings.Replace(setupHead, "default:192.168.0.1", "default:192.168.0.1; touch /tmp/owned", 1)
	_, err := parseText(text)
	wantProblem(t, err, "no IPv4 address")
	_, err = parseText("modules: [mysql]\nroles: ['exchange:0']\nexchange_ips: ['default:192.168.0.88|192.168.0.89']\n")
	wantProblem(t, err, "default takes one address")
	in, err := ParseInitSide(RoleExchange, "192.168.0.88,192.168.0.89") // upstream's init crashes on two exchanges
	if err != nil || len(in.IPs) != 2 {
		t.Errorf("two exchanges: %v %v", in, err)
	}
	_, err = parseText(setupHead[:strings.Index(setupHead, "host_ips")] +
		"host_ips: ['default:192.168.0.1', 'flow:192.168.0.2']\n")
	wantProblem(t, err, "flow")
}

// TestExchangeHasNoPlaceholders looks for what upstream's template leaves unsubstituted.
func TestExchangeHasNoPlaceholders(t *testing.T) {
	s := specOf(t, "exchange: {ip: 192.168.0.88}", "192.168.0.88", "1.11.4")
	for key, value := range propertiesOf(t, s) {
		if strings.Contains(value, "${") {
			t.Errorf("%s is %s", key, value)
		}
	}
}

// TestEachOfSeveralExchangesKnowsItself: upstream writes the first address everywhere.
func TestEachOfSeveralExchangesKnowsItself(t *testing.T) {
	const text = "exchange: {rollsite: {ips: [192.168.0.88, 192.168.0.89], route_tables: [{id: 5, routes: [{name: " +
		"default, ip: 10.0.0.5, port: 9370}]}]}}"
	for _, ip := range []string{"192.168.0.88", "192.168.0.89"} {
		if got := propertiesOf(t, specOf(t, text, ip, "1.11.4"))["eggroll.rollsite.host"]; got != ip {
			t.Errorf("the exchange at %s takes itself for %s", ip, got)
		}
	}
}

// TestSecurePortIsAlwaysWrittenWithTLS: eggroll's own default is FATE-Flow's port.
func TestSecurePortIsAlwaysWrittenWithTLS(t *testing.T) {
	p := propertiesOf(t, specOf(t,
		"host: {partyid: 10000, ip: 192.168.0.1, rollsite: {server_secure: true, client_secure: true, client_auth: "+
			"true}}", "192.168.0.1", "1.11.4"))
	if p["eggroll.rollsite.secure.port"] != "9371" || p["eggroll.core.security.secure.client.auth.enabled"] != "true" {
		t.Errorf("secure.port is %q, client auth %q", p["eggroll.rollsite.secure.port"],
			p["eggroll.core.security.secure.client.auth.enabled"])
	}
	if _, ok := p["eggroll.core.security.secure.cluster.enabled"]; ok {
		t.Error("the managers would try TLS on their plain ports")
	}
}

// TestInitEnvGivesUpstreamsVariables sources upstream's file and ours, also from a base directory with blanks.
func TestInitEnvGivesUpstreamsVariables(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "dash"} {
		program, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("no %s on this machine", shell)
			continue
		}
		for _, base := range []string{"/data", "/srv/fate data's"} {
			c, err := parseText(oneHost)
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Spec(Selection{IP: "192.168.0.1", Versions: versions1113, Env: env1113, Base: "/data"})
			if err != nil {
				t.Fatal(err)
			}
			s.Layout.Base = base
			files, err := renderEnvironment(s)
			if err != nil {
				t.Fatal(err)
			}
			script := ". " + shellQuote(temporary(t, "init_env.sh", files[0].Content)) +
				` && printf '%s\n' "$FATE_PROJECT_BASE" "$FATE_DEPLOY_BASE" "$PYTHONPATH" "$EGGROLL_HOME" "$FATE_LOG_LEVEL" "$FATE_PROFILE_LOG_ENABLED" "$JAVA_HOME" "$EGGROLL_LOG_LEVEL" "$VIRTUAL_ENV" "$PATH"`
			cmd := exec.Command(program, "-u", "-c", script)
			cmd.Env = []string{"PATH=/usr/bin:/bin"}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", shell, err, out)
			}
			project := base + "/projects/fate"
			jdk, venv := project+"/common/jdk/jdk-8u345", project+"/common/python/venv"
			want := strings.Join([]string{
				project, project, project + "/fate/python:" + project + "/fateflow/python:" + project +
					"/eggroll/python", project + "/eggroll",
				"DEBUG", "0", jdk, "INFO", venv, venv + "/bin:/usr/bin:/bin:" + jdk + "/bin",
			}, "\n") + "\n"
			if string(out) != want {
				t.Errorf("%s with base %s:\n%s", shell, base, cmp.Diff(want, string(out)))
			}
		}
	}
}
