package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"fate-installer/supervisor/config"
)

// fingerprintOf is the same for two definitions that give the same process. What only the supervisor reads (probes,
// dependencies, log limits, priorities) is left out: to change it, nothing has to be restarted.
func fingerprintOf(p *config.Program) string {
	fields := []any{
		p.Name, p.Group, p.Command, p.Directory, p.User, p.Environment, p.Umask,
		p.RedirectStderr, p.StdoutLogfile, p.StderrLogfile,
		p.LimitNoFile, p.LimitNProc, p.LimitCore, p.OOMScoreAdj,
	}
	if len(p.PassEnvironment) > 0 { // only then: older supervisors recorded fingerprints without it
		fields = append(fields, p.PassEnvironment)
	}
	data, err := json.Marshal(fields)
	if err != nil {
		panic("supervisor: a Program holds only plain data: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}
