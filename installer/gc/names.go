package gc

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// asidePrefix begins the name of what is being removed.
const asidePrefix = ".fate-gc-"

var (
	jobID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{20,23}$`) })

	// a session of eggroll: job, component, version, role and party, and for storage a suffix
	session = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^([0-9]{20,23})_[0-9A-Za-z_-]{1,120}_[0-9]{1,6}_(guest|host|arbiter|local)_` +
			`[0-9]{1,10}(_[0-9A-Za-z_-]{1,120})?$`)
	})

	// role, party, and the model's id, as in guest#9999#guest-9999#host-10000#model
	partyModel = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(guest|host|arbiter|local)#[0-9]{1,10}#[0-9A-Za-z_#-]{1,200}$`)
	})

	modelVersion = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_.-]{0,99}$`)
	})

	// a log that was rotated: by the supervisor, with a number; by others, with a date
	rotated = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_.-]{0,200}(\.[0-9]{1,3}(\.gz)?|` +
			`[._-]20[0-9]{2}-[0-9]{2}-[0-9]{2}[0-9_.-]*(\.log|\.out|\.err)?(\.gz)?)$`)
	})

	// directories of stores of eggroll, and of logs
	plainName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_.-]{0,100}$`)
	})

	logOf = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\.(log|out|err)\b`) })

	historyOutput = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d{8}-\d{6}-[0-9a-f]{6}$`) })
	historyLog    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^log\.[0-9]$`) })
)

// isJob reports whether a name is a job's id: the time of its submission, and a counter.
func isJob(name string) bool {
	if !jobID().MatchString(name) {
		return false
	}
	_, err := time.Parse("20060102150405", name[:14])
	return err == nil
}

// sessionJob is the job that a session of eggroll is of; blank: the name is none of a session.
func sessionJob(name string) string {
	m := session().FindStringSubmatch(name)
	if m == nil || !isJob(m[1]) {
		return ""
	}
	return m[1]
}

// longestName is the longest name of a file, in bytes.
const longestName = 255

// aside is the name that a directory gets before it is removed; its own when there is no room for another.
func aside(name string) string {
	if len(asidePrefix)+len(name) > longestName {
		return name
	}
	return asidePrefix + name
}

// begun is the name of what a run that was killed has renamed, or blank.
func begun(name string) string {
	original, ok := strings.CutPrefix(name, asidePrefix)
	if !ok {
		return ""
	}
	return original
}

// isRotated reports whether a name is that of a log that no program writes any more.
func isRotated(name string) bool { return rotated().MatchString(name) && logOf().MatchString(name) }
