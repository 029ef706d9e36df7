package database

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"time"

	"fate-installer/installer/answer"

	"github.com/go-sql-driver/mysql"
)

// ClientConfig reads the [client] section of an option file as this program writes it: one key=value a line, values
// that need it in double quotes with backslash escapes (MySQL's manual, "Using Option Files"). The login is by the
// socket. address is where other programs reach the same server, as HOST:PORT; blank when the file does not say.
func ClientConfig(data []byte) (config *mysql.Config, address string, err error) {
	values, err := clientOptions(data)
	if err != nil {
		return nil, "", err
	}
	config = mysql.NewConfig()
	config.Timeout, config.ReadTimeout = 5*time.Second, 5*time.Second
	config.Logger = answer.Silent{}
	config.User, config.Passwd, config.Net, config.Addr = values["user"], values["password"], "unix", values["socket"]
	if config.User == "" || config.Addr == "" {
		return nil, "", fmt.Errorf("its [client] section has no user or no socket")
	}
	if values["host"] != "" && values["port"] != "" {
		address = net.JoinHostPort(values["host"], values["port"])
	}
	return config, address, nil
}

// clientOptions are the keys of the [client] section.
func clientOptions(data []byte) (map[string]string, error) {
	values, section := map[string]string{}, ""
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			continue
		}
		key, value, found := strings.Cut(line, "=")
		if section == "client" && found && !strings.HasPrefix(line, "#") {
			values[strings.TrimSpace(key)] = optionValue(strings.TrimSpace(value))
		}
	}
	return values, lines.Err()
}

// optionValue takes the quotes and escapes off a value.
func optionValue(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s[1 : len(s)-1])
}
