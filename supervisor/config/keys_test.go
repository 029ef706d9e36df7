package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDefaults: what a program is that has nothing but a command.
func TestDefaults(t *testing.T) {
	want := Program{
		Name: "a", Group: "a", Command: []string{"/bin/x"},
		AutoStart: true, AutoRestart: "unexpected",
		StartSecs: 1, StartRetries: 3, ExitCodes: []int{0}, Priority: 999,
		StopSignal: "TERM", StopWaitSecs: 10, KillAsGroup: true,
		RestartDelay: 500 * time.Millisecond, RestartDelayMax: 30 * time.Second, RestartReset: 30 * time.Second,
		StdoutLogfile: "AUTO", StdoutLogfileMaxBytes: 50 << 20, StdoutLogfileBackups: 10,
		StderrLogfile: "AUTO", StderrLogfileMaxBytes: 50 << 20, StderrLogfileBackups: 10,
		LogCompress:     true,
		DependantsAfter: DependantsReady,
		ReadyInterval:   time.Second, ReadyTimeout: 2 * time.Minute,
		LivenessInterval: 10 * time.Second, LivenessTimeout: 5 * time.Second,
		LivenessThreshold: 3, LivenessAction: "restart",
	}
	got := NewProgram("a", "/bin/x")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("a program (-want +got):\n%s", d)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
	daemon := Daemon{
		Socket: "run/supervisor.sock", SocketMode: 0o660,
		LogFile: "logs/supervisord.log", LogMaxBytes: 50 << 20, LogBackups: 10, LogLevel: "info",
		Identifier: "supervisor",
		PidFile:    "run/supervisord.pid", MinFDs: 1024,
	}
	if d := cmp.Diff(daemon, daemonDefaults()); d != "" {
		t.Errorf("the daemon (-want +got):\n%s", d)
	}
}

// TestEveryFieldHasItsKey: a key writes one field, and each field but Name and Group is written by one key.
func TestEveryFieldHasItsKey(t *testing.T) {
	plain := NewProgram("a")
	fields := reflect.TypeFor[Program]()
	for i := range fields.NumField() {
		field := fields.Field(i)
		if field.Name == "Name" || field.Name == "Group" {
			continue
		}
		p := NewProgram("a")
		change(t, reflect.ValueOf(&p).Elem().Field(i))
		var by []string
		for _, k := range programKeys {
			if k.write(&p) != k.write(&plain) {
				by = append(by, k.name)
			}
		}
		if len(by) != 1 {
			t.Errorf("%s is written by the keys %v", field.Name, by)
		}
	}
	known := knownProgramKeys()
	if len(slices.Compact(slices.Clone(known))) != len(known) {
		t.Errorf("a name is given twice: %v", known)
	}
	for _, k := range programKeys {
		if k.about == "" {
			t.Errorf("%s is not explained", k.name)
		}
	}
}

// change gives a field another value.
func change(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 7)
	case reflect.Slice:
		element := reflect.New(v.Type().Elem()).Elem()
		change(t, element)
		v.Set(reflect.Append(v, element))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"A": "1"}))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	default:
		t.Fatalf("a field of type %s", v.Type())
	}
}

// TestValidateBounds: Validate refuses the numbers that Load would refuse.
func TestValidateBounds(t *testing.T) {
	for name, edit := range map[string]func(*Program){
		"startsecs":              func(p *Program) { p.StartSecs = 86401 },
		"startretries":           func(p *Program) { p.StartRetries = -1 },
		"exitcodes":              func(p *Program) { p.ExitCodes = []int{256} },
		"stdout_logfile_backups": func(p *Program) { p.StdoutLogfileBackups = 1001 },
		"restart_delay":          func(p *Program) { p.RestartDelay = -1 },
		"log_total_maxbytes":     func(p *Program) { p.LogTotalMaxBytes = -1 },
		"ports":                  func(p *Program) { p.Ports = []int{0} },
		"depends_on":             func(p *Program) { p.DependsOn = []string{"a"} },
		"ready_timeout":          func(p *Program) { p.ReadyTCP, p.ReadyTimeout = "h:1", 0 },
		"liveness_threshold":     func(p *Program) { p.LivenessThreshold = 0 },
	} {
		p := NewProgram("a", "/bin/x")
		edit(&p)
		if err := p.Validate(); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
