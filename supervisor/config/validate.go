package config

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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
	check(ValidName(p.Name))
	if p.Group != "" {
		check(ValidName(p.Group))
	}
	for _, k := range programKeys {
		check(k.check(k.name, p))
		for _, rule := range k.rules {
			check(rule(p))
		}
	}
	return errors.Join(errs...)
}

// checkText refuses what no line of an ini file can carry. Words of a command may hold newlines, which are written as
// continuation lines; nothing may hold other control characters.
func checkText(what, s string, quoted bool) error {
	for _, r := range s {
		if r == '\n' && quoted || r == '\t' {
			continue
		}
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("%s has a control character: %q", what, s)
		}
	}
	if quoted {
		return nil
	}
	if s != strings.TrimSpace(s) {
		return fmt.Errorf("%s begins or ends with a space: %q", what, s)
	}
	if stripComment(s) != s {
		return fmt.Errorf("%s has a comment sign after a space: %q", what, s)
	}
	return nil
}

// ValidName refuses names of programs that cannot stand in a section title, in a list of names or in supervisorctl's
// group:name.
func ValidName(s string) error {
	switch {
	case s == "":
		return errors.New("the name is empty")
	case strings.ContainsAny(s, "[]:,*?;#%/\\\"'= \t\r\n"):
		return fmt.Errorf("the name %q has a character that is not allowed in a name", s)
	case s == "all" || s == "." || s == "..":
		return fmt.Errorf("the name %q is reserved", s)
	case len(s) > 200:
		return fmt.Errorf("the name %.20q... is longer than 200 bytes", s)
	}
	return checkText("the name", s, false)
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

func hasCommand(p *Program) error {
	if len(p.Command) == 0 {
		return errors.New("there is no command")
	}
	return nil
}

func stopsWholeGroup(p *Program) error {
	if p.StopAsGroup && !p.KillAsGroup {
		return errors.New("stopasgroup=true needs killasgroup=true: else a stop could leave half a group")
	}
	return nil
}

func dependsOnOthers(p *Program) error {
	if slices.Contains(p.DependsOn, p.Name) {
		return errors.New("depends_on names the program itself")
	}
	return nil
}

func needsOthers(p *Program) error {
	if slices.Contains(p.Needs, p.Name) {
		return errors.New("needs names the program itself")
	}
	return nil
}

func canListen(p *Program) error {
	if p.DependantsAfter == DependantsListening && p.ReadyTCP == "" && p.ReadyHTTP == nil {
		return fmt.Errorf("dependants_after is %s, but there is neither ready_tcp nor ready_http", DependantsListening)
	}
	return nil
}

func hasLog(p *Program) error {
	if p.ReadyLog != "" && p.StdoutLogfile == "NONE" && (p.RedirectStderr || p.StderrLogfile == "NONE") {
		return errors.New("ready_log needs a log file, and both are NONE")
	}
	return nil
}

func readyIntervalAboveZero(p *Program) error {
	return aboveZero("ready_interval", p.HasReadiness(), p.ReadyInterval)
}

func readyTimeoutAboveZero(p *Program) error {
	return aboveZero("ready_timeout", p.HasReadiness(), p.ReadyTimeout)
}

func livenessIntervalAboveZero(p *Program) error {
	return aboveZero("liveness_interval", p.HasLiveness(), p.LivenessInterval)
}

func livenessTimeoutAboveZero(p *Program) error {
	return aboveZero("liveness_timeout", p.HasLiveness(), p.LivenessTimeout)
}

func aboveZero(name string, matters bool, d time.Duration) error {
	if matters && d <= 0 {
		return fmt.Errorf("%s must be above zero", name)
	}
	return nil
}
