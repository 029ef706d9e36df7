package flow

import (
	"regexp"
	"strings"
	"sync"
)

// Refusal is the answer of a party that refused something: to create a job there, or a command.
type Refusal struct {
	Role, Party string // blank: FATE-Flow itself, not a party
	Retcode     string // the party's; blank when FATE-Flow gave none
	Reason      string // one line
}

func (r Refusal) String() string {
	if r.Party == "" {
		return r.Reason
	}
	text := r.Role + " " + r.Party
	if r.Retcode != "" {
		text += " answers with retcode " + r.Retcode
	}
	return text + ": " + r.Reason
}

var (
	// partyAnswer is one party's answer in the Python dictionary that FATE-Flow prints into a refused submission
	// (dag_scheduler.py, "create job failed"). The retcode is a number, or an enumeration as Python prints it.
	partyAnswer = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`'retcode': (?:<RetCode\.[A-Z_]+: )?(\d+)>?, 'retmsg': `)
	})
	partyName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`[{ ]'?(\d+)'?: \{`)
	})
	roleName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`'(guest|host|arbiter|local)': \{`)
	})

	// exceptionLine is the last line of a Python traceback: the exception's class and what it says.
	exceptionLine = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Expired|` +
			`Loss|Failure)\b`)
	})
	// rpcDetails matches the error text of the other end of a gRPC call.
	rpcDetails = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`details = "([^"\n]*)`)
	})
	// siteError is rollsite's own word for what it could not do, which it wraps into the answer.
	siteError = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`location msg=(.*)`)
	})
	// javaCause is the innermost of a chain of Java exceptions.
	javaCause = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\s*Caused by: (.*)`)
	})
)

// reasonLength bounds a reason, in bytes: five lines of a terminal.
const reasonLength = 400

// Explain finds in what FATE-Flow prints about a refusal, which can be kilobytes of tracebacks quoted in each other,
// who refused, and the one line that says why.
func Explain(message string) Refusal {
	for _, at := range partyAnswer().FindAllStringSubmatchIndex(message, -1) {
		code := message[at[2]:at[3]]
		if code == "0" {
			continue
		}
		before := message[:at[0]]
		return Refusal{
			Role: lastOf(roleName(), before), Party: lastOf(partyName(), before), Retcode: code,
			Reason: Reason(quoted(message[at[1]:])),
		}
	}
	return Refusal{Reason: Reason(message)}
}

// Reason finds the line of a traceback, or of several quoted in each other, that says what was wrong.
func Reason(text string) string {
	lines := strings.Split(Unescape(text), "\n")
	exception, details, last, cause := "", "", "", ""
	for _, line := range lines {
		trimmed := strings.TrimSpace(line)
		if m := siteError().FindStringSubmatch(trimmed); m != nil {
			return shorten(m[1])
		}
		if m := javaCause().FindStringSubmatch(line); m != nil {
			cause = m[1]
		}
		if m := rpcDetails().FindStringSubmatch(line); m != nil {
			details = m[1]
		}
		if exceptionLine().MatchString(trimmed) {
			exception = trimmed
		}
		if trimmed != "" && !strings.HasPrefix(trimmed, "at ") {
			last = trimmed
		}
	}
	switch {
	case cause != "":
		return shorten(cause)
	case details != "" && (exception == "" || strings.Contains(exception, "of RPC that terminated with")):
		return shorten(details)
	case exception != "":
		return shorten(exception)
	}
	return shorten(last)
}

// quoted returns what a Python string literal at the start of s holds, escapes left alone. Without a quote it is s.
func quoted(s string) string {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return s
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return s[1:i]
		}
	}
	return s[1:]
}

// Unescape undoes the escapes of strings that were quoted in strings, as often as it was done.
func Unescape(s string) string {
	const deepest = 6
	escapes := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "", `\'`, "'", `\"`, `"`)
	for range deepest {
		next := escapes.Replace(s)
		if next == s {
			break
		}
		s = next
	}
	return s
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > reasonLength {
		return strings.ToValidUTF8(s[:reasonLength], "") + "..."
	}
	return s
}

func lastOf(pattern *regexp.Regexp, s string) string {
	found := pattern.FindAllStringSubmatch(s, -1)
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1][1]
}
