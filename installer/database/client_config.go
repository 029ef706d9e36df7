package database

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"time"

	"fate-installer/installer/answer"

	"github.com/go-sql-driver/mysql"
)

// ClientConfig reads the [client] section of an option file as this program writes it: one key=value a line, values
// that need it in double quotes with backslash escapes (MySQL's manual, "Using Option Files").
func ClientConfig(data []byte) (*mysql.Config, error) {
	config := mysql.NewConfig()
	config.Timeout, config.ReadTimeout = 5*time.Second, 5*time.Second
	config.Logger = answer.Silent{}
	section := ""
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			continue
		}
		key, value, found := strings.Cut(line, "=")
		if section != "client" || !found || strings.HasPrefix(line, "#") {
			continue
		}
		value = optionValue(strings.TrimSpace(value))
		switch strings.TrimSpace(key) {
		case "user":
			config.User = value
		case "password":
			config.Passwd = value
		case "socket":
			config.Net, config.Addr = "unix", value
		}
	}
	if config.User == "" || config.Net != "unix" {
		return nil, fmt.Errorf("its [client] section has no user or no socket")
	}
	return config, lines.Err()
}

// optionValue takes the quotes and escapes off a value.
func optionValue(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s[1 : len(s)-1])
}
