package cluster

import (
	"fmt"
	"slices"

	"fate-installer/installer/fate/yamltext"

	"github.com/goccy/go-yaml"
)

// ClusterFile writes a cluster as one commented file in the 1.7+ form. Parse reads it back as the same cluster, and
// AnsibleFATE reads the parts of it that it knows. It contains passwords.
func (c *Cluster) ClusterFile() ([]byte, error) {
	return c.write("A FATE cluster. The same file is used on every host; fate-installer finds out which host it is on.")
}

// write is ClusterFile with the first line of its comment.
func (c *Cluster) write(title string) ([]byte, error) {
	w := &clusterWriter{c: c, comments: yaml.CommentMap{}}
	var top yamltext.Map
	w.comment("$", title,
		"Keys and meanings are AnsibleFATE's. A value that is left out has its default: fate-installer config show "+
			"--origins")
	if c.Install.Base != "" && c.Install.Base != defaultBase {
		top = append(top, yamltext.Item("base", c.Install.Base))
	}
	for _, s := range c.Sides() {
		w.path = "$." + string(s.Role)
		block := w.party
		if s.Role == RoleExchange {
			block = w.exchange
		}
		top = append(top, yaml.MapItem{Key: string(s.Role), Value: block(s)})
	}
	return w.encode(top)
}

func (w *clusterWriter) encode(top yamltext.Map) ([]byte, error) {
	b, err := yaml.MarshalWithOptions(top, yaml.Indent(2), yaml.IndentSequence(true), yaml.WithComment(w.comments))
	if err != nil {
		return nil, fmt.Errorf("cannot write the cluster file: %w", err)
	}
	return b, nil
}

// clusterWriter builds the blocks of a side and remembers the comments above them.
type clusterWriter struct {
	c        *Cluster
	path     string
	comments yaml.CommentMap
}

func (w *clusterWriter) comment(path string, lines ...string) {
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	w.comments[path] = []*yaml.Comment{yaml.HeadComment(lines...)}
}

// block adds a block with a comment above it.
func (w *clusterWriter) block(m *yamltext.Map, key string, value yamltext.Map, comment ...string) {
	if len(comment) > 0 {
		w.comment(w.path+"."+key, comment...)
	}
	value = slices.DeleteFunc(value, func(i yaml.MapItem) bool { return i.Key == nil })
	*m = append(*m, yaml.MapItem{Key: key, Value: value})
}

func (w *clusterWriter) exchange(s *Side) yamltext.Map {
	var m yamltext.Map
	w.block(&m, "rollsite", rollsiteItems(s),
		"The gateway between the parties. Several addresses are several exchanges with the same routes.")
	return m
}

func (w *clusterWriter) party(s *Side) yamltext.Map {
	m := yamltext.Map{yamltext.Item("partyid", s.PartyID)}
	for _, key := range sideKeys() {
		if s.shows(key) {
			w.sideBlock(&m, s, key)
		}
	}
	return m
}

// sideBlock adds the block of a key, unless it says nothing.
func (w *clusterWriter) sideBlock(m *yamltext.Map, s *Side, key string) {
	for _, e := range moduleTable {
		if e.key != key || e.block == nil {
			continue
		}
		if block := e.block(w.c, s); len(block) > 0 {
			var comment []string
			if e.comment != "" {
				comment = []string{e.comment}
			}
			w.block(m, key, block, comment...)
		}
	}
	switch key {
	case "eggroll":
		eggroll := yamltext.Map{yamltext.Item("dbname", s.Eggroll.DBName)}
		if w.c.chosen(s, "eggroll.egg", s.Eggroll.Egg, DefaultEgg) {
			eggroll = append(eggroll, yamltext.Item("egg", s.Eggroll.Egg))
		}
		w.block(m, key, eggroll, "egg: worker processes per session and node; left out, it is cores * 0.8 / 3.")
	case "servings":
		w.block(m, key, yamltext.Map{yamltext.Item("ips", yamltext.Texts(s.Servings.IPs)),
			yamltext.Item("port", s.Servings.Port)},
			"FATE-Serving, where trained models can be published to.")
	case "model_store":
		if s.ModelStore.Enable {
			w.block(m, key, yamltext.Map{yamltext.Item("enable", true),
				yamltext.Item("storage", s.ModelStore.Storage)},
				"Trained models, for all FATE-Flows.")
		}
	case "spark":
		w.spark(m, s)
	case "secrets":
		if !s.Secrets.MySQLRoot.IsZero() {
			w.block(m, key, yamltext.Map{secretItem("mysql_root", s.Secrets.MySQLRoot)},
				"Passwords that are left out are generated during installation and kept on the host.")
		}
	}
}

