package fate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

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

// secretCommands are the names of the command line where they are not those of the cluster file.
var secretCommands = map[string]string{"mysql_user": "mysql_fate", "fateboard_admin": "fateboard"}

// SecretCommand is the command line's name of a secret.
func SecretCommand(name string) string {
	if c, ok := secretCommands[name]; ok {
		return c
	}
	return name
}

// ParseSecretName understands both the command line's and the cluster file's name of a secret, and gives the latter.
func ParseSecretName(text string) (string, error) {
	var known []string
	for _, name := range SecretNames() {
		if text == name || text == SecretCommand(name) {
			return name, nil
		}
		known = append(known, SecretCommand(name))
	}
	return "", fmt.Errorf("there is no secret %q: there are %s", text, strings.Join(known, ", "))
}

// secretReaders are the modules whose programs read a secret when they start. The database server itself stores the
// first two; the password of the administrator is in no file that a program reads.
func (s *Spec) secretReaders(name string) []Module {
	switch name {
	case "mysql_user":
		if s.boardDatabase() {
			return []Module{ClusterManager, FateFlow, FateBoard}
		}
		return []Module{ClusterManager, FateFlow}
	case "zookeeper":
		return []Module{FateFlow}
	case "route_table_key":
		return []Module{Rollsite}
	case "fateboard_admin":
		return []Module{FateBoard}
	}
	return nil
}

// SecretUses lists the secrets that the side uses, in the order of [SecretNames].
func (s *Spec) SecretUses() []SecretUse {
	var out []SecretUse
	for _, name := range SecretNames() {
		u := SecretUse{Name: name, Command: SecretCommand(name), Programs: s.running(s.secretReaders(name)...)}
		modules := slices.Clone(s.secretReaders(name))
		switch {
		case s.Role == RoleExchange && name != "route_table_key":
			continue
		case name == "zookeeper" && !(s.registers() && s.Side.ZK.UseACL):
			continue
		case name == "mysql_root" || name == "mysql_user":
			if s.Side.MySQL.ours() {
				modules = append([]Module{MySQL}, modules...)
			}
		}
		for _, m := range modules {
			for _, ip := range s.Side.addressesOf(m) {
				if !slices.Contains(u.Hosts, ip) {
					u.Hosts = append(u.Hosts, ip)
				}
			}
		}
		if len(u.Hosts) == 0 {
			continue
		}
		u.Here = slices.Contains(u.Hosts, s.IP)
		inFile := Secrets(s.Side.Secrets).Get(name)
		u.FromFile = !inFile.IsZero() && inFile.Equal(s.Secrets.Get(name))
		out = append(out, u)
	}
	return out
}

// ReplacedSecrets notes the passwords of the cluster file that a rotation on this host replaced: the file does not
// bring them back, and an operator who wants them must see why.
func (s *Spec) ReplacedSecrets() problem.Problems {
	var out problem.Problems
	for _, name := range SecretNames() {
		inFile := Secrets(s.Side.Secrets).Get(name)
		if inFile.IsZero() || inFile.Equal(s.Secrets.Get(name)) || !s.SecretRecords.isReplaced(name, inFile) {
			continue
		}
		out.Add(s.Cluster.at("%s.secrets.%s", s.Role, name), "",
			"the cluster file has a former %s; the one that replaced it on this host stays in force",
			SecretCommand(name))
	}
	return out
}

// FilesWithSecrets lists the rendered files of this host that have one of the named secrets in them.
func (s *Spec) FilesWithSecrets(names []string) ([]string, error) {
	other := *s
	for _, name := range names {
		other.Secrets.Set(name, NewSecret("another value of "+name))
	}
	with, err := Render(s)
	if err != nil {
		return nil, err
	}
	without, err := Render(&other)
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

// contentFor is a rendered file as far as a program depends on it. The programs of eggroll share one file; the password
// in it that only another of them uses is no reason to restart this one.
func (s *Spec) contentFor(f File, program string) []byte {
	if f.Path != s.Layout.EggrollProperties() {
		return f.Content
	}
	reader := *s
	for _, name := range []string{"mysql_user", "route_table_key"} {
		if !slices.Contains(s.running(s.eggrollReaders(name)...), program) {
			reader.Secrets.Set(name, Secret{})
		}
	}
	return eggrollProperties(&reader)
}

// eggrollReaders are the programs that read a secret from eggroll.properties.
func (s *Spec) eggrollReaders(name string) []Module {
	return slices.DeleteFunc(s.secretReaders(name), func(m Module) bool { return m == FateFlow || m == FateBoard })
}

// DatabaseHost is the address of the database server when it is installed with the side; blank for an outside one.
func (s *Spec) DatabaseHost() string {
	if s.Role == RoleExchange || !s.Side.MySQL.ours() {
		return ""
	}
	return first(s.Side.MySQL.IPs)
}
