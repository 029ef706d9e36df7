package config

import (
	"strings"
	"testing"
)

func TestMetricsSection(t *testing.T) {
	const login = "username=m\npassword=p\n"
	for name, c := range map[string]struct{ keys, want string }{
		"loopback":             {"port=127.0.0.1:9180\n" + login, ""},
		"loopback of IPv6":     {"port=[::1]:9180\n" + login, ""},
		"TLS":                  {"port=0.0.0.0:9180\ncertfile=/c\nkeyfile=/k\n" + login, ""},
		"client certificates":  {"port=0.0.0.0:9180\ncertfile=/c\nkeyfile=/k\nclient_ca=/a\n", ""},
		"in clear, allowed":    {"port=192.168.0.1:9180\nplaintext=true\n" + login, ""},
		"in clear":             {"port=192.168.0.1:9180\n" + login, "other hosts reach 192.168.0.1:9180"},
		"a name, in clear":     {"port=localhost:9180\n" + login, "other hosts reach"},
		"all addresses":        {"port=:9180\n" + login, "other hosts reach"},
		"no port":              {"port=127.0.0.1\n" + login, "no host:port"},
		"no login":             {"port=127.0.0.1:9180\n", "needs username and password, or client_ca"},
		"no password":          {"port=127.0.0.1:9180\nusername=m\n", "needs username and password"},
		"half a pair":          {"port=127.0.0.1:9180\ncertfile=/c\n" + login, "or neither"},
		"CA without TLS":       {"port=127.0.0.1:9180\nclient_ca=/a\n", "over TLS only"},
		"relative path":        {"port=127.0.0.1:9180\ncertfile=c\nkeyfile=/k\n" + login, "no absolute path"},
		"colon in the name":    {"port=127.0.0.1:9180\nusername=a:b\npassword=p\n", "a colon"},
		"neither port nor any": {"", "no host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _, err := LoadFiles("/x/supervisord.conf",
				map[string][]byte{"/x/supervisord.conf": []byte("[metrics_http_server]\n" + c.keys)})
			switch {
			case c.want == "" && (err != nil || cfg.Daemon.Metrics.Addr == ""):
				t.Errorf("%+v %v", cfg, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "password=p"):
				t.Errorf("the password is in %v", err)
			}
		})
	}
}
