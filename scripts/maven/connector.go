package maven

import "fmt"

// connectors maps versions of MySQL's JDBC driver, Connector/J, to the sha256 of their jars.
var connectors = map[string]string{
	"8.0.16": "d12a94c9ce8617379e2bf013e4bd40f8726ff6933d0c0f7545c32769a8939238",
	"8.0.27": "d670e85fa1075a80d91b8f17dbd620d76717bc20c74ab4aea8356e37a8545ffe",
	"8.0.28": "a00ccdf537ff50e50067b989108c2235197ffb65e197149bbb669db843cd1c3e",
	"8.4.0":  "d77962877d010777cff997015da90ee689f0f4bb76848340e1488f2b83332af5",
}

// Connector returns MySQL's JDBC driver. A version whose digest is not known is an error.
func Connector(version string) (Artifact, error) {
	digest, ok := connectors[version]
	if !ok {
		return Artifact{}, fmt.Errorf("no digest is known for MySQL Connector/J %s: add it to package maven", version)
	}
	if version == "8.4.0" { // group and name changed with 8.0.31
		return Artifact{"com.mysql", "mysql-connector-j", version, digest}, nil
	}
	return Artifact{"mysql", "mysql-connector-java", version, digest}, nil
}
