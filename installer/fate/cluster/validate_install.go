package cluster

import (
	"fmt"
	"path"
	"slices"
)

// installFiles checks what base_init, fate_init and setup.conf say about the installation itself. What cannot be
// honoured is refused; what has no meaning here is noted, unless it is what AnsibleFATE writes anyway.
func (k *checker) installFiles(doc *document, setup *setupDoc) {
	k.names(doc)
	k.paths(doc)
	for i, m := range doc.DeployModules {
		k.choice(fmt.Sprintf("deploy_modules[%d]", i), m, setupModules()...)
	}
	for i, r := range doc.DeployRoles {
		k.choice(fmt.Sprintf("deploy_roles[%d]", i), r, "host", "guest", "exchange")
	}
	k.choice("default_engines", doc.DefaultEngines, "", "eggroll", "standalone", "spark")
	for _, v := range []struct{ path, value, standard, why string }{
		{"base_dir", doc.BaseDir, "/etc/ansible", "ansible is not used"},
		{"supervisord.version", doc.Supervisord.Version, "1.1.4", "the supervisor is built in"},
		{"supervisord.account.name", doc.Supervisord.Account.Name, "root",
			"the supervisor has no account: its socket is open to root and the service group"},
		{"supervisord.account.password", doc.Supervisord.Account.Password.Reveal(), "fate",
			"the supervisor has no account: its socket is open to root and the service group"},
		{"supervisord.service.ip", doc.Supervisord.Service.IP, "127.0.0.1", "the supervisor opens no port"},
		{"python.version", doc.Python.Version, "py38_4.12.0", "the payload's python is installed"},
		{"python.dest", doc.Python.Dest, "miniconda3", "the payload's python is complete, no miniconda is needed"},
		{"python.venv", doc.Python.Venv, "common/python/venv", "the directories are fixed below --base"},
		{"java.name", doc.Java.Name, "jdk", "the directories are fixed below --base"},
		{"java.path", doc.Java.Path, "common/jdk", "the directories are fixed below --base"},
		{"mysql.path", doc.MySQL.Path, "common/mysql", "the directories are fixed below --base"},
		{"redis.version", doc.Redis.Version, "5.0.2", "no part of FATE uses redis"},
		{"redis.path", doc.Redis.Path, "common/redis", "no part of FATE uses redis"},
		{"rabbitmq.version", doc.RabbitMQ.Version, "3.9.14", "rabbitmq is used, not installed"},
		{"rabbitmq.path", doc.RabbitMQ.Path, "common/rabbitmq", "rabbitmq is used, not installed"},
		{"setup.env", setup.Env, "prod", "there are no environments: give each cluster its own file"},
	} {
		if v.value != "" && v.value != v.standard {
			k.c.notes.Add(k.c.At("%s", v.path), "", "%s is not used: %s", v.path, v.why)
		}
	}
	if k.c.written("envCheck") && !doc.EnvCheck {
		k.c.notes.Add(k.c.At("envCheck"), "", "envCheck is not used: name the checks to pass with --waive ID=reason")
	}
	if p := setup.SSHPort; p != 0 && p != 22 {
		k.c.notes.Add(k.c.At("setup.ssh_port"), "", "ssh_port is not used: nothing is done over ssh")
	}
	if p := doc.Supervisord.Service.Port; p != 0 && p != 9001 {
		k.c.notes.Add(k.c.At("supervisord.service.port"), "",
			"supervisord.service.port is not used: the supervisor opens no port")
	}
	if dirs := doc.Init.Dirs; len(dirs) > 0 && !slices.Equal(dirs, []string{"common", "snmp"}) {
		k.c.notes.Add(k.c.At("init.dirs"), "", "init.dirs is not used: the directories that FATE needs are made")
	}
}

func (k *checker) names(doc *document) {
	if doc.PName != "" && doc.PName != "fate" {
		k.bad(k.c.whereIs("pname", "setup.pname"), "write fate; for a second installation on a host use --base",
			"pname cannot be %q: FATE's own code has paths with fate in them", doc.PName)
	}
	switch doc.DeployMode {
	case "", "deploy":
	case "install", "config", "uninstall":
		verb := map[string]string{"install": "install, which configures too",
			"config": "install, which changes only what differs", "uninstall": "uninstall"}[doc.DeployMode]
		k.bad(k.c.whereIs("deploy_mode", "setup.deploy_mode"), "write deploy, and run fate-installer "+verb,
			"deploy_mode %s is a command here, not a setting", doc.DeployMode)
	default:
		k.choice(k.c.whereIs("deploy_mode", "setup.deploy_mode"), doc.DeployMode, "deploy")
	}
}

// whereIs picks the path that was written.
func (c *Cluster) whereIs(paths ...string) string {
	for _, p := range paths {
		if c.written("%s", p) {
			return p
		}
	}
	return paths[0]
}

// paths accepts the path variables of base_init as long as they are where the base puts them: everything moves
// together, with --base or base.
func (k *checker) paths(doc *document) {
	base := pickString(doc.Base, defaultBase)
	for _, v := range []struct{ path, value, below string }{
		{"pbase", doc.PBase, "projects"}, {"dbase", doc.DBase, "projects/data"},
		{"cbase", doc.CBase, "projects/common"}, {"sbase", doc.SBase, "projects/snmp"},
		{"lbase", doc.LBase, "logs"}, {"tbase", doc.TBase, "temp"}, {"bbase", doc.BBase, "projects/backups"},
	} {
		if want := path.Join(base, v.below); v.value != "" && path.Clean(v.value) != want {
			k.bad(v.path, "write "+want+", or move everything with base",
				"%s cannot be %s: all directories move together", v.path, v.value)
		}
	}
}
