package fate

import (
	"bytes"
	_ "embed"
	"fmt"
	"path"
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
	initEnvTemplate = template.Must(template.New("init_env.sh").Option("missingkey=error").Funcs(shellFuncs).Parse(initEnvText))
	serviceTemplate = template.Must(template.New("service.sh").Option("missingkey=error").Funcs(shellFuncs).Parse(serviceText))
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
	if err := serviceTemplate.Execute(&service, struct{ Binary, Base string }{s.Layout.Binary(), s.Layout.Base}); err != nil {
		return nil, fmt.Errorf("cannot write service.sh: %w", err)
	}
	return []File{
		{Path: s.Layout.InitEnv(), Content: env.Bytes(), Perm: permScript, Component: "fate", Programs: nil},
		{Path: s.Layout.ServiceScript(), Content: service.Bytes(), Perm: permScript, Owner: "root", Group: "root", Component: "supervisor"},
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

func renderClients(s *Spec) ([]File, error) {
	if !s.Runs(FateFlow) {
		return nil, nil
	}
	content, err := encodeYAML(testConfig(s))
	if err != nil {
		return nil, err
	}
	return []File{{Path: s.Layout.TestConfig(), Content: content, Perm: permConfig, Component: "fate"}}, nil
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
