package cluster

import (
	"path"

	"fate-installer/installer/fate/yamltext"
)

// Nginx is the balancer in front of several FATE-Flows.
const Nginx Module = "nginx"

func nginxModule() moduleEntry {
	return moduleEntry{
		module: Nginx, key: "nginx",
		block:   func(_ *Cluster, s *Side) yamltext.Map { return when(s.Nginx.Enable, nginxItems(s)) },
		comment: "In front of several FATE-Flows. host: an address that moves between several ips.",

		addresses: func(s *Side) []string { return when(s.Balanced() && s.Nginx.Type == "inside", s.Nginx.IPs) },
		instances: func(s *Side) []Endpoint {
			return when(s.Balanced(), []Endpoint{{IP: s.Nginx.Entry(), Port: s.Nginx.GRPCPort}})
		},
		outside: true,
		port:    func(s *Side) int { return s.Nginx.GRPCPort },
		listeners: func(s *Side) []listener {
			ips := s.AddressesOf(Nginx)
			return []listener{{"nginx.http_port", s.Nginx.HTTPPort, ips}, {"nginx.grpc_port", s.Nginx.GRPCPort, ips}}
		},

		components: made("nginx"),
		main:       &component{name: "nginx", home: func(l Layout, _ string) string { return l.Nginx() }},

		command: func(s *Spec) []string {
			home := s.Layout.Nginx()
			return []string{path.Join(home, "sbin", "nginx"), "-p", home, "-c", s.Layout.NginxConf(), "-g",
				"daemon off;"}
		},
		home:    func(s *Spec) string { return s.Layout.Nginx() },
		logs:    "nginx",
		memory:  measured(Resident{6, 6}),
		outward: true,
	}
}

// NginxConf is the balancer in front of several FATE-Flows, or the proxy of the spark engine.
type NginxConf struct {
	Enable   bool     `yaml:"enable"`
	Type     string   `yaml:"type"` // ours: inside or outside
	IPs      []string `yaml:"ips"`  // ours
	Host     string   `yaml:"host"`
	HTTPPort int      `yaml:"http_port"`
	GRPCPort int      `yaml:"grpc_port"`
}

// Nginx is the prefix of nginx.
func (l Layout) Nginx() string { return l.under("projects", "nginx") }

// NginxConf is nginx.conf.
func (l Layout) NginxConf() string { return path.Join(l.Nginx(), "conf", "nginx.conf") }

func nginxItems(s *Side) yamltext.Map {
	m := yamltext.Map{yamltext.Item("enable", true), yamltext.Item("type", s.Nginx.Type)}
	if len(s.Nginx.IPs) > 0 {
		m = append(m, yamltext.Item("ips", yamltext.Texts(s.Nginx.IPs)))
	}
	if s.Nginx.Host != "" {
		m = append(m, yamltext.Item("host", s.Nginx.Host))
	}
	return append(m, yamltext.Item("http_port", s.Nginx.HTTPPort), yamltext.Item("grpc_port", s.Nginx.GRPCPort))
}
