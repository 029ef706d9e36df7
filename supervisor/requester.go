package supervisor

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"fate-installer/supervisor/account"
	"fate-installer/supervisor/logfile"
)

// Requester is who asked for something.
type Requester struct {
	UID     int    `json:"uid"`               // user ID; -1: not known, as over TCP
	User    string `json:"user,omitempty"`    // name of the user
	Login   string `json:"login,omitempty"`   // the user who logged in, when that is another one
	PID     int    `json:"pid,omitempty"`     // of the process
	Command string `json:"command,omitempty"` // without secrets
}

// RequesterOf describes the user of a process, without its command line. With a pid of zero or less, which is of
// another pid namespace, it is not known who logged in.
func RequesterOf(uid, pid int) Requester {
	r := Requester{UID: uid, User: account.Name(uid), PID: pid}
	if pid <= 0 {
		return r
	}
	if login, ok := loginUID(pid); ok && login != uid {
		r.Login = account.Name(login)
	}
	return r
}

// noLogin is the kernel's loginuid of a process that no login has started.
const noLogin = 1<<32 - 1

// loginUID reads who logged in to start the process, which su and sudo leave as it is.
func loginUID(pid int) (int, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/loginuid", pid))
	if err != nil {
		return 0, false
	}
	uid, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	return int(uid), err == nil && uid != noLogin
}

// String names the requester for a person.
func (r *Requester) String() string {
	text := r.Who()
	if r.Command != "" {
		text += ": " + r.Command
	}
	return text
}

// Who names the user alone.
func (r *Requester) Who() string {
	switch {
	case r.UID < 0 && r.User == "":
		return "a client over TCP"
	case r.Login != "":
		return r.User + " (logged in as " + r.Login + ")"
	}
	return r.User
}

// Asked is the last request that concerned a program.
type Asked struct {
	For string    `json:"for"` // stop, restart or update
	At  time.Time `json:"at"`  // when it was requested
	By  Requester `json:"by"`  // who requested it
}

type requesterKey struct{}

// WithRequester notes in a context who asks for what is called with it.
func WithRequester(ctx context.Context, r Requester) context.Context {
	return context.WithValue(ctx, requesterKey{}, r)
}

// asked makes the note of a request for those it concerns; nil when it is not known who asks.
func asked(ctx context.Context, what string) *Asked {
	if r, ok := ctx.Value(requesterKey{}).(Requester); ok {
		return &Asked{For: what, At: time.Now(), By: r}
	}
	return nil
}

// maxCommandText bounds what is kept of a command line, in bytes.
const maxCommandText = 1000

// secretFlag is a flag whose value is a secret: -p of supervisorctl and mysql, and every long flag that says so.
var secretFlag = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`(?i)^(-p|--?[a-z0-9-]*(password|passwd|passphrase|secret|token|app-key)[a-z0-9-]*)$`)
})

// secretWord is a word that carries its secret itself: --password=x, NAME_PASSWORD=x, or user:x@host of an address.
var secretWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`(?i)^([a-z0-9_-]*(?:password|passwd|passphrase|secret|token|app-key)[a-z0-9_-]*=)|(//[^/@\s:]*:)[^/@\s]+@`)
})

// CommandText joins the words of a command line for a record: without the values of secrets, in one line of at most
// 1000 bytes.
func CommandText(words []string) string {
	out := make([]string, 0, len(words))
	for _, w := range WithoutSecrets(words) {
		if w == "" || strings.ContainsAny(w, " \t\n'\"") {
			w = ShellWord(w)
		}
		out = append(out, logfile.Printable(strings.ReplaceAll(w, "\n", " ")))
	}
	text := strings.Join(out, " ")
	if len(text) > maxCommandText {
		text = strings.ToValidUTF8(text[:maxCommandText], "") + "..."
	}
	return text
}

// WithoutSecrets returns the words of a command line with [redacted] in place of the values of secrets.
func WithoutSecrets(words []string) []string {
	out := make([]string, 0, len(words))
	hide := false
	for _, w := range words {
		switch {
		case hide:
			w = "[redacted]"
		case secretWord().MatchString(w):
			if key, _, ok := strings.Cut(w, "="); ok && secretWord().MatchString(key+"=") {
				w = key + "=[redacted]"
			} else {
				w = secretWord().ReplaceAllString(w, "${2}[redacted]@")
			}
		case len(w) > 2 && strings.HasPrefix(w, "-p") && w[2] != '-' && !strings.Contains(w, "="):
			w = "-p[redacted]" // as mysql takes it
		}
		hide = !hide && secretFlag().MatchString(w)
		out = append(out, w)
	}
	return out
}
