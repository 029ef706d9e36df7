package adopt

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fate-installer/installer/fate/cluster"
)

// FoundSecret is a password or key that was found, without its value.
type FoundSecret struct {
	Name      string `json:"name"`      // as secrets show has it, or what it is for
	File      string `json:"file"`      // where it was found
	Line      int    `json:"line"`      // its line in the file
	Key       string `json:"key"`       // its key there
	Published bool   `json:"published"` // it is the password that AnsibleFATE publishes, the same on every such host
	// whether it is the value that is taken over; another value of the same name stays in its file as a kept edit
	Taken bool `json:"taken"`
}

// Names of secrets that are none of the cluster file's secrets block.
const (
	secretHTTP       = cluster.HTTPSecret
	secretSupervisor = "supervisor"
)

// secrets are those of the installation, with their values.
type secrets struct {
	list   []FoundSecret
	values map[string]cluster.Secret // by name
	all    []cluster.Secret          // every value, for redaction
	appKey string                    // http_app_key, which goes with the secret key
}

// secretPlace is a key that has a secret.
type secretPlace struct {
	name string
	at   located
}

// secretPlaces lists the keys that have a secret, by name, the one that counts first.
func secretPlaces() []secretPlace {
	out := []secretPlace{
		{"mysql_user", eggroll(keyManager + "jdbc.password")}, {"mysql_user", flow("database.passwd")},
		{"mysql_user", flow("model_store_address.passwd")}, {"mysql_user", flow("model_store_address.password")},
		{"zookeeper", flow("zookeeper.password")},
		{"route_table_key", eggroll(keyRollsite + "route.table.key")},
		{secretHTTP, flow("authentication.client.http_secret_key")},
		{secretSupervisor, located{kindSupervisor, "inet_http_server.password"}},
		{secretSupervisor, located{kindSupervisor, "supervisorctl.password"}},
	}
	for _, m := range cluster.Modules() {
		for _, s := range m.Old().Secrets {
			out = append(out, secretPlace{s.Name, located{kind(m), s.Key}})
		}
	}
	order := append(cluster.SecretNames(), secretHTTP, secretSupervisor)
	slices.SortStableFunc(out, func(a, b secretPlace) int {
		return slices.Index(order, a.name) - slices.Index(order, b.name)
	})
	return out
}

// published is the value of a secret that AnsibleFATE publishes; blank: there is none.
func published(name string) string {
	if name == secretSupervisor {
		return "fate" // the old supervisor's own, which no cluster file has
	}
	return cluster.PublishedSecrets().Get(name).Reveal()
}

// rootPassword is the statement of grant.sql that gives the administrator a password.
var rootPassword = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)alter\s+user\s+'root'@'localhost'\s+identified\b.*\bby\s+'([^']*)'`)
})

func (s *secrets) add(name, value, file string, line int, key string) {
	if value == "" || placeholder().MatchString(value) {
		return
	}
	if s.values == nil {
		s.values = map[string]cluster.Secret{}
	}
	secret := cluster.NewSecret(value)
	if _, known := s.values[name]; !known {
		s.values[name] = secret
	}
	s.all = append(s.all, secret)
	s.list = append(s.list, FoundSecret{name, file, line, key, published(name) == value, s.values[name].Equal(secret)})
}

// find looks for secrets in the configuration, and in what deploying left next to the database.
func (s *secrets) find(r *reader, ds *documents) {
	for _, p := range secretPlaces() {
		docs := []*document{ds.about(p.at)}
		if own := ds.of(p.at.kind); own != docs[0] { // its value is not in use, and is hidden all the same
			docs = append(docs, own)
		}
		for _, doc := range docs {
			if e, ok := doc.get(p.at.key); ok {
				s.add(p.name, strings.Trim(e.value, `"`), doc.file, e.line, p.at.key)
			}
		}
	}
	appKey := flow("authentication.client.http_app_key")
	s.appKey = ds.about(appKey).value(appKey.key)
	conf := ds.of(kindDatabase)
	if conf == nil {
		return
	}
	home := path.Dir(path.Dir(conf.file))
	if data, err := r.read(path.Join(home, "sql", "grant.sql")); err == nil && len(data) < 1<<20 {
		number := 0
		for line := range strings.Lines(string(data)) {
			number++
			if m := rootPassword().FindStringSubmatch(line); m != nil {
				s.add("mysql_root", m[1], path.Join(home, "sql", "grant.sql"), number, "root@localhost")
			}
		}
	}
	if data, err := r.read(path.Join(home, ".chpasswd")); err == nil && len(data) < 1024 {
		s.add("mysql_root", strings.TrimSpace(string(data)), path.Join(home, ".chpasswd"), 1, "")
	}
}

// cluster gives those of the cluster file's secrets block.
func (s *secrets) cluster() cluster.Secrets {
	var out cluster.Secrets
	for _, name := range cluster.SecretNames() {
		out.Set(name, s.values[name])
	}
	return out
}

// is reports whether a text is the secret of a name that was found.
func (s *secrets) is(name, text string) bool {
	secret, found := s.values[name]
	return found && secret.Reveal() == text
}

// secretKeys are parts of the names of keys whose values are secrets.
var secretKeys = []string{"pass", "pwd", "secret", "private_key", "route.table.key", "app_key", "token", "credential"}

// isSecret reports whether a key has a secret as its value.
func isSecret(key string) bool {
	key = strings.ToLower(key)
	if strings.HasSuffix(key, "_file") || strings.HasSuffix(key, "encrypt_password") ||
		strings.Contains(key, "decryptor") {
		return false
	}
	for _, part := range secretKeys {
		if strings.Contains(key, part) {
			return true
		}
	}
	return strings.HasSuffix(key, "key")
}

// leftovers are files that deploying wrote with the passwords of the administrator, and never removed.
func leftovers(r *reader, l cluster.Layout) []string {
	var out []string
	for _, dir := range []string{l.Temp(), path.Join(l.Temp(), "fate")} {
		names, err := r.names(dir)
		if err != nil {
			continue
		}
		for _, name := range names {
			if name == "check.py" || name == "cluster_conn.py" || name == "flow_conn.py" ||
				strings.HasPrefix(name, "node_conn_") && strings.HasSuffix(name, ".py") {
				out = append(out, path.Join(dir, name))
			}
		}
	}
	return out
}
