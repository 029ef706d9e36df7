package render

import (
	"bytes"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/yamltext"
)

//go:embed files/init_env.sh.tmpl
var initEnvText string

//go:embed files/service.sh.tmpl
var serviceText string

var shellFuncs = template.FuncMap{"quote": shellQuote, "join": strings.Join}

var (
	initEnvTemplate = template.Must(template.New("init_env.sh").Option("missingkey=error").Funcs(
		shellFuncs).Parse(initEnvText))
	serviceTemplate = template.Must(template.New("service.sh").Option("missingkey=error").Funcs(
		shellFuncs).Parse(serviceText))
)

// shellQuote writes one word for any POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func renderEnvironment(s *cluster.Spec) ([]File, error) {
	hadoop := ""
	if s.Side.FateFlow.DefaultEngines == "spark" {
		hadoop = s.Side.Spark.HadoopHome
	}
	data := struct {
		Project, Venv, PythonPath, Eggroll, JavaHome, Hadoop string
		HasPython                                            bool
		LibraryPath                                          string
	}{
		Project: s.Layout.Project(), Venv: s.Layout.PythonHome(), PythonPath: strings.Join(s.Layout.PythonPath(), ":"),
		Eggroll: s.Layout.Eggroll(), JavaHome: s.JavaHome(), Hadoop: hadoop,
		HasPython:   hasFlowConf(s), // an exchange has no python, and upstream's file fails there
		LibraryPath: strings.Join(libraryPath(s, "python", "jdk"), ":"),
	}
	var env, service bytes.Buffer
	if err := initEnvTemplate.Execute(&env, data); err != nil {
		return nil, fmt.Errorf("cannot write init_env.sh: %w", err)
	}
	if err := serviceTemplate.Execute(&service, struct{ Binary, Base string }{s.Layout.Binary(),
		s.Layout.Base}); err != nil {
		return nil, fmt.Errorf("cannot write service.sh: %w", err)
	}
	return []File{
		{Path: s.Layout.InitEnv(), Content: env.Bytes(), Perm: permScript, Component: "fate", Programs: nil},
		{Path: s.Layout.ServiceScript(), Content: service.Bytes(), Perm: permScript, Owner: "root", Group: "root",
			Component: "supervisor"},
	}, nil
}

// libraryPath lists the directories with shared libraries of some components, from the payload's manifest.
func libraryPath(s *cluster.Spec, components ...string) []string {
	var out []string
	for _, c := range components {
		for _, dir := range s.LibraryPaths[c] {
			out = append(out, path.Join(s.UnpackTarget(c), dir))
		}
	}
	return out
}

// renderClients writes the settings of FATE's command line tools: fate_test, and from 1.7 on flow and pipeline, which
// upstream has an operator initialise by hand.
func renderClients(s *cluster.Spec) ([]File, error) {
	if !s.Runs(cluster.FateFlow) {
		return nil, nil
	}
	flow := s.Side.FateFlow
	address := yamltext.Map{yamltext.Item("ip", s.IP), yamltext.Item("port", flow.HTTPPort),
		yamltext.Item("app_key", flow.AppKey),
		yamltext.Item("secret_key", flow.SecretKey.Reveal())}
	type client struct {
		path   string
		conf   yamltext.Map
		secret bool
	}
	clients := []client{{s.Layout.TestConfig(), testConfig(s), false}}
	if !s.Layout.Flat {
		tools := path.Join(s.Layout.FatePython(), "fate_client")
		// With server_conf_path, flow would look for the keys where FATE-Flow no longer has them.
		settings := append(yamltext.Map{yamltext.Item("api_version", "v1"), yamltext.Item("server_conf_path", nil)},
			address...)
		pipeline := append(slices.Clone(address), yamltext.Item("log_directory", nil),
			yamltext.Item("console_display_log", nil),
			yamltext.Item("system_setting", yamltext.Map{yamltext.Item("role", nil)}))
		signed := !flow.SecretKey.IsZero()
		clients = append(clients,
			client{path.Join(tools, "flow_client", "settings.yaml"), settings, signed},
			client{path.Join(tools, "pipeline", "config.yaml"), pipeline, signed})
	}
	var files []File
	for _, c := range clients {
		content, err := yamltext.Encode(c.conf)
		if err != nil {
			return nil, err
		}
		f := File{Path: c.path, Content: content, Perm: permConfig, Component: "fate"}
		if c.secret {
			f.Perm, f.Secret = PermSecret, true
		}
		files = append(files, f)
	}
	return files, nil
}

// testConfig is fate_test's. With both parties known it crosses them, so that the suites run between the two.
func testConfig(s *cluster.Spec) yamltext.Map {
	own := s.Side
	guests, hosts, arbiters := []int{own.PartyID}, []int{own.PartyID}, []int{own.PartyID}
	services := []any{flowService(own)}
	if peer := peer(s); peer != nil && s.Cluster.Exchange == nil {
		hosts, arbiters = []int{peer.PartyID, own.PartyID}, []int{peer.PartyID}
		services = []any{flowService(s.Cluster.Host), flowService(s.Cluster.Guest)}
	}
	return yamltext.Map{
		yamltext.Item("data_base_dir", s.Layout.Project()),
		yamltext.Item("cache_directory", "examples/cache/"),
		yamltext.Item("performance_template_directory", "examples/benchmark_performance/"),
		yamltext.Item("flow_test_config_directory", "examples/flow_test_template/hetero_lr/flow_test_config.yaml"),
		yamltext.Item("min_test_data_config", "examples/data/upload_config/min_test_data_testsuite.json"),
		yamltext.Item("all_examples_data_config", "examples/data/upload_config/all_examples_data_testsuite.json"),
		yamltext.Item("fate_base", s.Layout.Fate()),
		yamltext.Item("clean_data", true),
		yamltext.Item("parties", yamltext.Map{yamltext.Item("guest", guests), yamltext.Item("host", hosts),
			yamltext.Item("arbiter", arbiters)}),
		yamltext.Item("services", []any{yamltext.Map{
			yamltext.Item("flow_services", services),
			yamltext.Item("serving_setting", yamltext.Map{yamltext.Item("address", "127.0.0.1:8059")}),
			yamltext.Item("ssh_tunnel", yamltext.Map{
				yamltext.Item("enable", false), yamltext.Item("ssh_address", "<remote ip>:<remote port>"),
				yamltext.Item("ssh_username", nil),
				yamltext.Item("ssh_password", nil), yamltext.Item("ssh_priv_key", "~/.ssh/id_rsa"),
			}),
		}}),
	}
}

func flowService(s *cluster.Side) yamltext.Map {
	return yamltext.Map{
		yamltext.Item("address", cluster.FirstAddress(s.FateFlow.IPs)+":"+strconv.Itoa(s.FateFlow.HTTPPort)),
		yamltext.Item("parties", []int{s.PartyID}),
	}
}
