package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Validate tells whether the program can be written to a file and run. It does not look at the machine: a user that
// does not exist or a missing executable is found when the program starts.
func (p *Program) Validate() error {
	var errs []error
	check := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	check(validName(p.Name))
	if p.Group != "" {
		check(validName(p.Group))
	}
	check(checkCommand("command", p.Command))
	check(p.checkTexts())
	check(p.checkEnvironment())
	check(p.checkNumbers())
	check(p.checkProbes())
	for key, names := range map[string][]string{"depends_on": p.DependsOn, "needs": p.Needs} {
		for _, d := range names {
			check(validName(d))
			if d == p.Name {
				check(errors.New(key + " names the program itself"))
			}
		}
	}
	for _, limit := range []string{p.LimitNoFile, p.LimitNProc, p.LimitCore} {
		if limit != "" {
			_, _, err := ParseLimit(limit)
			check(err)
		}
	}
	return errors.Join(errs...)
}

func checkCommand(what string, argv []string) error {
	if len(argv) == 0 || argv[0] == "" {
		return fmt.Errorf("there is no %s", what)
	}
	for _, w := range argv {
		if err := checkText(what, w, true); err != nil {
			return err
		}
	}
	return nil
}

func (p *Program) checkTexts() error {
	texts := map[string]string{
		"directory": p.Directory, "user": p.User, "umask": p.Umask,
		"stdout_logfile": p.StdoutLogfile, "stderr_logfile": p.StderrLogfile,
		"ready_tcp": p.ReadyTCP, "liveness_tcp": p.LivenessTCP,
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		if err := checkText(key, texts[key], false); err != nil {
			return err
		}
	}
	for key, path := range map[string]string{"stdout_logfile": p.StdoutLogfile, "stderr_logfile": p.StderrLogfile} {
		if path != "AUTO" && path != "NONE" && !filepath.IsAbs(path) {
			return fmt.Errorf("%s %q is not an absolute path", key, path)
		}
	}
	for _, dir := range p.DataDirs {
		if err := checkText("data_dirs", dir, false); err != nil {
			return err
		}
		if !filepath.IsAbs(dir) {
			return fmt.Errorf("data_dirs %q is not an absolute path", dir)
		}
	}
	for _, pattern := range p.LogFiles {
		if err := checkText("log_files", pattern, false); err != nil {
			return err
		}
		if _, err := filepath.Match(pattern, ""); err != nil || !filepath.IsAbs(pattern) {
			return fmt.Errorf("log_files %q is not an absolute path, or its wildcards are wrong", pattern)
		}
	}
	return nil
}

