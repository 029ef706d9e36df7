package config

import (
	"strings"
	"testing"
)

// TestMetricsSection: what is wrong with the section is a warning, for which no metrics are served; the programs of the
// file are there, and no warning shows the password.
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
		"digest":               {"port=127.0.0.1:9180\nusername=m\npassword={SHA256}" + strings.Repeat("aB", 32), ""},
		"line of sha256sum": {"port=127.0.0.1:9180\nusername=m\npassword={SHA256}" + strings.Repeat("ab", 32) + "  -",
			"64 hexadecimal digits"},
		"no digest":        {"port=127.0.0.1:9180\nusername=m\npassword={SHA256}nonsense", "64 hexadecimal digits"},
		"empty digest":     {"port=127.0.0.1:9180\nusername=m\npassword={SHA256}", "64 hexadecimal digits"},
		"digest too long":  {"port=127.0.0.1:9180\nusername=m\npassword={SHA256}" + strings.Repeat("a", 66), "64 hex"},
		"no boolean":       {"port=127.0.0.1:9180\nplaintext=p\n" + login, "plaintext: "},
		"expression":       {"port=127.0.0.1:9180\nusername=m\npassword=%(p=p)z\n", "password: write each percent sign"},
		"key given twice":  {"port=127.0.0.1:9180\n" + login + "password=q\n", "password is given twice"},
		"no key":           {"port=127.0.0.1:9180\nusername=m\npassword pp\n", "the line is neither"},
		"control":          {"port=127.0.0.1:9180\x01\n" + login, "control character"},
		"long line":        {"port=127.0.0.1:9180\nusername=" + strings.Repeat("m", 1<<20) + "\n", "longer than"},
		"given twice":      {"port=127.0.0.1:9180\n" + login + "[metrics_http_server]\nport=[::1]:1\n" + login, "given twice"},
		"unclosed bracket": {"port=127.0.0.1:9180\n" + login + "[metrics_http_server\nport=[::1]:1\n", "closing bracket"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, warnings, err := LoadFiles("/x/supervisord.conf", map[string][]byte{"/x/supervisord.conf": []byte(
				"[program:before]\ncommand=/x\n[metrics_http_server]\n" + c.keys + "\n[program:after]\ncommand=/x\n")})
			if err != nil || len(cfg.Programs) != 2 {
				t.Fatalf("%+v %v", cfg, err)
			}
			m, named := cfg.Daemon.Metrics, Problems(warnings).Error()
			switch {
			case c.want == "" && (m.Addr == "" || m.Fault != "" || named != ""):
				t.Errorf("%+v %s", m, named)
			case c.want != "" && (m != Metrics{Fault: m.Fault} || !strings.Contains(m.Fault, c.want)):
				t.Errorf("%+v, want %q", m, c.want)
			case c.want != "" && !strings.Contains(named, c.want):
				t.Errorf("warnings are %s, want %q", named, c.want)
			case strings.Contains(named, "=p"):
				t.Errorf("the password is in %v", named)
			}
		})
	}
}

// TestMetricsSectionHidesNoSection: a mistake in a line that may begin another section is still a problem of the file.
func TestMetricsSectionHidesNoSection(t *testing.T) {
	for _, title := range []string{"[program:a", "[program:a\x01]",
		" [program:a]" + strings.Repeat(" ", maxLineBytes)} {
		_, _, err := LoadFiles("/x/supervisord.conf", map[string][]byte{"/x/supervisord.conf": []byte(
			"[metrics_http_server]\n" + title + "\ncommand=/x\n")})
		if err == nil {
			t.Errorf("%.20q is no problem", title)
		}
	}
}
