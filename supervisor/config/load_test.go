package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// writeTree writes files below a new directory and returns it.
func writeTree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func loadText(t testing.TB, text string, environ ...string) (*Settings, []Problem, error) {
	t.Helper()
	dir := writeTree(t, map[string]string{"supervisord.conf": text})
	return Load(filepath.Join(dir, "supervisord.conf"), environ)
}

// TestLoadAnsibleFATE holds that the files AnsibleFATE renders load as they are.
func TestLoadAnsibleFATE(t *testing.T) {
	cfg, warnings, err := Load("testdata/ansiblefate/supervisord.conf", []string{"PATH=/usr/bin:/bin"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range cfg.Programs {
		names = append(names, p.Name)
	}
	want := "fate-clustermanager fate-fateboard fate-fateflow fate-mysql fate-nodemanager fate-rollsite"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("programs are %s, want %s", got, want)
	}
	cm := cfg.Programs[0]
	wantCM := NewProgram("fate-clustermanager", "/bin/bash", "/data/projects/fate/eggroll/bin/fate-eggroll.sh",
		"clustermanager", "starting")
	wantCM.Directory, wantCM.User, wantCM.AutoRestart = "/data/projects/fate/eggroll/", "app", "true"
	wantCM.RedirectStderr = true
	wantCM.StdoutLogfile = "/data/logs/fate/eggroll/bootstrap.clustermanager.out"
	wantCM.StderrLogfile = "/data/logs/fate/eggroll/bootstrap.clustermanager.err"
	wantCM.Environment = map[string]string{
		"PATH":      "/data/projects/fate/common/jdk/jdk-8u345/bin:/data/projects/fate/common/python/venv/bin:/usr/bin:/bin",
		"CLASSPATH": "$CLASSPATH:$CLASSPATH",
	}
	if d := cmp.Diff(wantCM, cm); d != "" {
		t.Errorf("fate-clustermanager (-want +got):\n%s", d)
	}
	if cfg.Daemon.Socket != "/data/projects/common/supervisord/run/supervisor.sock" ||
		cfg.Daemon.SocketOwner != "app:apps" {
		t.Errorf("socket %s of %s", cfg.Daemon.Socket, cfg.Daemon.SocketOwner)
	}
	if cfg.Daemon.TCPAddr != "127.0.0.1:9001" || cfg.Daemon.TCPPassword != "fate" {
		t.Errorf("TCP listener %s", cfg.Daemon.TCPAddr)
	}
	// logfile_maxbytes, logfile_backups and loglevel in each of the six.
	if len(warnings) != 18 {
		t.Errorf("%d warnings, want 18: %v", len(warnings), warnings)
	}
	if w := warnings[0].String(); !strings.Contains(w, "fate-clustermanager.conf:8: ") ||
		!strings.Contains(w, "stdout_logfile_maxbytes") {
		t.Errorf("the first warning is %q", w)
	}
}

func TestLoadDialect(t *testing.T) {
	cfg, warnings, err := loadText(t, `
; a comment
[supervisord]
logfile = %(here)s/x.log ; inline
nodaemon=true
[program:a]
command = /bin/sh -c "echo 'x y'; sleep 1" \
	b\ c  # gone
	--next "50%%"
environment = A="1,2",B='say "hi"',C=plain,
	D="%(ENV_HOME)s/d"
Directory: %(ENV_A)s
startsecs = 2
stopsignal = sigint
exitcodes = 0,2
ready_http = POST http://127.0.0.1:9380/v1/version/get status=200 header="Content-Type: application/json" body={} contains='"retcode":0'
ready_interval = 1.5s
ready_timeout = 90
stdout_logfile = none
redirect_stderr = yes
oom_score_adj = -500
ports = 1, 2
[program:many]
command = /bin/true %(process_num)02d %(numprocs)d
numprocs = 2
numprocs_start = 7
process_name = %(program_name)s_%(process_num)d
[group:g]
programs = a
`, "HOME=/root")
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 0 {
		t.Errorf("warnings: %v", warnings)
	}
	if len(cfg.Programs) != 3 {
		t.Fatalf("%d programs", len(cfg.Programs))
	}
	a := cfg.Programs[0]
	minus500 := -500
	want := NewProgram("a", "/bin/sh", "-c", "echo 'x y'; sleep 1", "\nb c", "--next", "50%")
	want.Group = "g"
	want.Environment = map[string]string{"A": "1,2", "B": `say "hi"`, "C": "plain", "D": "/root/d"}
	want.Directory, want.StartSecs, want.StopSignal, want.ExitCodes = "1,2", 2, "INT", []int{0, 2}
	want.ReadyHTTP = &HTTPProbe{Method: "POST", URL: "http://127.0.0.1:9380/v1/version/get", Status: 200, Body: "{}",
		Header: map[string]string{"Content-Type": "application/json"}, BodyContains: `"retcode":0`}
	want.ReadyInterval, want.ReadyTimeout = 1500*time.Millisecond, 90*time.Second
	want.StdoutLogfile, want.RedirectStderr, want.OOMScoreAdj, want.Ports = "NONE", true, &minus500, []int{1, 2}
	if d := cmp.Diff(want, a); d != "" {
		t.Errorf("a (-want +got):\n%s", d)
	}
	many := cfg.Programs[2]
	if many.Name != "many_8" || many.Group != "many" || strings.Join(many.Command, " ") != "/bin/true 08 2" {
		t.Errorf("many: %s:%s %q", many.Group, many.Name, many.Command)
	}
	if filepath.Base(cfg.Daemon.LogFile) != "x.log" {
		t.Errorf("logfile %s", cfg.Daemon.LogFile)
	}
}

func TestLoadProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"cycle", "[program:a]\ncommand=x\ndepends_on=b\n[program:b]\ncommand=x\ndepends_on=c\n[program:c]\ncommand=x\ndepends_on=a",
			"supervisord.conf:1: the dependencies go in a circle: a -> b -> c -> a"},
		{"self", "[program:a]\ncommand=x\ndepends_on=a", "depends_on names the program itself"},
		{"missing dependency", "[program:a]\ncommand=x\ndepends_on=fate-msql\n[program:fate-mysql]\ncommand=x",
			"depends on fate-msql, which is not defined; did you mean fate-mysql?"},
		{"no command", "[program:a]\nuser=x", "supervisord.conf:1: program a: there is no command"},
		{"number", "[program:a]\ncommand=x\nstartsecs=99999999999999999999", "supervisord.conf:3: startsecs: "},
		{"size", "[program:a]\ncommand=x\nstdout_logfile_maxbytes=9999999999GB",
			"supervisord.conf:3: stdout_logfile_maxbytes: "},
		{"numprocs", "[program:a]\ncommand=x\nnumprocs=1000000",
			"supervisord.conf:3: numprocs: 1000000 is not between 1 and 1000"},
		{"process_name", "[program:a]\ncommand=x\nnumprocs=2", "process_name must contain %(process_num)"},
		{"expression", "[program:a]\ncommand=x %(ENV_NOPE)s",
			"supervisord.conf:2: command: %(ENV_NOPE)s: there is no ENV_NOPE"},
		{"expression in itself", "[program:a]\ncommand=%(ENV_A)s\nenvironment=A=\"%%(ENV_A)s\"",
			"is an expression itself"},
		{"expression form", "[program:a]\ncommand=%(here)999999d", "is not an expression"},
		{"quote", "[program:a]\ncommand=echo 'x", "supervisord.conf:2: command: a quote is not closed"},
		{"twice", "[program:a]\ncommand=x\n[program:a]\ncommand=y", "[program:a] is given twice, first in"},
		{"key twice", "[program:a]\ncommand=x\nCommand=y",
			"supervisord.conf:3: command is given twice, first in line 2"},
		{"bracket", "[program:a\ncommand=x", "supervisord.conf:1: the section title has no closing bracket"},
		{"no section", "command=x", "stands before the first section"},
		{"junk", "[program:a]\njunk", "is neither a section"},
		{"control", "[program:a]\ncommand=x\x00y", "supervisord.conf:2: the line has a control character"},
		{"not utf8", "[program:a]\ncommand=\xff", "is not UTF-8 text"},
		{"tcp without password", "[inet_http_server]\nport=127.0.0.1:9001", "needs username and password"},
		{"name", "[program:a b]\ncommand=x", "a character that is not allowed"},
		{"reserved name", "[program:all]\ncommand=x", "reserved"},
		{"eventlistener", "[eventlistener:a]\ncommand=x", "not supported"},
		{"group", "[group:g]\nprograms=a", "group g names the program a, which is not defined"},
		{"probe", "[program:a]\ncommand=x\nready_http=ftp://x", "is not an http or https address"},
		{"regexp", "[program:a]\ncommand=x\nready_log=(", "ready_log: error parsing regexp"},
		{"limit", "[program:a]\ncommand=x\nlimit_nofile=20:10", "the soft limit is above the hard limit"},
		{"signal", "[program:a]\ncommand=x\nstopsignal=TREM", `there is no signal "TREM"`},
		{"long line", "[program:a]\ncommand=" + strings.Repeat("x", maxLineBytes), "is longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := loadText(t, tt.text)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error is %v, want Problems", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is\n%v\nwant it to contain\n%s", err, tt.want)
			}
		})
	}
}

