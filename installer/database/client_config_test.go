package database

import "testing"

// TestReadinessLoginIsRead: the login of the readiness probe is in an option file, next to sections of others.
func TestReadinessLoginIsRead(t *testing.T) {
	config, address, err := ClientConfig(
		[]byte(
			"# ours\n[mysqld]\nuser=other\n[client]\nuser=\"fate\"\npassword=\"a\\\\b\\\"c#d\"\nsocket=\"/run/mysql.sock\"\n" +
				"host=192.168.0.1\nport=3306\n"))
	if address != "192.168.0.1:3306" {
		t.Errorf("address %q", address)
	}
	if err != nil || config.User != "fate" || config.Passwd != `a\b"c#d` || config.Net != "unix" ||
		config.Addr != "/run/mysql.sock" {
		t.Errorf("got %+v, %v", config, err)
	}
	for _, bad := range []string{"", "[client]\nuser=fate\n", "[mysqld]\nuser=fate\nsocket=/s\n"} {
		if _, _, err := ClientConfig([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// FuzzClientConfig reads the file from which the readiness probe takes its login.
func FuzzClientConfig(f *testing.F) {
	f.Add([]byte("[client]\nuser=\"fate\"\npassword=\"a\\\\b\\\"c\"\nsocket=/run/mysql.sock\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, _, err := ClientConfig(data); err == nil && (c.User == "" || c.Net != "unix") {
			t.Errorf("a login without user or socket: %+v", c)
		}
	})
}
