package cluster

import (
	"fmt"
	"strings"
	"unicode"
)

// carried is a free text of the operator and the files that have to bring it to their readers unchanged.
type carried struct {
	path  string
	what  string
	value string
	files []string
}

// texts refuses what some file on the way cannot carry, naming the file and the character. Everything else arrives
// unchanged, because the encoders know each format's escapes.
func (k *checker) texts(s *Side) {
	r := string(s.Role)
	sec := Secrets(s.Secrets)
	list := []carried{
		{r + ".rollsite.coordinator", "coordinator", s.Rollsite.Coordinator, []string{"eggroll.properties"}},
	}
	for _, e := range secretTable {
		if e.exchange || s.Role != RoleExchange {
			list = append(list, carried{k.secretPath(s, e), e.what, e.of(&sec).Reveal(), e.files})
		}
	}
	if s.Role != RoleExchange {
		for _, e := range moduleTable {
			if e.texts == nil {
				continue
			}
			for _, t := range e.texts(s) {
				t.path = r + "." + t.path
				list = append(list, t)
			}
		}
		list = append(list,
			carried{r + ".zk.user", "the registry's user", s.ZK.User, []string{"service_conf.yaml"}},
			carried{r + ".fate_flow.http_app_key", "http_app_key", s.FateFlow.AppKey,
				[]string{"service_conf.yaml", "application.properties"}},
			carried{r + ".fate_flow.http_secret_key", "http_secret_key", s.FateFlow.SecretKey.Reveal(),
				[]string{"service_conf.yaml", "application.properties"}},
			carried{r + ".spark.home", "spark.home", s.Spark.Home, []string{"service_conf.yaml"}},
			carried{r + ".spark.hadoop_home", "spark.hadoop_home", s.Spark.HadoopHome, []string{"init_env.sh"}},
			carried{r + ".hive.password", "the password of hive", s.Hive.Password.Reveal(),
				[]string{"service_conf.yaml"}},
			carried{r + ".rabbitmq.password", "the password of rabbitmq", s.RabbitMQ.Password.Reveal(),
				[]string{"service_conf.yaml"}},
		)
		if strings.Contains(s.ZK.User, ":") {
			k.bad(r+".zk.user", "use a name without it",
				"the registry's user cannot have a colon: ZooKeeper's digest scheme is user:password")
		}
	}
	for _, t := range list {
		k.carries(t)
	}
}

// secretPath is where a password was written: the module's own key, the side's secrets block, or the top one.
func (k *checker) secretPath(s *Side, e secretEntry) string {
	for _, path := range []string{string(s.Role) + "." + e.key, string(s.Role) + ".secrets." + e.name,
		"secrets." + e.name} {
		if k.c.written("%s", path) {
			return path
		}
	}
	if e.name == "mysql_root" {
		return "mysql.passwd"
	}
	return string(s.Role)
}

func (k *checker) carries(t carried) {
	for _, r := range t.value {
		if !unicode.IsPrint(r) {
			k.bad(t.path, "use printable characters", "%s has the character %U, which no configuration file can carry",
				t.what, r)
			return
		}
	}
	for _, file := range t.files {
		if char, why := Unfit(file, t.value); char != "" {
			k.bad(t.path, "use another character", "%s has %s: %s cannot carry it, because %s", t.what, char, file, why)
			return
		}
	}
}

// Unfit finds what in a value a file cannot bring to all of its readers.
func Unfit(file, value string) (char, why string) {
	switch file {
	case "eggroll.properties":
		if c, found := uncarriable(value); found {
			return c, "java and python read it differently there"
		}
	case "application.properties":
		for _, mark := range []string{"${", "#{"} {
			if strings.Contains(value, mark) {
				return "the characters " + mark, "Spring replaces what follows them"
			}
		}
	}
	return "", ""
}

// quoted shows a character as it was written, without the escapes of a programming language.
func quoted(r rune) string {
	if !unicode.IsPrint(r) {
		return fmt.Sprintf("%U", r)
	}
	return "'" + string(r) + "'"
}

