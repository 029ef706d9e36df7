package cluster

import (
	"fmt"
	"strings"
)

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
