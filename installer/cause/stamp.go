package cause

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// Stamp matches a time as lines of logs have it.
var Stamp = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d`)
})

// ParseStamp reads what [Stamp] matches, as the time of a zone.
func ParseStamp(stamp string, zone *time.Location) (time.Time, error) {
	return time.ParseInLocation(time.DateTime, strings.Replace(stamp, "T", " ", 1), zone)
}

// stampedPart is how much of a line its time is looked for in, in bytes.
const stampedPart = 256

// StampOf finds the time at the beginning of a line of a log; blank: it has none.
func StampOf(line string) string { return Stamp().FindString(line[:min(len(line), stampedPart)]) }
