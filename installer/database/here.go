package database

import "strings"

// OnThisHost reports whether a step fills a database server of this host, which it reaches through a socket: what it
// made goes with the data directory.
func OnThisHost(stepID string) bool {
	kind, object, _ := strings.Cut(stepID, ":")
	switch kind {
	case kindContents:
		return strings.HasPrefix(object, "/")
	case kindSchemaUpgrade:
		_, address, _ := strings.Cut(object, "@")
		return strings.HasPrefix(address, "/")
	}
	return false
}
