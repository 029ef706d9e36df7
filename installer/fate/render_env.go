package fate

import (
	"bytes"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/template"
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

func renderEnvironment(s *Spec) ([]File, error) {
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
		HasPython:   s.hasFlowConf(), // an exchange has no python, and upstream's file fails there
		LibraryPath: strings.Join(s.libraryPath("python", "jdk"), ":"),
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
func (s *Spec) libraryPath(components ...string) []string {
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
func renderClients(s *Spec) ([]File, error) {
	if !s.Runs(FateFlow) {
		return nil, nil
	}
	flow := s.Side.FateFlow
	address := yamlMap{item("ip", s.IP), item("port", flow.HTTPPort), item("app_key", flow.AppKey),
		item("secret_key", flow.SecretKey.Reveal())}
	type client struct {
		path   string
		conf   yamlMap
		secret bool
	}
	clients := []client{{s.Layout.TestConfig(), testConfig(s), false}}
	if !s.Layout.Flat {
		tools := path.Join(s.Layout.FatePython(), "fate_client")
		// With server_conf_path, flow would look for the keys where FATE-Flow no longer has them.
		settings := append(yamlMap{item("api_version", "v1"), item("server_conf_path", nil)}, address...)
		pipeline := append(slices.Clone(address), item("log_directory", nil), item("console_display_log", nil),
			item("system_setting", yamlMap{item("role", nil)}))
		signed := !flow.SecretKey.IsZero()
		clients = append(clients,
			client{path.Join(tools, "flow_client", "settings.yaml"), settings, signed},
			client{path.Join(tools, "pipeline", "config.yaml"), pipeline, signed})
	}
	var files []File
	for _, c := range clients {
		content, err := encodeYAML(c.conf)
		if err != nil {
			return nil, err
		}
		f := File{Path: c.path, Content: content, Perm: permConfig, Component: "fate"}
		if c.secret {
			f.Perm, f.Secret = permSecret, true
		}
		files = append(files, f)
	}
	return files, nil
}

// testConfig is fate_test's. With both parties known it crosses them, so that the suites run between the two.
func testConfig(s *Spec) yamlMap {
	own := s.Side
	guests, hosts, arbiters := []int{own.PartyID}, []int{own.PartyID}, []int{own.PartyID}
	services := []any{flowService(own)}
	if peer := s.peer(); peer != nil && s.Cluster.Exchange == nil {
		hosts, arbiters = []int{peer.PartyID, own.PartyID}, []int{peer.PartyID}
		services = []any{flowService(s.Cluster.Host), flowService(s.Cluster.Guest)}
	}
	return yamlMap{
		item("data_base_dir", s.Layout.Project()),
		item("cache_directory", "examples/cache/"),
		item("performance_template_directory", "examples/benchmark_performance/"),
		item("flow_test_config_directory", "examples/flow_test_template/hetero_lr/flow_test_config.yaml"),
		item("min_test_data_config", "examples/data/upload_config/min_test_data_testsuite.json"),
		item("all_examples_data_config", "examples/data/upload_config/all_examples_data_testsuite.json"),
		item("fate_base", s.Layout.Fate()),
		item("clean_data", true),
		item("parties", yamlMap{item("guest", guests), item("host", hosts), item("arbiter", arbiters)}),
		item("services", []any{yamlMap{
			item("flow_services", services),
			item("serving_setting", yamlMap{item("address", "127.0.0.1:8059")}),
			item("ssh_tunnel", yamlMap{
				item("enable", false), item("ssh_address", "<remote ip>:<remote port>"), item("ssh_username", nil),
				item("ssh_password", nil), item("ssh_priv_key", "~/.ssh/id_rsa"),
			}),
		}}),
	}
}

func flowService(s *Side) yamlMap {
	return yamlMap{
		item("address", first(s.FateFlow.IPs)+":"+strconv.Itoa(s.FateFlow.HTTPPort)),
		item("parties", []int{s.PartyID}),
	}
}
