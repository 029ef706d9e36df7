package rpc

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"fate-installer/supervisor"
)

// requester describes the peer for the records of what it asks for: the user by the kernel's word, and the command line
// by that of the process itself, which can put there what it likes.
func (p peer) requester() supervisor.Requester {
	if !p.local || !p.known {
		return supervisor.Requester{UID: -1}
	}
	r := supervisor.RequesterOf(p.uid, p.pid)
	if p.pid <= 0 { // of another pid namespace
		return r
	}
	// The process may have ended, and its pid may be another's by now.
	info, err := os.Stat(fmt.Sprintf("/proc/%d", p.pid))
	if err != nil {
		return r
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != p.uid {
		return r
	}
	if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid)); err == nil {
		r.Command = supervisor.CommandText(strings.Split(string(bytes.TrimRight(data, "\x00")), "\x00"))
	}
	return r
}

// changing are the methods that change what runs, what is configured or what was logged, by what they do. They are
// recorded with who called them; all others only read.
var changing = map[string]string{
	"supervisor.clearLog": "clear the supervisor's log", "supervisor.shutdown": "shutdown",
	"supervisor.restart":         "restart the supervisor",
	"supervisor.addProcessGroup": "add", "supervisor.removeProcessGroup": "remove",
	"supervisor.startProcess": "start", "supervisor.startProcessGroup": "start group",
	"supervisor.startAllProcesses": "start all",
	"supervisor.stopProcess":       "stop", "supervisor.stopProcessGroup": "stop group",
	"supervisor.stopAllProcesses": "stop all",
	"supervisor.signalProcess":    "signal", "supervisor.signalProcessGroup": "signal group",
	"supervisor.signalAllProcesses": "signal all",
	"supervisor.clearProcessLog":    "clear logs of", "supervisor.clearProcessLogs": "clear logs of",
	"supervisor.clearAllProcessLogs": "clear all logs",
	"fate.start":                     "start", "fate.stop": "stop", "fate.restart": "restart", "fate.update": "update",
	"fate.rotate":   "rotate logs of",
	"fate.shutdown": "shutdown", "fate.upgrade": "upgrade-self",
}

// maxActionWords bounds how many parameters of a call are recorded.
const maxActionWords = 40

// action describes a call for the records.
func action(method string, params []any) string {
	words := []string{changing[method]}
	var add func(v any)
	add = func(v any) {
		switch v := v.(type) {
		case string:
			words = append(words, v)
		case []any:
			for _, one := range v {
				add(one)
			}
		}
	}
	add(params)
	if more := len(words) - maxActionWords; more > 0 {
		words = append(slices.Clone(words[:maxActionWords]), fmt.Sprintf("and %d more", more))
	}
	return supervisor.CommandText(words)
}

// outcomeOf is the error of a call also where its answer is a list of programs that failed.
func outcomeOf(v any, err error) error {
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case Outcome:
		var texts []string
		for _, f := range v.Failed {
			texts = append(texts, f.Name+": "+f.Text)
		}
		if len(texts) > 0 {
			return fmt.Errorf("%s", strings.Join(texts, "; "))
		}
	case []any:
		for _, one := range v {
			if m, ok := one.(map[string]any); ok && m["description"] != nil && m["description"] != "OK" {
				return fmt.Errorf("%v: %v", m["name"], m["description"])
			}
		}
	}
	return nil
}
