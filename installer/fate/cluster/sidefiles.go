package cluster

import (
	"fmt"

	"fate-installer/installer/fate/keys"
	"fate-installer/installer/fate/yamltext"

	"github.com/goccy/go-yaml"
)

// PublicFile is the name of the file with what the sides of a cluster need to know of each other.
const PublicFile = "public.yaml"

// SideFiles writes a cluster as one file for each side, for that side's hosts only, and [PublicFile], which has no
// secret. A side's file has the passwords that were written for it and, of the generated ones, those that several of
// its hosts have to agree on; the others are generated on the host that needs them.
func (c *Cluster) SideFiles(generated map[Role]Secrets) ([]keys.File, error) {
	var out []keys.File
	for _, s := range c.Sides() {
		own := *s
		own.Secrets = SecretsConf(s.agreedSecrets(generated[s.Role]))
		one := *c
		one.Host, one.Guest, one.Exchange = nil, nil, nil
		one.put(&own)
		content, err := one.write(
			fmt.Sprintf("The %s of a FATE cluster, for its own hosts only; fate-installer finds out which of them it "+
				"is on.", s.Role))
		if err != nil {
			return nil, err
		}
		out = append(out, keys.File{Name: string(s.Role) + ".yaml", Content: content})
	}
	public, err := c.publicFile()
	if err != nil {
		return nil, err
	}
	return append(out, keys.File{Name: PublicFile, Content: public}), nil
}

// agreedSecrets are a side's secrets without the generated ones that one host alone needs.
func (s *Side) agreedSecrets(generated Secrets) Secrets {
	out := Secrets(s.Secrets)
	needed := map[string]bool{"mysql_user": s.sharesDatabase(), "zookeeper": s.sharesRegistry()}
	theirs := generated.fields()
	for i, f := range out.fields() {
		if !needed[f.name] && f.secret.Equal(*theirs[i].secret) {
			*f.secret = Secret{}
		}
	}
	return out
}

// sharesDatabase reports whether the password of the database user is needed on several hosts, or on a server that
// is not ours.
func (s *Side) sharesDatabase() bool {
	hosts := make(map[string]bool)
	for _, m := range []Module{MySQL, ClusterManager, FateFlow} {
		for _, ip := range s.AddressesOf(m) {
			hosts[ip] = true
		}
	}
	return s.Role != RoleExchange && (len(hosts) > 1 || s.MySQL.Type == "outside")
}

// sharesRegistry reports whether the password of the registry is needed on several hosts, or on servers that are
// not ours.
func (s *Side) sharesRegistry() bool {
	return s.Role != RoleExchange && s.ZK.Enable && s.ZK.UseACL && (len(s.FateFlow.IPs) > 1 || s.ZK.Type == "outside")
}

// publicFile writes how the rollsites of all sides are reached. Together with a side's own file it describes the
// whole cluster as far as that side has to know it.
func (c *Cluster) publicFile() ([]byte, error) {
	w := &clusterWriter{c: c, comments: yaml.CommentMap{}}
	w.comment("$", "What the sides of a FATE cluster need to know of each other. It has no secret: give it to every "+
		"side, which uses it",
		"in addition to its own file, as in fate-installer config check --config host.yaml --config public.yaml, and "+
			"to sign keys.")
	var top yamltext.Map
	for _, s := range c.Sides() {
		if s.FateFlow.DefaultEngines == "spark" {
			return nil, fmt.Errorf(
				"cannot write a public part for the %s: with the engine spark parties share a cluster file", s.Role)
		}
		r := s.Rollsite
		rollsite := yamltext.Map{
			yamltext.Item("enable", r.Enable), yamltext.Item("ips", yamltext.Texts(r.IPs)), yamltext.Item("port",
				r.Port), yamltext.Item("secure_port",
				r.SecurePort),
			yamltext.Item("server_secure", r.ServerSecure), yamltext.Item("client_secure", r.ClientSecure),
		}
		if len(r.PublicNames) > 0 {
			rollsite = append(rollsite, yamltext.Item("public_names", yamltext.Texts(r.PublicNames)))
		}
		side := yamltext.Map{yaml.MapItem{Key: "rollsite", Value: rollsite}}
		if s.Role != RoleExchange {
			side = append(yamltext.Map{yamltext.Item("partyid", s.PartyID)}, side...)
		}
		top = append(top, yaml.MapItem{Key: string(s.Role), Value: side})
	}
	return w.encode(top)
}