func (p *Program) checkEnvironment() error {
	for _, k := range p.PassEnvironment {
		if err := validEnvKey(k); err != nil {
			return fmt.Errorf("pass_environment: %w", err)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(p.Environment)) {
		if err := validEnvKey(k); err != nil {
			return err
		}
		if err := checkText("the value of "+k, p.Environment[k], true); err != nil {
			return err
		}
	}
	return nil
}

func (p *Program) checkNumbers() error {
	if p.AutoRestart != "true" && p.AutoRestart != "false" && p.AutoRestart != "unexpected" {
		return fmt.Errorf("autorestart %q is none of true, false and unexpected", p.AutoRestart)
	}
	if p.StopAsGroup && !p.KillAsGroup {
		return errors.New("stopasgroup=true needs killasgroup=true: else a stop could leave half a group")
	}
	if _, err := ParseSignal(p.StopSignal); err != nil {
		return fmt.Errorf("stopsignal: %w", err)
	}
	if p.Umask != "" {
		if _, err := ParseUmask(p.Umask); err != nil {
			return err
		}
	}
	if n := p.OOMScoreAdj; n != nil && (*n < -1000 || *n > 1000) {
		return fmt.Errorf("oom_score_adj %d is not between -1000 and 1000", *n)
	}
	for _, port := range p.Ports {
		if port < 1 || port > 65535 {
			return fmt.Errorf("ports: %d is not between 1 and 65535", port)
		}
	}
	if min(p.StartSecs, p.StartRetries, p.StopWaitSecs, p.StopWaitStarting, p.StdoutLogfileBackups, p.StderrLogfileBackups) < 0 ||
		min(p.StdoutLogfileMaxBytes, p.StderrLogfileMaxBytes, p.LogTotalMaxBytes) < 0 ||
		min(p.RestartDelay, p.RestartDelayMax, p.RestartReset) < 0 {
		return errors.New("a number is negative")
	}
	return nil
}

func (p *Program) checkProbes() error {
	for key, addr := range map[string]string{"ready_tcp": p.ReadyTCP, "liveness_tcp": p.LivenessTCP} {
		if addr == "" {
			continue
		}
		if err := checkAddr(addr); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	for key, h := range map[string]*HTTPProbe{"ready_http": p.ReadyHTTP, "liveness_http": p.LivenessHTTP} {
		if h == nil {
			continue
		}
		if err := h.validate(); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	switch {
	case p.DependantsAfter == DependantsReady:
	case p.DependantsAfter != DependantsListening:
		return fmt.Errorf("dependants_after is %q: it has to be %s or %s", p.DependantsAfter, DependantsReady, DependantsListening)
	case p.ReadyTCP == "" && p.ReadyHTTP == nil:
		return fmt.Errorf("dependants_after is %s, but there is neither ready_tcp nor ready_http", DependantsListening)
	}
	for key, argv := range map[string][]string{"ready_exec": p.ReadyExec, "liveness_exec": p.LivenessExec} {
		if len(argv) == 0 {
			continue
		}
		if err := checkCommand(key, argv); err != nil {
			return err
		}
	}
	if p.ReadyLog != "" {
		if err := checkText("ready_log", p.ReadyLog, true); err != nil {
			return err
		}
		if _, err := regexp.Compile(p.ReadyLog); err != nil {
			return fmt.Errorf("ready_log: %w", err)
		}
		if p.StdoutLogfile == "NONE" && (p.RedirectStderr || p.StderrLogfile == "NONE") {
			return errors.New("ready_log needs a log file, and both are NONE")
		}
	}
	if p.HasReadiness() && (p.ReadyInterval <= 0 || p.ReadyTimeout <= 0) {
		return errors.New("ready_interval and ready_timeout must be above zero")
	}
	if p.HasLiveness() && (p.LivenessInterval <= 0 || p.LivenessTimeout <= 0 || p.LivenessThreshold <= 0) {
		return errors.New("liveness_interval, liveness_timeout and liveness_threshold must be above zero")
	}
	switch p.LivenessAction {
	case "restart", "stop", "none":
		return nil
	}
	return fmt.Errorf("liveness_action %q is none of restart, stop and none", p.LivenessAction)
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q has no port between 1 and 65535", addr)
	}
	return nil
}

func (h *HTTPProbe) validate() error {
	u, err := url.Parse(h.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not an http or https address", h.URL)
	}
	for _, status := range []int{h.Status, h.OrStatus} {
		if status != 0 && (status < 100 || status > 599) {
			return fmt.Errorf("%d is not an HTTP status", status)
		}
	}
	if strings.Contains(h.Method, ":") {
		return fmt.Errorf("%q is not an HTTP method", h.Method)
	}
	for k, v := range h.Header {
		if k != textproto.CanonicalMIMEHeaderKey(k) || strings.ContainsAny(k, ": ") || v != strings.TrimSpace(v) {
			return fmt.Errorf("%q is not a header in its usual writing", k+": "+v)
		}
	}
	if _, err := http.NewRequest(h.Method, h.URL, nil); err != nil {
		return err
	}
	for _, s := range []string{h.URL, h.Body, h.BodyContains} {
		if err := checkText("the probe", s, true); err != nil {
			return err
		}
	}
	return nil
}
