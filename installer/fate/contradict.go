package fate

import (
	"fmt"
	"slices"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/problem"
)

// Contradictions lists where a cluster file says something else than what is installed on this host: what moves a
// module or its data, changes a password that is in use, switches TLS, or sends a party's messages elsewhere. Additions
// are no contradictions. One file is carried to many hosts, and an old copy of it must not undo what a newer one did.
func Contradictions(installed, wanted *cluster.Spec) problem.Problems {
	d := &comparison{was: installed, is: wanted}
	if installed.IP != wanted.IP {
		d.add("", "this host is %s here, and %s in the cluster file", installed.IP, wanted.IP)
	}
	for _, v := range []struct{ what, was, is, path string }{
		{"user", installed.User, wanted.User, "owner"}, {"group", installed.Group, wanted.Group, "group"},
	} {
		if v.was != v.is {
			d.problems.Add(wanted.Cluster.At("supervisord.service.%s", v.path), "",
				"the programs run as %s %s here, and are to run as %s", v.what, v.was, v.is)
		}
	}
	for _, m := range installed.Modules() {
		if !wanted.Runs(m) {
			d.add("", "%s runs on this host, and the cluster file does not have it here", m)
		}
	}
	d.ends()
	d.database()
	d.tls()
	d.routes()
	return d.problems
}

type comparison struct {
	was, is  *cluster.Spec
	problems problem.Problems
}

// add complains at a path of the new cluster file, relative to the side.
func (d *comparison) add(path, format string, args ...any) {
	d.problems.Add(d.is.Cluster.At("%s%s", d.is.Role, path), "", format, args...)
}

// ends compares where clients of this host find the modules they use.
func (d *comparison) ends() {
	for _, m := range []struct {
		module cluster.Module
		path   string
	}{{cluster.MySQL, ".mysql"}, {cluster.ClusterManager, ".clustermanager"}, {cluster.Rollsite, ".rollsite"}} {
		was, is := d.was.Side.EndsOf(m.module), d.is.Side.EndsOf(m.module)
		if len(was) == 1 && len(is) == 1 && (was[0].IP != is[0].IP || was[0].Port != is[0].Port) {
			d.add(m.path, "%s is at %s:%d here, and at %s:%d in the cluster file", m.module, was[0].IP, was[0].Port,
				is[0].IP, is[0].Port)
		}
	}
	for _, e := range d.was.Side.EndsOf(cluster.ZooKeeper) {
		if !slices.ContainsFunc(d.is.Side.EndsOf(cluster.ZooKeeper),
			func(o cluster.Endpoint) bool { return o.IP == e.IP && o.Port == e.Port }) {
			d.add(".zk.lists", "the registry includes %s:%d here, and not in the cluster file", e.IP, e.Port)
		}
	}
}

// database compares what the data is stored under.
func (d *comparison) database() {
	if !d.was.LogsIn() || !d.is.LogsIn() {
		return
	}
	for _, v := range []struct{ path, was, is string }{
		{"mysql.dbuser", d.was.Side.MySQL.User, d.is.Side.MySQL.User},
		{"eggroll.dbname", d.was.Side.Eggroll.DBName, d.is.Side.Eggroll.DBName},
		{"fate_flow.dbname", d.was.Side.FateFlow.DBName, d.is.Side.FateFlow.DBName},
	} {
		if v.was != v.is {
			d.add("."+v.path, "%s is %s here, and %s in the cluster file", v.path, v.was, v.is)
		}
	}
	for _, v := range []struct {
		path, name string
		was, is    cluster.Secret
	}{
		{".mysql.dbpasswd", "the password of the database user", d.was.Secrets.MySQLUser, d.is.Secrets.MySQLUser},
		{".secrets.mysql_root", "the password of the database's administrator", d.was.Secrets.MySQLRoot,
			d.is.Secrets.MySQLRoot},
		{".zk.passwd", "the password of the registry", d.was.Secrets.ZooKeeper, d.is.Secrets.ZooKeeper},
	} {
		if !v.was.Equal(v.is) {
			d.add(v.path, "%s in the cluster file is not the one that is in use here", v.name)
		}
	}
}

func (d *comparison) tls() {
	words := map[bool]string{true: "TLS", false: "no TLS"}
	if was, is := d.was.Side.Secure(), d.is.Side.Secure(); was != is {
		d.add(".rollsite.server_secure", "the rollsite has %s here, and %s in the cluster file", words[was], words[is])
	}
}

// routes compares where other parties' messages go; the own party's follow from where its modules are.
func (d *comparison) routes() {
	for _, p := range d.was.Side.Rollsite.RouteTables {
		if p.ID == d.was.Side.ID() && d.was.Role != cluster.RoleExchange {
			continue
		}
		for _, r := range p.Routes {
			now, found := d.is.Side.Route(p.ID, r.Name)
			switch {
			case !found:
				d.add(".rollsite.route_tables", "party %s is routed to %s here, and the cluster file has no such route",
					p.ID, text(r))
			case text(now) != text(r):
				d.add(".rollsite.route_tables", "party %s is routed to %s here, and to %s in the cluster file", p.ID,
					text(r), text(now))
			}
		}
	}
}

// text is address:port, with how it is called.
func text(r cluster.Route) string {
	how := "in plain"
	if r.IsSecure {
		how = "with TLS"
	}
	return fmt.Sprintf("%s %s", r.Endpoint(), how)
}
