package rpc

import (
	"strings"
	"testing"
)

// TestEveryMethodIsRecordedOrReads keeps a new method from changing something without a record.
func TestEveryMethodIsRecordedOrReads(t *testing.T) {
	reads := strings.Fields(`supervisor.getAPIVersion supervisor.getVersion supervisor.getSupervisorVersion
		supervisor.getIdentification supervisor.getState supervisor.getPID supervisor.readLog supervisor.readMainLog
		supervisor.reloadConfig supervisor.getProcessInfo supervisor.getAllProcessInfo supervisor.getAllConfigInfo
		supervisor.sendProcessStdin supervisor.readProcessLog supervisor.readProcessStdoutLog supervisor.readProcessStderrLog
		supervisor.tailProcessLog supervisor.tailProcessStdoutLog supervisor.tailProcessStderrLog
		system.listMethods system.methodHelp system.methodSignature system.multicall
		fate.status fate.resolve fate.why fate.events fate.began`)
	only := map[string]bool{}
	for _, name := range reads {
		only[name] = true
	}
	for name := range methods {
		if _, changes := changing[name]; changes == only[name] {
			t.Errorf("%s has to be either among those that change something or among those that read", name)
		}
	}
	for name := range changing {
		if _, ok := methods[name]; !ok {
			t.Errorf("there is no method %s", name)
		}
	}
}
