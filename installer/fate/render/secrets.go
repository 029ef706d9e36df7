package render

import (
	"bytes"
	"slices"

	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/problem"
)

// SecretUse says where a secret of the side is used.
type SecretUse struct {
	Name     string   // in the cluster file's secrets block
	Command  string   // the name that secrets rotate prints
	Hosts    []string // every host of the side that has it
	Programs []string // on this host, in start order: what reads it when it starts
	Here     bool     // this host is one of Hosts
	FromFile bool     // the cluster file gives the value in force
}

// secretReaders are the modules whose programs read a secret when they start. The database server itself stores its
// two; the password of the administrator is in no file that a program reads.
func secretReaders(s *cluster.Spec, name string) []cluster.Module {
	return slices.DeleteFunc(cluster.Modules(), func(m cluster.Module) bool {
		return !slices.Contains(s.SecretsOf(m), name)
	})
}

// SecretUses lists the secrets that the side uses, in the order of [SecretNames].
func SecretUses(s *cluster.Spec) []SecretUse {
	var out []SecretUse
	for _, name := range cluster.SecretNames() {
		u := SecretUse{Name: name, Command: cluster.SecretCommand(name),
			Programs: running(s, secretReaders(s, name)...)}
		modules := slices.Clone(secretReaders(s, name))
		switch {
		case s.Role == cluster.RoleExchange && name != "route_table_key":
			continue
		case name == "zookeeper" && !(s.Registers() && s.Side.ZK.UseACL):
			continue
		case name == "mysql_root" || name == "mysql_user":
			if s.Side.MySQL.Ours() {
				modules = append([]cluster.Module{cluster.MySQL}, modules...)
			}
		}
		for _, m := range modules {
			for _, ip := range s.Side.AddressesOf(m) {
				if !slices.Contains(u.Hosts, ip) {
					u.Hosts = append(u.Hosts, ip)
				}
			}
		}
		if len(u.Hosts) == 0 {
			continue
		}
		u.Here = slices.Contains(u.Hosts, s.IP)
		inFile := cluster.Secrets(s.Side.Secrets).Get(name)
		u.FromFile = !inFile.IsZero() && inFile.Equal(s.Secrets.Get(name))
		out = append(out, u)
	}
	return out
}

// ReplacedSecrets notes the passwords of the cluster file that a rotation on this host replaced: the file does not
// bring them back, and an operator who wants them must see why.
func ReplacedSecrets(s *cluster.Spec) problem.Problems {
	var out problem.Problems
	for _, name := range cluster.SecretNames() {
		inFile := cluster.Secrets(s.Side.Secrets).Get(name)
		if inFile.IsZero() || inFile.Equal(s.Secrets.Get(name)) || !s.SecretRecords.IsReplaced(name, inFile) {
			continue
		}
		out.Add(s.Cluster.At("%s.secrets.%s", s.Role, name), "",
			"the cluster file has a former %s; the one that replaced it on this host stays in force",
			cluster.SecretCommand(name))
	}
	return out
}

// FilesWithSecrets lists the rendered files of this host that have one of the named secrets in them.
func FilesWithSecrets(s *cluster.Spec, names []string) ([]string, error) {
	other := *s
	for _, name := range names {
		other.Secrets.Set(name, cluster.NewSecret("another value of "+name))
	}
	with, err := Files(s)
	if err != nil {
		return nil, err
	}
	without, err := Files(&other)
	if err != nil {
		return nil, err
	}
	var files []string
	for i, f := range with {
		if !bytes.Equal(f.Content, without[i].Content) {
			files = append(files, f.Path)
		}
	}
	return files, nil
}

// ContentFor is a rendered file as far as a program depends on it. The programs of eggroll share one file; the password
// in it that only another of them uses is no reason to restart this one.
func ContentFor(s *cluster.Spec, f File, program string) []byte {
	if f.Path != s.Layout.EggrollProperties() {
		return f.Content
	}
	reader := *s
	for _, name := range []string{"mysql_user", "route_table_key"} {
		if !slices.Contains(running(s, eggrollReaders(s, name)...), program) {
			reader.Secrets.Set(name, cluster.Secret{})
		}
	}
	return eggrollProperties(&reader)
}

// eggrollReaders are the programs that read a secret from eggroll.properties.
func eggrollReaders(s *cluster.Spec, name string) []cluster.Module {
	return slices.DeleteFunc(secretReaders(s, name), func(m cluster.Module) bool { return !m.IsEggroll() })
}
