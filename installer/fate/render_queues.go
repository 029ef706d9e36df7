package fate

import "path"

// renderQueues writes where the message queues of all parties are, for the spark engine.
func renderQueues(s *Spec) ([]File, error) {
	if !s.Runs(FateFlow) || s.Side.FateFlow.DefaultEngines != "spark" {
		return nil, nil
	}
	var files []File
	add := func(name string, table yamlMap) error {
		content, err := encodeYAML(table)
		if err != nil {
			return err
		}
		files = append(files, File{
			Path: path.Join(s.Layout.ProjectConf(), name), Content: content, Perm: permConfig,
			Component: "fateflow", Programs: s.running(FateFlow),
		})
		return nil
	}
	if s.Side.RabbitMQ.Enable {
		table := yamlMap{}
		for _, p := range s.Side.RabbitMQ.RouteTable {
			for _, e := range p.Routes[:min(1, len(p.Routes))] {
				table = append(table, item(p.ID, yamlMap{item("host", e.IP), item("port", e.Port)}))
			}
		}
		if err := add("rabbitmq_route_table.yaml", table); err != nil {
			return nil, err
		}
	}
	if s.Side.Pulsar.Enable {
		table := yamlMap{}
		for _, p := range s.Side.Pulsar.RouteTable {
			for _, e := range p.Routes[:min(1, len(p.Routes))] {
				table = append(table,
					item(p.ID, yamlMap{item("host", e.IP), item("port", e.Port), item("sslPort", 6651),
						item("proxy", "")}))
			}
		}
		table = append(table, item("default", yamlMap{
			item("proxy", "proxy.fate.org:443"), item("domain", "fate.org"), item("brokerPort", 6650),
			item("brokerSslPort", 6651),
		}))
		if err := add("pulsar_route_table.yaml", table); err != nil {
			return nil, err
		}
	}
	return files, nil
}
