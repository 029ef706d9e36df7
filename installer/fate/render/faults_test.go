package render

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/fatetest"

	"github.com/google/go-cmp/cmp"
)

// serviceConfOf and propertiesOf are the two main files of a host, flattened.
func serviceConfOf(t *testing.T, s *cluster.Spec) map[string]string {
	t.Helper()
	return flatten(t, "x.yaml", []byte(rendered(t, s)[s.Layout.ServiceConf()]))
}

func propertiesOf(t *testing.T, s *cluster.Spec) map[string]string {
	t.Helper()
	return flatten(t, "x.properties", []byte(rendered(t, s)[s.Layout.EggrollProperties()]))
}

// TestFault02NoPasswordInAnArgument looks at every command line and environment of every program.
func TestFault02NoPasswordInAnArgument(t *testing.T) {
	for _, s := range []*cluster.Spec{fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", "1.11.4"),
		fatetest.SpecOf(t, fatetest.HACluster, "192.168.0.1", "1.11.4"), fatetest.SpecOf(t, fatetest.OneHost,
			"192.168.0.1", "1.5.0")} {
		for _, p := range Programs(s) {
			text := string(p.INI())
			for _, name := range cluster.SecretNames() {
				if strings.Contains(text, fatetest.FixedSecrets.Get(name).Reveal()) {
					t.Errorf("%s shows %s", p.Name, name)
				}
			}
		}
	}
}

// TestFault03And04SecretFilesArePrivate checks that whatever has a password says so and is readable by its owner only.
func TestFault03And04SecretFilesArePrivate(t *testing.T) {
	for _, release := range []string{"1.5.0", "1.8.0", "1.11.4"} {
		files, err := Files(fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", release))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			has := slices.ContainsFunc(fatetest.FixedSecrets.All(),
				func(s cluster.Secret) bool { return strings.Contains(string(f.Content), s.Reveal()) })
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
		s := fatetest.SpecOf(t, text, "192.168.0.1", release)
		db, _ := DatabaseOf(s)
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
			got := propertiesOf(t, fatetest.SpecOf(t, text, ip, release))["eggroll.resourcemanager.nodemanager.host"]
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
		conf := serviceConfOf(t, fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", release))
		if conf["model_store_address."+want[0]] != "fate_flow" || conf["model_store_address."+want[1]] != "drawn-user" {
			t.Errorf("%s: model_store_address lacks %v", release, want)
		}
	}
}

func TestFault08HiveKeysAndProxyOfTheOtherParty(t *testing.T) {
	c := fatetest.MustParse(t, fatetest.Upstream+"/setup-conf/scenario4-host-guest-spark-empty/setup.conf")
	env, versions, _ := cluster.Release("1.11.4")
	for ip, peer := range map[string]string{"192.168.0.1": "192.168.1.1", "192.168.1.1": "192.168.0.1"} {
		s, err := c.Spec(cluster.Selection{IP: ip, Env: env, Versions: versions, Secrets: fatetest.FixedSecrets})
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
		s := fatetest.SpecOf(t, text, "192.168.0.1", release)
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
		c := fatetest.MustParse(t, fatetest.Upstream+"/setup-conf/extra-standalone-engine"+source)
		s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Env: fatetest.Env1113, Versions: fatetest.Versions1113,
			Secrets: fatetest.FixedSecrets})
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

func TestFault13ExchangeNeedsNoPython(t *testing.T) {
	s := fatetest.SpecOf(t, "exchange: {ip: 192.168.0.88}", "192.168.0.88", "1.11.4")
	if got := s.Components(); !slices.Equal(got, []string{"jdk", "eggroll"}) {
		t.Errorf("an exchange gets %v", got)
	}
	if env := rendered(t, s)[s.Layout.InitEnv()]; strings.Contains(env, "venv") {
		t.Errorf("init_env.sh of an exchange uses python:\n%s", env)
	}
}

func TestFault14BoardIsStartedByItsUnversionedName(t *testing.T) {
	for _, p := range Programs(fatetest.SpecOf(t, fatetest.OneHost, "192.168.0.1", "1.7.3")) { // board 1.7.2.2
		if p.Name == "fate-fateboard" && p.Command[len(p.Command)-1] != "/data/projects/fate/fateboard/fateboard.jar" {
			t.Errorf("the board is started as %q", p.Command)
		}
	}
}

// TestExchangeHasNoPlaceholders looks for what upstream's template leaves unsubstituted.
func TestExchangeHasNoPlaceholders(t *testing.T) {
	s := fatetest.SpecOf(t, "exchange: {ip: 192.168.0.88}", "192.168.0.88", "1.11.4")
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
		if got := propertiesOf(t, fatetest.SpecOf(t, text, ip, "1.11.4"))["eggroll.rollsite.host"]; got != ip {
			t.Errorf("the exchange at %s takes itself for %s", ip, got)
		}
	}
}

// TestSecurePortIsAlwaysWrittenWithTLS: eggroll's own default is FATE-Flow's port.
func TestSecurePortIsAlwaysWrittenWithTLS(t *testing.T) {
	p := propertiesOf(t, fatetest.SpecOf(t,
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
			c, err := fatetest.ParseText(fatetest.OneHost)
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Spec(cluster.Selection{IP: "192.168.0.1", Versions: fatetest.Versions1113,
				Env: fatetest.Env1113, Base: "/data"})
			if err != nil {
				t.Fatal(err)
			}
			s.Layout.Base = base
			files, err := renderEnvironment(s)
			if err != nil {
				t.Fatal(err)
			}
			script := ". " + shellQuote(fatetest.Temporary(t, "init_env.sh", files[0].Content)) +
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
