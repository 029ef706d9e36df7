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
)

func renderZooKeeper(s *cluster.Spec) ([]File, error) {
	if !s.Runs(cluster.ZooKeeper) {
		return nil, nil
	}
	programs := running(s, cluster.ZooKeeper)
	id := 1 + slices.IndexFunc(s.Side.ZK.Lists, func(e cluster.Endpoint) bool { return e.IP == s.IP })
	return []File{
		{Path: s.Layout.ZooKeeperConf(), Content: zooCfg(s), Perm: permConfig, Component: "zookeeper",
			Programs: programs},
		{Path: path.Join(s.Layout.ZooKeeperData(), "myid"), Content: []byte(strconv.Itoa(id) + "\n"), Perm: permConfig,
			Component: "zookeeper", Programs: programs},
	}, nil
}

// zooCfg is a java property file. A single node gets its server line too, as upstream's guide has it; ZooKeeper then
// runs standalone.
func zooCfg(s *cluster.Spec) []byte {
	p := &properties{}
	zk := s.Side.ZK
	own := zk.Lists[slices.IndexFunc(zk.Lists, func(e cluster.Endpoint) bool { return e.IP == s.IP })]
	p.set("tickTime", 2000)
	p.set("initLimit", 10)
	p.set("syncLimit", 5)
	p.set("dataDir", s.Layout.ZooKeeperData())
	p.set("dataLogDir", s.Layout.ZooKeeperLogs())
	p.set("clientPort", own.Port)
	p.set("maxClientCnxns", 1000)
	p.set("admin.serverPort", zk.AdminPort)
	p.set("4lw.commands.whitelist", "srvr,ruok")
	p.set("autopurge.snapRetainCount", 5) // otherwise snapshots are kept for ever
	p.set("autopurge.purgeInterval", 24)
	for i, e := range zk.Lists {
		p.set("server."+strconv.Itoa(i+1), fmt.Sprintf("%s:%d:%d", e.IP, cluster.ZooKeeperQuorumPort,
			cluster.ZooKeeperElectionPort))
	}
	return p.encodeJava()
}

//go:embed files/nginx.conf.tmpl
var nginxText string

var nginxTemplate = template.Must(template.New("nginx.conf").Option("missingkey=error").
	Funcs(template.FuncMap{"quote": nginxQuote}).Parse(nginxText))

// nginxQuote writes one word of nginx's syntax. A dollar sign would be a variable; validation keeps it out of paths.
func nginxQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func renderNginx(s *cluster.Spec) ([]File, error) {
	if !s.Runs(cluster.Nginx) {
		return nil, nil
	}
	flow := s.Side.FateFlow
	data := struct {
		Logs, Run          string
		HTTPPort, GRPCPort int
		GRPC, HTTP         []string
	}{
		Logs: s.Layout.ComponentLogs("nginx"), Run: path.Join(s.Layout.Nginx(), "run"),
		HTTPPort: s.Side.Nginx.HTTPPort, GRPCPort: s.Side.Nginx.GRPCPort,
	}
	for _, ip := range flow.IPs {
		data.GRPC = append(data.GRPC, fmt.Sprintf("%s:%d", ip, flow.GRPCPort))
		data.HTTP = append(data.HTTP, fmt.Sprintf("%s:%d", ip, flow.HTTPPort))
	}
	var b bytes.Buffer
	if err := nginxTemplate.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("cannot write nginx.conf: %w", err)
	}
	return []File{{Path: s.Layout.NginxConf(), Content: b.Bytes(), Perm: permConfig, Component: "nginx",
		Programs: running(s, cluster.Nginx)}}, nil
}
