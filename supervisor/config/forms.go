package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// form is how the value of one field of a T is read from a file and written to it. parse gives back what write wrote,
// provided check accepts the value.
type form[T any] struct {
	parse func(t *T, v string) error
	write func(t *T) string // in the dialect, but for the percent sign; "" for nothing
	check func(name string, t *T) error
}

// of makes the form of a field from the functions for its type.
func of[T, V any](
	field func(*T) *V, parse func(string) (V, error), write func(V) string, check func(name string, v V) error,
) form[T] {
	return form[T]{
		parse: func(t *T, v string) (err error) { *field(t), err = parse(v); return err },
		write: func(t *T) string { return write(*field(t)) },
		check: func(name string, t *T) error { return check(name, *field(t)) },
	}
}

func same(v string) string                 { return v }
func anyText(v string) (string, error)     { return v, nil }
func accept[V any](string, V) error        { return nil }
func plain(name, v string) error           { return checkText(name, v, false) }
func list(words []string) string           { return strings.Join(words, ",") }
func parseList(v string) ([]string, error) { return splitList(v), nil }

// lower reads a word that supervisor takes in any case.
func lower(v string) (string, error) { return strings.ToLower(v), nil }

// parsed checks a value that may be missing by parsing it.
func parsed[V any](parse func(string) (V, error)) func(name, v string) error {
	return func(name, v string) error {
		if v == "" {
			return nil
		}
		if err := checkText(name, v, false); err != nil {
			return err
		}
		if _, err := parse(v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
}

func text[T any](field func(*T) *string) form[T] { return of(field, anyText, same, plain) }

func umask[T any](field func(*T) *string) form[T] {
	return of(field, func(v string) (string, error) { _, err := ParseUmask(v); return v, err }, same,
		parsed(ParseUmask))
}

func boolean[T any](field func(*T) *bool) form[T] {
	return of(field, parseBool, strconv.FormatBool, accept)
}

func number[T any](low, high int, field func(*T) *int) form[T] {
	return of(field, func(v string) (int, error) { return parseInt(v, low, high) }, strconv.Itoa,
		func(name string, n int) error { return between(name, n, low, high) })
}

func numbers[T any](low, high int, field func(*T) *[]int) form[T] {
	return of(field, func(v string) ([]int, error) { return parseInts(v, low, high) },
		func(v []int) string {
			words := make([]string, len(v))
			for i, n := range v {
				words[i] = strconv.Itoa(n)
			}
			return list(words)
		},
		func(name string, v []int) error {
			for _, n := range v {
				if err := between(name, n, low, high); err != nil {
					return err
				}
			}
			return nil
		})
}

// optionalNumber is a number whose default is that there is none.
func optionalNumber[T any](low, high int, field func(*T) **int) form[T] {
	return of(field, func(v string) (*int, error) { n, err := parseInt(v, low, high); return &n, err },
		func(n *int) string {
			if n == nil {
				return ""
			}
			return strconv.Itoa(*n)
		},
		func(name string, n *int) error {
			if n == nil {
				return nil
			}
			return between(name, *n, low, high)
		})
}

func between[N int | int64](name string, n, low, high N) error {
	if n < low || n > high {
		return fmt.Errorf("%s: %d is not between %d and %d", name, n, low, high)
	}
	return nil
}

func size[T any](field func(*T) *int64) form[T] {
	return of(field, parseBytes, func(n int64) string { return strconv.FormatInt(n, 10) },
		func(name string, n int64) error { return between(name, n, 0, maxBytes) })
}

func duration[T any](field func(*T) *time.Duration) form[T] {
	return of(field, parseDuration, time.Duration.String, func(name string, d time.Duration) error {
		if d < 0 || d > maxDuration {
			return fmt.Errorf("%s: %s is not between 0 and ten years", name, d)
		}
		return nil
	})
}

func choice[T any](field func(*T) *string, values ...string) form[T] {
	return of(field, lower, same, oneOf(values...))
}

func oneOf(values ...string) func(name, v string) error {
	return func(name, v string) error {
		if slices.Contains(values, v) {
			return nil
		}
		last := len(values) - 1
		return fmt.Errorf("%s %q is none of %s and %s", name, v, strings.Join(values[:last], ", "), values[last])
	}
}

func restarts[T any](field func(*T) *string) form[T] {
	return of(field, parseRestarts, same, oneOf("true", "false", "unexpected"))
}

func parseRestarts(v string) (string, error) {
	if strings.EqualFold(v, "unexpected") {
		return "unexpected", nil
	}
	on, err := parseBool(v)
	if err != nil {
		return "", fmt.Errorf("%q is none of true, false and unexpected", v)
	}
	return strconv.FormatBool(on), nil
}

func signalName[T any](field func(*T) *string) form[T] {
	return of(field, func(v string) (string, error) {
		_, err := ParseSignal(v)
		return strings.TrimPrefix(strings.ToUpper(v), "SIG"), err
	}, same, func(name, v string) error {
		if _, err := ParseSignal(v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

func limit[T any](field func(*T) *string) form[T] {
	parse := func(v string) (string, error) { _, _, err := ParseLimit(v); return v, err }
	return of(field, parse, same, parsed(parse))
}

// logfile is a path or one of the two special names, which supervisor takes in any case.
func logfile[T any](field func(*T) *string) form[T] {
	return of(field, func(v string) (string, error) {
		if up := strings.ToUpper(v); up == "AUTO" || up == "NONE" {
			return up, nil
		}
		if v == "" {
			return "NONE", nil
		}
		return v, nil
	}, same, func(name, v string) error {
		if v == "AUTO" || v == "NONE" {
			return nil
		}
		return absolute(name, v)
	})
}

func absolute(name, path string) error {
	if err := plain(name, path); err != nil {
		return err
	}
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s %q is not an absolute path", name, path)
	}
	return nil
}

func argv[T any](field func(*T) *[]string) form[T] {
	return of(field, splitWords, JoinWords, func(name string, words []string) error {
		if len(words) == 0 {
			return nil
		}
		return checkCommand(name, words)
	})
}

func paths[T any](field func(*T) *[]string) form[T] {
	return of(field, splitWords, JoinWords, each(absolute))
}

// patterns are absolute paths with the wildcards of glob(7).
func patterns[T any](field func(*T) *[]string) form[T] {
	return of(field, splitWords, JoinWords, each(func(name, pattern string) error {
		if err := plain(name, pattern); err != nil {
			return err
		}
		if _, err := filepath.Match(pattern, ""); err != nil || !filepath.IsAbs(pattern) {
			return fmt.Errorf("%s %q is not an absolute path, or its wildcards are wrong", name, pattern)
		}
		return nil
	}))
}

func each(check func(name, v string) error) func(name string, values []string) error {
	return func(name string, values []string) error {
		for _, v := range values {
			if err := check(name, v); err != nil {
				return err
			}
		}
		return nil
	}
}

// names are names of programs.
func names[T any](field func(*T) *[]string) form[T] {
	return of(field, parseList, list, each(func(_, v string) error { return ValidName(v) }))
}

func variableNames[T any](field func(*T) *[]string) form[T] {
	return of(field, parseNames, list, each(func(name, v string) error {
		if err := validEnvKey(v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}))
}

func variables[T any](field func(*T) *map[string]string) form[T] {
	return of(field, splitEnvironment, func(env map[string]string) string {
		pairs := make([]string, 0, len(env))
		for _, k := range slices.Sorted(maps.Keys(env)) {
			pairs = append(pairs, k+"="+quoteAlways(env[k]))
		}
		return list(pairs)
	}, func(_ string, env map[string]string) error {
		for _, k := range slices.Sorted(maps.Keys(env)) {
			if err := validEnvKey(k); err != nil {
				return err
			}
			if err := checkText("the value of "+k, env[k], true); err != nil {
				return err
			}
		}
		return nil
	})
}

// address is host:port.
func address[T any](field func(*T) *string) form[T] {
	return of(field, anyText, same, parsed(func(v string) (string, error) { return v, checkAddr(v) }))
}

func request[T any](field func(*T) **HTTPProbe) form[T] {
	return of(field, parseHTTPProbe, (*HTTPProbe).text, func(name string, h *HTTPProbe) error {
		if h == nil {
			return nil
		}
		if err := h.validate(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// expressionText is a regular expression. It may be quoted, and is written so where it has to be.
func expressionText[T any](field func(*T) *string) form[T] {
	return of(field, parseExpressionText, func(v string) string {
		if v == "" {
			return ""
		}
		return quoteWord(v)
	}, func(name, v string) error {
		if err := checkText(name, v, true); err != nil {
			return err
		}
		if _, err := regexp.Compile(v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

func parseExpressionText(v string) (string, error) {
	if v == "" || v[0] != '"' && v[0] != '\'' {
		return v, nil
	}
	words, err := splitWords(v)
	if err != nil {
		return "", err
	}
	if len(words) != 1 {
		return "", errors.New("there is text after the quoted expression")
	}
	return words[0], nil
}

func fileMode[T any](field func(*T) *os.FileMode) form[T] {
	return of(field, parseFileMode, func(m os.FileMode) string { return fmt.Sprintf("%04o", m.Perm()) }, accept)
}

func secret[T any](field func(*T) *Password) form[T] {
	return of(field, func(v string) (Password, error) { return Password(v), nil },
		func(v Password) string { return string(v) }, accept)
}