// unfitPath finds what a base directory cannot have, with the file or search path that cannot carry it.
func unfitPath(base string) (char, why string) {
	reasons := map[rune]string{
		' ':  "eggroll's bin/roll_pair/egg_pair_bootstrap.sh splits a path at a blank",
		'=':  "eggroll's bin/roll_pair/egg_pair_bootstrap.sh cuts a value of eggroll.properties at an equals sign",
		'[':  "eggroll's bin/roll_pair/egg_pair_bootstrap.sh takes a bracket for a pattern",
		':':  "a colon separates the entries of PATH, PYTHONPATH and java's class path",
		'%':  "python's configparser expands a percent sign in eggroll.properties",
		'\\': "java takes a backslash in eggroll.properties for an escape, and python does not",
		'$':  "nginx.conf has no way to write a dollar sign in a path",
		',':  "Spring splits -Dspring.config.location at a comma",
		'*':  "java's class path expands a star",
		'?':  "Spring takes a question mark in -Dspring.config.location for a pattern",
		'"':  "supervisord.conf has no way to write a quote in a path",
		'\'': "supervisord.conf has no way to write a quote in a path",
		';':  "supervisord.conf starts a comment at a semicolon",
		'#':  "supervisord.conf starts a comment at a #",
	}
	for _, r := range base {
		if reason, ok := reasons[r]; ok {
			return string(r), fmt.Sprintf("it has %s, and %s", quoted(r), reason)
		}
		if r < ' ' || r > '~' {
			return string(r), fmt.Sprintf(
				"it has %s, and java and python read a character beyond ASCII differently in eggroll.properties",
				quoted(r))
		}
	}
	return "", ""
}

// sharedSecrets asks for the passwords that several hosts of a side have to agree on, and that therefore cannot be
// generated on each of them; and it points out the published ones.
func (k *checker) sharedSecrets(s *Side) {
	r := string(s.Role)
	sec := s.Secrets
	if s.Role != RoleExchange {
		const fix = "write it, or let init generate one"
		if sec.MySQLUser.IsZero() && s.MySQL.Type == "outside" {
			k.bad(r+".mysql", "write mysql.dbpasswd",
				"the database is outside, and the password of its user %s is not given", s.MySQL.User)
		} else if sec.MySQLUser.IsZero() && s.sharesDatabase() {
			k.bad(r+".mysql", fix,
				"the %s has several hosts that log into the database: mysql.dbpasswd, or secrets.mysql_user, is needed",
				s.Role)
		}
		if sec.ZooKeeper.IsZero() && s.sharesRegistry() {
			k.bad(r+".zk", fix,
				"ZooKeeper has an ACL, and its password is not given: zk.passwd, or secrets.zookeeper, is needed")
		}
		if !s.MySQL.Ours() && s.FateFlow.Enable && sec.MySQLRoot.IsZero() {
			k.c.notes.Add(k.c.At("%s.mysql.type", r), "",
				"the schemas and accounts of the database have to exist: it is not installed with the side, and no "+
					"administrator is "+
					"named (mysql: {user, passwd} at the top level); fate-installer config sql --for-dba prints the "+
					"statements")
		}
	}
	for _, e := range secretTable {
		if e.published != "" && e.of((*Secrets)(&s.Secrets)).Reveal() == e.published {
			k.c.notes.Add(k.c.At("%s", k.secretPath(s, e)), "",
				"this password is published with AnsibleFATE; leave it out and one is generated")
		}
	}
}

// CheckSecret refuses a value that cannot be carried by the files which have the secret of that name. The error does
// not show the value.
func CheckSecret(name, value string) error {
	for _, r := range value {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("the value of %s has the character %U, which no configuration file can carry",
				SecretCommand(name), r)
		}
	}
	for _, e := range secretTable {
		if e.name != name {
			continue
		}
		for _, file := range e.files {
			if char, why := Unfit(file, value); char != "" {
				return fmt.Errorf("the value of %s has %s: %s cannot carry it, because %s",
					SecretCommand(name), char, file, why)
			}
		}
	}
	return nil
}

// uncarriable finds the first character of a value that eggroll.properties cannot bring unchanged to both of its
// readers: a backslash is an escape to java only, a percent sign an expression to python only, a character beyond ASCII
// is Latin-1 to java and UTF-8 to python, and python strips blanks at both ends.
func uncarriable(value string) (char string, found bool) {
	if value != strings.TrimSpace(value) {
		return "a blank at its end", true
	}
	for _, r := range value {
		if r == '\\' || r == '%' || r < ' ' || r > '~' {
			return quoted(r), true
		}
	}
	return "", false
}
