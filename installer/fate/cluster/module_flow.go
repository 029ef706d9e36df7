package cluster

import (
	"path"
	"slices"

	"fate-installer/installer/fate/yamltext"
)

// FateFlow is FATE-Flow, which runs jobs.
const FateFlow Module = "fateflow"

func flowModule() moduleEntry {
	return moduleEntry{
		module: FateFlow, key: "fate_flow", group: "fate_flow",
		conf: func(s *Side) moduleSwitch { return moduleSwitch{&s.FateFlow.Enable, &s.FateFlow.IPs} },
		defaults: func(s *Side) {
			s.FateFlow.GRPCPort = defaultFlowGRPCPort
			s.FateFlow.HTTPPort = defaultFlowHTTPPort
			s.FateFlow.DBName = "fate_flow"
		},
		block:   func(_ *Cluster, s *Side) yamltext.Map { return flowItems(s) },
		comment: "Several addresses give high availability; it then needs zk and nginx.",
		several: true,

		port: func(s *Side) int { return s.FateFlow.HTTPPort },
		listeners: func(s *Side) []listener {
			ips := s.AddressesOf(FateFlow)
			return []listener{{"fate_flow.grpcPort", s.FateFlow.GRPCPort, ips},
				{"fate_flow.httpPort", s.FateFlow.HTTPPort, ips}}
		},

		// It talks to eggroll through eggroll's python client.
		components: func(s *Spec) []string {
			eggroll := when(s.Side.FateFlow.DefaultEngines == "eggroll", []string{"eggroll"})
			return slices.Concat([]string{"jdk"}, eggroll, s.pythonComponents())
		},
		main: &component{name: "fateflow", envKey: "FATEFlow",
			home: func(l Layout, _ string) string { return l.Flow() },
			kept: []string{"model_local_cache", "jobs"}}, // trained models

		home: func(s *Spec) string { return s.Layout.Flow() },
		logs: "fateflow",
		logLink: func(l Layout) string {
			if l.Flat {
				return path.Join(l.Project(), "logs")
			}
			return path.Join(l.Flow(), "logs")
		},
		mark:     processMark{"fate_flow_server.py", "FATE-Flow"},
		dataDirs: func(l Layout) []string { return []string{l.Flow(), l.Data(), l.ProgramTemp()} },
		memory:   measured(Resident{125, 277}, Resident{125, 279}),
		jobMiB:   executorMiB,

		wants:    flowWants,
		jobsWant: []Module{ClusterManager, Rollsite},
		bindsOwn: true,
		outward:  true,
		database: func(s *Side) databaseUse { return databaseUse{"fate_flow.dbname", s.FateFlow.DBName} },
		secrets:  func(*Spec) []string { return []string{"mysql_user", "zookeeper"} },
		old: OldModule{
			Program: func(s *Spec) map[string]string {
				script := path.Join(s.Layout.Flow(), "bin", "service.sh")
				if s.Layout.Flat {
					script = path.Join(s.Layout.FatePython(), "fate_flow", "service.sh")
				}
				return oldScript(s.Layout, script, s.Layout.Flow(), "fateflow")
			},
			Process: func(p OldProcess) bool {
				return p.has(func(a string) bool { return a == p.Layout.FlowServer() || a == "fate_flow_server.py" })
			},
		},
	}
}

// FlowConf is FATE-Flow. Several addresses switch high availability on.
type FlowConf struct {
	Enable         bool     `yaml:"enable"`
	IPs            []string `yaml:"ips"`
	GRPCPort       int      `yaml:"grpcPort"`
	HTTPPort       int      `yaml:"httpPort"`
	DBName         string   `yaml:"dbname"`
	Proxy          string   `yaml:"proxy"`
	AppKey         string   `yaml:"http_app_key"`
	SecretKey      Secret   `yaml:"http_secret_key"`
	SafeModule     bool     `yaml:"use_deserialize_safe_module"`
	DefaultEngines string   `yaml:"default_engines"`
	Federation     string   `yaml:"federation"` // spark
	Storage        string   `yaml:"storage"`    // spark

	JobDefaults map[string]string `yaml:"job_defaults"` // ours: what jobs get that do not say otherwise
}

// Flow is the home of FATE-Flow.
func (l Layout) Flow() string {
	if l.Flat {
		return path.Join(l.Project(), "python")
	}
	return path.Join(l.Project(), "fateflow")
}

// FlowPython is the python path entry of FATE-Flow.
func (l Layout) FlowPython() string {
	if l.Flat {
		return l.Flow()
	}
	return path.Join(l.Flow(), "python")
}

// FlowServer is the script that is FATE-Flow.
func (l Layout) FlowServer() string {
	return path.Join(l.FlowPython(), "fate_flow", "fate_flow_server.py")
}

func flowItems(s *Side) yamltext.Map {
	f := s.FateFlow
	m := append(modulesItems(f.Enable, f.IPs),
		yamltext.Item("grpcPort", f.GRPCPort), yamltext.Item("httpPort", f.HTTPPort), yamltext.Item("dbname",
			f.DBName), yamltext.Item("proxy", f.Proxy))
	if f.AppKey != "" {
		m = append(m, yamltext.Item("http_app_key", f.AppKey), secretItem("http_secret_key", f.SecretKey))
	}
	m = append(m, yamltext.Item("use_deserialize_safe_module", f.SafeModule),
		yamltext.Item("default_engines", f.DefaultEngines))
	if f.DefaultEngines == "spark" {
		m = append(m, yamltext.Item("federation", f.Federation), yamltext.Item("storage", f.Storage))
	}
	if len(f.JobDefaults) > 0 {
		var defaults yamltext.Map
		for _, d := range jobDefaults {
			if value := f.JobDefaults[d.key]; value != "" {
				defaults = append(defaults, yamltext.Item(d.key, d.kind.yaml(value)))
			}
		}
		m = append(m, yamltext.Item("job_defaults", defaults))
	}
	return m
}

// flowWants are those of FATE-Flow. It exits without its database or its registry; without the clustermanager it
// starts, and every job fails.
func flowWants(s *Spec) []Module {
	out := []Module{MySQL}
	if s.Side.FateFlow.DefaultEngines == "eggroll" {
		out = append(out, ClusterManager)
	}
	if s.Side.ZK.Enable {
		out = append(out, ZooKeeper)
	}
	return out
}
