package database

import "testing"

// TestSHA256Crypt compares with what openssl passwd -5 gives.
func TestSHA256Crypt(t *testing.T) {
	for _, c := range []struct {
		key, salt string
		rounds    int
		want      string
	}{
		{"Hello world!", "saltstring", 5000, "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
		{"Hello world!", "saltstringsaltst", 10000, "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"},
		{"This is just a test", "toolongsaltstrin", 5000, "Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5"},
		{"a very much longer text to encrypt.  This one even stretches over morethan one line.", "shortsalt", 5000,
			"6nzSqKI47SlLYJJEy3x/CuE7kpqNvHAMywRtFsfhmK5"},
	} {
		if got := sha256Crypt([]byte(c.key), []byte(c.salt), c.rounds); got != c.want {
			t.Errorf("sha256Crypt(%q, %q, %d) = %s, want %s", c.key, c.salt, c.rounds, got, c.want)
		}
	}
}

func TestStoredPassword(t *testing.T) {
	const native = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19" // of "password", as in MySQL's manual
	sha2 := "$A$005$12345678901234567890" + sha256Crypt([]byte("password"), []byte("12345678901234567890"), 5000)
	for _, c := range []struct {
		plugin, stored string
		password       Password
		want           bool
	}{
		{nativePasswordPlugin, native, "password", true},
		{nativePasswordPlugin, native, "Password", false},
		{nativePasswordPlugin, "", "", true},
		{nativePasswordPlugin, native, "", false},
		{sha2PasswordPlugin, sha2, "password", true},
		{sha2PasswordPlugin, sha2, "Password", false},
		{sha2PasswordPlugin, "", "", true},
		{sha2PasswordPlugin, native, "password", false},
		{sha2PasswordPlugin, "$A$005$short", "password", false},
		{sha2PasswordPlugin, "$A$zzz$12345678901234567890", "password", false},
		{"auth_socket", "", "", false},
	} {
		if got := storedPasswordIs(c.plugin, c.stored, c.password); got != c.want {
			t.Errorf("storedPasswordIs(%q, %q, %q) = %v", c.plugin, c.stored, string(c.password), got)
		}
	}
}
