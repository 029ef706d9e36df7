package config

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ochinchina/supervisord/signals"
)

func parseBool(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "yes", "true", "on", "1":
		return true, nil
	case "no", "false", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", v)
}

func parseInt(v string, low, high int) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", v)
	}
	if n < low || n > high {
		return 0, fmt.Errorf("%d is not between %d and %d", n, low, high)
	}
	return n, nil
}

func parseInts(v string, low, high int) ([]int, error) {
	var out []int
	for _, word := range splitList(v) {
		n, err := parseInt(word, low, high)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// splitList splits at commas and drops blanks and empty items.
func splitList(v string) []string {
	var out []string
	for _, w := range strings.Split(v, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// parseNames reads the names of environment variables, separated by commas.
func parseNames(v string) ([]string, error) {
	names := splitList(v)
	for _, n := range names {
		if err := validEnvKey(n); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// maxDuration keeps seconds times any factor used here inside an int64 of nanoseconds.
const maxDuration = 10 * 365 * 24 * time.Hour

// parseDuration reads 1.5s, 200ms, 2m, or a plain number of seconds.
func parseDuration(v string) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if n, e := strconv.ParseUint(v, 10, 32); e == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration such as 500ms, 10s or 2m", v)
	case d < 0 || d > maxDuration:
		return 0, fmt.Errorf("%q is not between 0 and ten years", v)
	}
	return d, nil
}

// maxBytes bounds a size.
const maxBytes int64 = 1 << 60

// parseBytes reads 1024, 512KB, 50MB or 1GB; the units are powers of 1024 as in supervisor.
func parseBytes(v string) (int64, error) {
	text, factor := strings.ToUpper(v), int64(1)
	for i, unit := range []string{"KB", "MB", "GB"} {
		if t, ok := strings.CutSuffix(text, unit); ok {
			text, factor = strings.TrimSpace(t), 1<<(10*(i+1))
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxBytes/factor {
		return 0, fmt.Errorf("%q is not a size such as 1048576, 50MB or 1GB", v)
	}
	return n * factor, nil
}

// ParseUmask reads an octal mask of file permissions, such as 022.
func ParseUmask(v string) (int, error) {
	n, err := strconv.ParseUint(v, 8, 32)
	if err != nil || n > 0o777 {
		return 0, fmt.Errorf("%q is not an octal mask such as 022", v)
	}
	return int(n), nil
}

// ParseSignal reads a signal's name, with or without SIG, or its number.
func ParseSignal(v string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(v); err == nil && n > 0 && n < 65 {
		return syscall.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(v), "SIG")
	sig, err := signals.ToSignal(name)
	s, ok := sig.(syscall.Signal)
	// ToSignal answers TERM for a name it does not know.
	if err != nil || !ok || s == syscall.SIGTERM && name != "TERM" {
		return 0, fmt.Errorf("there is no signal %q", v)
	}
	return s, nil
}

// SignalNumber is the number of a signal that Validate has accepted.
func SignalNumber(name string) syscall.Signal {
	sig, err := ParseSignal(name)
	if err != nil {
		return syscall.SIGTERM
	}
	return sig
}

// rlimitInfinity is RLIM_INFINITY of the 64-bit interface.
const rlimitInfinity = ^uint64(0)

// ParseLimit reads a resource limit: one number for both, soft:hard, or unlimited.
func ParseLimit(v string) (soft, hard uint64, err error) {
	one := func(s string) uint64 {
		s = strings.TrimSpace(s)
		if s == "unlimited" || s == "infinity" {
			return rlimitInfinity
		}
		n, e := strconv.ParseUint(s, 10, 63)
		if e != nil {
			err = fmt.Errorf("%q is not a limit such as 65536, 1024:65536 or unlimited", v)
		}
		return n
	}
	softText, hardText, two := strings.Cut(v, ":")
	soft = one(softText)
	hard = soft
	if two {
		hard = one(hardText)
	}
	if err == nil && soft > hard {
		err = fmt.Errorf("%q: the soft limit is above the hard limit", v)
	}
	return soft, hard, err
}

func parseFileMode(v string) (os.FileMode, error) {
	n, err := strconv.ParseUint(v, 8, 32)
	if err != nil || n > 0o777 {
		return 0, fmt.Errorf("%q is not an octal mode such as 0660", v)
	}
	return os.FileMode(n), nil
}