func TestLoadWarnings(t *testing.T) {
	_, warnings, err := loadText(t, "[program:a]\ncommand=x\nautorestrat=true\nstdout_syslog=true\n[foo]\n")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"supervisord.conf:3: [program:a] autorestrat is not a key that means anything here; did you mean autorestart?",
		"supervisord.conf:4: [program:a] stdout_syslog has no effect",
		"supervisord.conf:5: [foo] is not a section that means anything here",
	} {
		if i >= len(warnings) || !strings.Contains(warnings[i].String(), want) {
			t.Errorf("warning %d of %v is not %q", i, warnings, want)
		}
	}
}

func TestLoadUnreadable(t *testing.T) {
	if _, _, err := Load(filepath.Join(t.TempDir(), "none.conf"), nil); err == nil ||
		!strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("missing file: %v", err)
	}
	if _, _, err := Load(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("directory: %v", err)
	}
}

// nasty draws strings of the characters that quoting gets wrong.
var nasty = rapid.StringOfN(rapid.RuneFrom([]rune("ab %\"'\\;#,=\n\t$(){}[]:é文")), 0, 12, -1)

func drawProgram(t *rapid.T) Program {
	p := NewProgram("p")
	p.Command = append([]string{"/bin/x" + nasty.Draw(t, "argv0")}, rapid.SliceOfN(nasty, 0, 4).Draw(t, "argv")...)
	p.Environment = rapid.MapOfN(rapid.StringMatching(`[A-Z_][A-Z0-9_]{0,5}`), nasty, 0, 3).Draw(t, "env")
	if len(p.Environment) == 0 {
		p.Environment = nil
	}
	p.PassEnvironment = rapid.SampledFrom([][]string{nil, {"A"}, {"http_proxy", "B_1"}}).Draw(t, "pass")
	p.AutoStart = rapid.Bool().Draw(t, "autostart")
	p.AutoRestart = rapid.SampledFrom([]string{"true", "false", "unexpected"}).Draw(t, "autorestart")
	p.StartSecs = rapid.IntRange(0, 100).Draw(t, "startsecs")
	p.ExitCodes = rapid.SliceOfN(rapid.IntRange(0, 255), 1, 3).Draw(t, "exitcodes")
	p.StopSignal = rapid.SampledFrom([]string{"TERM", "INT", "QUIT", "HUP"}).Draw(t, "stopsignal")
	p.KillAsGroup = rapid.Bool().Draw(t, "killasgroup")
	p.StopAsGroup = p.KillAsGroup && rapid.Bool().Draw(t, "stopasgroup")
	p.RestartDelay = time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "delay"))
	p.Directory = rapid.SampledFrom([]string{"", "/a b/100%/%(x)s", `/c\d"e'`}).Draw(t, "dir")
	p.StdoutLogfileMaxBytes = rapid.Int64Range(0, 1<<40).Draw(t, "max")
	p.ReadyHTTP = rapid.SampledFrom([]*HTTPProbe{nil, {URL: "http://h:1/%41?a=b", Method: "POST", Status: 200,
		OrStatus: 404,
		Header:   map[string]string{"Content-Type": "a; b=\"c\""}}}).Draw(t, "http").Clone()
	if p.ReadyHTTP != nil {
		p.ReadyHTTP.Body, p.ReadyHTTP.BodyContains = nasty.Draw(t, "body"), nasty.Draw(t, "contains")
	}
	if p.ReadyHTTP != nil {
		p.DependantsAfter = rapid.SampledFrom([]string{DependantsReady, DependantsListening}).Draw(t, "dependants")
	}
	p.ReadyExec = rapid.SliceOfN(nasty, 0, 3).Draw(t, "exec")
	if len(p.ReadyExec) == 0 || p.ReadyExec[0] == "" {
		p.ReadyExec = nil
	}
	p.ReadyLog = rapid.SampledFrom([]string{"", " a ;b", "Mode: (x|y)%d", `"quoted"`, `\d+\.`}).Draw(t, "log")
	p.LimitNoFile = rapid.SampledFrom([]string{"", "1024:65536", "unlimited"}).Draw(t, "nofile")
	p.Ports = rapid.SampledFrom([][]int{nil, {1, 65535}}).Draw(t, "ports")
	return p
}