func (w *clusterWriter) spark(m *yamltext.Map, s *Side) {
	w.block(m, "spark", yamltext.Map{
		yamltext.Item("enable", s.Spark.Enable), yamltext.Item("home", s.Spark.Home), yamltext.Item("hadoop_home",
			s.Spark.HadoopHome),
		yamltext.Item("cores_per_node", s.Spark.CoresPerNode), yamltext.Item("nodes", s.Spark.Nodes),
	})
	w.block(m, "hive", yamltext.Map{
		yamltext.Item("enable", s.Hive.Enable), yamltext.Item("host", s.Hive.Host), yamltext.Item("port", s.Hive.Port),
		yamltext.Item("auth", s.Hive.Auth),
		yamltext.Item("username", s.Hive.User), secretItem("password", s.Hive.Password),
	})
	w.block(m, "hdfs", yamltext.Map{yamltext.Item("enable", s.HDFS.Enable), yamltext.Item("name_node", s.HDFS.NameNode),
		yamltext.Item("path_prefix", s.HDFS.PathPrefix)})
	w.block(m, "rabbitmq", yamltext.Map{
		yamltext.Item("enable", s.RabbitMQ.Enable), yamltext.Item("host", s.RabbitMQ.Host), yamltext.Item("mng_port",
			s.RabbitMQ.MngPort),
		yamltext.Item("port", s.RabbitMQ.Port),
		yamltext.Item("user", s.RabbitMQ.User), secretItem("password", s.RabbitMQ.Password),
		yamltext.Item("route_table", queueItems(s.RabbitMQ.RouteTable)),
	})
	w.block(m, "pulsar", yamltext.Map{
		yamltext.Item("enable", s.Pulsar.Enable), yamltext.Item("host", s.Pulsar.Host), yamltext.Item("port",
			s.Pulsar.Port),
		yamltext.Item("mng_port", s.Pulsar.MngPort),
		yamltext.Item("topic_ttl", s.Pulsar.TopicTTL), yamltext.Item("route_table", queueItems(s.Pulsar.RouteTable)),
	})
}

// chosen reports whether a size that otherwise follows the host was given by the operator.
func (c *Cluster) chosen(s *Side, key string, value, standard int) bool {
	return c.written("%s.%s", s.Role, key) || value != standard
}

func modulesItems(enable bool, ips []string) yamltext.Map {
	return yamltext.Map{yamltext.Item("enable", enable), yamltext.Item("ips", yamltext.Texts(ips))}
}

// secretItem is left out of its block when the secret is generated during installation.
func secretItem(key string, s Secret) yaml.MapItem {
	if s.IsZero() {
		return yaml.MapItem{}
	}
	return yamltext.Item(key, s.Reveal())
}

func queueItems(table []MQRoutes) []any {
	out := []any{}
	for _, p := range table {
		var routes []any
		for _, e := range p.Routes {
			routes = append(routes, yamltext.Map{yamltext.Item("ip", e.IP), yamltext.Item("port", e.Port)})
		}
		out = append(out, yamltext.Map{yamltext.Item("id", yamltext.Plain(p.ID)), yamltext.Item("routes", routes)})
	}
	return out
}
