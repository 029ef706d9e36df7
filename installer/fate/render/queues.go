package render

import (
	"path"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/yamltext"
)

// renderQueues writes where the message queues of all parties are, for the spark engine.
func renderQueues(s *cluster.Spec) ([]File, error) {
	if !s.Runs(cluster.FateFlow) || s.Side.FateFlow.DefaultEngines != "spark" {
		return nil, nil
	}
	var files []File
	add := func(name string, table yamltext.Map) error {
		content, err := yamltext.Encode(table)
		if err != nil {
			return err
		}
		files = append(files, File{
			Path: path.Join(s.Layout.ProjectConf(), name), Content: content, Perm: permConfig,
			Component: "fateflow", Programs: running(s, cluster.FateFlow),
		})
		return nil
	}
	if s.Side.RabbitMQ.Enable {
		table := yamltext.Map{}
		for _, p := range s.Side.RabbitMQ.RouteTable {
			for _, e := range p.Routes[:min(1, len(p.Routes))] {
				table = append(table, yamltext.Item(p.ID, yamltext.Map{yamltext.Item("host", e.IP),
					yamltext.Item("port", e.Port)}))
			}
		}
		if err := add("rabbitmq_route_table.yaml", table); err != nil {
			return nil, err
		}
	}
	if s.Side.Pulsar.Enable {
		table := yamltext.Map{}
		for _, p := range s.Side.Pulsar.RouteTable {
			for _, e := range p.Routes[:min(1, len(p.Routes))] {
				table = append(table,
					yamltext.Item(p.ID, yamltext.Map{yamltext.Item("host", e.IP), yamltext.Item("port", e.Port),
						yamltext.Item("sslPort", 6651),
						yamltext.Item("proxy", "")}))
			}
		}
		table = append(table, yamltext.Item("default", yamltext.Map{
			yamltext.Item("proxy", "proxy.fate.org:443"), yamltext.Item("domain", "fate.org"),
			yamltext.Item("brokerPort", 6650),
			yamltext.Item("brokerSslPort", 6651),
		}))
		if err := add("pulsar_route_table.yaml", table); err != nil {
			return nil, err
		}
	}
	return files, nil
}