// TestINIRoundTrip holds that whatever Validate accepts comes back from the file as it was.
func TestINIRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.conf")
	rapid.Check(t, func(rt *rapid.T) {
		p := drawProgram(rt)
		if err := p.Validate(); err != nil {
			rt.Fatalf("Validate: %v", err)
		}
		if err := os.WriteFile(path, p.INI(), 0o600); err != nil {
			rt.Fatal(err)
		}
		cfg, warnings, err := Load(path, nil)
		if err != nil {
			rt.Fatalf("%v\n%s", err, p.INI())
		}
		if len(warnings) > 0 {
			rt.Fatalf("%v\n%s", warnings, p.INI())
		}
		if d := cmp.Diff(p, cfg.Programs[0]); d != "" {
			rt.Fatalf("(-wrote +read)\n%s\n%s", d, p.INI())
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add("[program:a]\ncommand=/bin/x %(ENV_A)s \"b c\" ; comment\nenvironment=A=\"1\",B='2'\n  , C=3\n")
	f.Add("[supervisord]\nlogfile=%(here)s/x\n[program:a]\ncommand=x\nnumprocs=3\nprocess_name=p%(process_num)02d\n[group:g]\nprograms=a\n")
	f.Add("[program:a]\ncommand=x\ndepends_on=b\n[program:b]\ncommand=y\ndepends_on=a\nready_http=POST http://a:1 " +
		"body={}\n")
	f.Add("[program:a]\ncommand: x\\\n y\numask=022\nlimit_nofile=1:2\nready_log=\"a b\"\n")
	path := filepath.Join(f.TempDir(), "f.conf")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "[include]") {
			t.Skip("would read other files")
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, _, err := Load(path, []string{"A=%(ENV_A)s", "B=b"})
		if err != nil {
			return
		}
		// What was accepted can be written, and is read back the same.
		var again []byte
		for _, p := range cfg.Programs {
			if err := p.Validate(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			again = append(again, p.INI()...)
		}
		if err := os.WriteFile(path, again, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg2, _, err := Load(path, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		for i := range cfg.Programs {
			cfg.Programs[i].Group, cfg2.Programs[i].Group = "", ""
			if len(cfg.Programs[i].Environment) == 0 {
				cfg.Programs[i].Environment = nil
			}
		}
		if d := cmp.Diff(cfg.Programs, cfg2.Programs, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("(-first +again)\n%s\n%s", d, again)
		}
	})
}

func FuzzSplitWords(f *testing.F) {
	f.Add(`a "b c" 'd' e\ f`)
	f.Fuzz(func(t *testing.T, s string) {
		words, err := splitWords(s)
		if err != nil {
			return
		}
		again, err := splitWords(JoinWords(words))
		if d := cmp.Diff(words, again, cmpopts.EquateEmpty()); err != nil || d != "" && !strings.Contains(s, "\n") {
			t.Fatalf("%q -> %q -> %q: %v", s, words, again, err)
		}
	})
}

// TestNeedsMayBeDefinedLater: an installer writes one program's file after the other, and each makes its program known.
func TestNeedsMayBeDefinedLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.conf")
	text := "[program:board]\ncommand=/bin/true\nneeds=flow\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := Load(path, nil)
	if err != nil || len(cfg.Programs) != 1 || !slices.Equal(cfg.Programs[0].Needs, []string{"flow"}) {
		t.Errorf("%+v, %v", cfg, err)
	}
}
