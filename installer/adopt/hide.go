package adopt

import (
	"regexp"
	"strings"
	"sync"

	"fate-installer/installer/redact"
)

// Package redact knows files of settings and logs. Command lines, lines of crontabs and statements of shells have more
// ways of giving a password, which are here. Where it is not clear what ends a value, more is hidden and not less.
const (
	// shellValue is a word of a shell, with its quotes and escapes.
	shellValue = `(?:\\"(?:[^"\\]|\\[^"])*\\"|"(?:[^"\\]|\\.)*"?|'[^']*'?|\\.|[^\s"'\\])+`
	// assignedName has its value after = or :, namedOption after a blank.
	assignedName = `[\w.-]*(?:(?:pass|pwd|secret|token|credential|authorization)[\w.-]*|key)\\*["']?\s*(?:=|:|->)\s*`
	namedOption  = `(?:pass\w*|pwd|secret|token|key|identified\s+by|bearer)\\*["']?\s+`
)

var (
	namedValue = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?is)((?:` + assignedName + `|` + namedOption + `)(?:(?:basic|bearer)\s+)?)` +
			shellValue)
	})
	// userInfo is the password of a URL, and userOption what curl and wget take.
	userInfo = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(://[^\s/:@]*:)[^\s/]+@`)
	})
	userOption = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`((?:^|\s)(?:-u|--user)[ =]?[^\s:]+:)` + shellValue)
	})
	// passwordTool is a program that takes a password directly after -p, and shortPassword such an option. The
	// letters before the p are the options of mysql that have no value.
	passwordTool = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)mysql|mariadb|mydumper|myloader|backupex|xtrabackup|sshpass`)
	})
	shortPassword = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?s)((?:^|[\s"'])-[ABCEGHILNTVXbcfijklmnoqrstvw]*p)` + shellValue)
	})
	// secretOption is an option whose value is the next argument.
	secretOption = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)^-.*(?:pass\w*|pwd|secret|token|key)$`)
	})
	// quoted is what a message about a file quotes of it.
	quoted = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	})
)

// hideNamed takes out of a text the values whose names or options say that they are secrets.
func hideNamed(text string) string {
	text = namedValue().ReplaceAllString(text, "${1}"+hidden)
	text = userInfo().ReplaceAllString(text, "${1}"+hidden+"@")
	text = userOption().ReplaceAllString(text, "${1}"+hidden)
	if passwordTool().MatchString(text) {
		text = shortPassword().ReplaceAllString(text, "${1}"+hidden)
	}
	return text
}

// shown takes secrets out of a text: known values, and what is named as one.
func (s *secrets) shown(text string) string {
	r := redact.New(s.all)
	return r.Text(hideNamed(r.Known(text)))
}

// message takes secrets out of a message, whose own words may be the names of such: "the key has no value".
func (s *secrets) message(text string) string { return redact.New(s.all).Text(text) }

// arguments takes secrets out of the arguments of a process. The value of an option may be an argument of its own.
func (s *secrets) arguments(args []string) []string {
	tool := passwordTool().MatchString(strings.Join(args, " "))
	out := []string{}
	for i, arg := range args {
		text := s.shown(arg)
		switch {
		case i > 0 && secretOption().MatchString(args[i-1]):
			text = hidden
		case i > 0 && (args[i-1] == "-u" || args[i-1] == "--user") && strings.Contains(arg, ":"):
			user, _, _ := strings.Cut(text, ":")
			text = user + ":" + hidden
		case tool:
			text = shortPassword().ReplaceAllString(text, "${1}"+hidden)
		}
		out = append(out, text)
	}
	return out
}

// foreign reports whether a key is one of another software's program. Its values are none of ours to show.
func foreign(doc *document, key string) bool {
	if doc.kind != kindProgram && doc.kind != kindSupervisor {
		return false
	}
	section, _, _ := strings.Cut(key, ".")
	program, ok := strings.CutPrefix(section, "program:")
	if ok && isFATEProgram(program) {
		return false
	}
	return doc.kind == kindProgram || ok || strings.HasPrefix(key, "fcgi-program:") ||
		strings.HasPrefix(key, "eventlistener:")
}

// value is what is shown of the value of a key.
func (s *secrets) value(doc *document, key string, value *string) *string {
	if value == nil {
		return nil
	}
	text := s.shown(*value)
	if *value != blank && (doc.isSecret(key, *value) || foreign(doc, key)) {
		text = hidden
	}
	return &text
}

// isSecret reports whether a key of a file has a secret as its value. Directives of nginx that pass requests on have
// none, and headers may.
func (d *document) isSecret(key, value string) bool {
	if d.kind != kindNginx {
		return isSecret(key)
	}
	directive := key[strings.LastIndexByte(key, '.')+1:]
	header, _, _ := strings.Cut(strings.ToLower(value), " ")
	return isSecret(directive) && !strings.Contains(directive, "_pass") || isSecret(header) ||
		strings.Contains(header, "authorization") || strings.Contains(header, "cookie")
}

// key is what is shown of a key. One of a script may be a whole statement.
func (s *secrets) key(doc *document, key string) string {
	if doc.kind == kindShell {
		return s.shown(key)
	}
	return hideNamed(key)
}

// hideQuoted takes out of a message about a file of the supervisor what it quotes of the file.
func hideQuoted(k kind, text string) string {
	if k == kindProgram || k == kindSupervisor {
		return quoted().ReplaceAllString(text, `"`+hidden+`"`)
	}
	return text
}
