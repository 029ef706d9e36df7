package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scheduleSchema is the version of the schedule's file that this program writes. A newer one is refused.
const scheduleSchema = 1

// Daily is how often a schedule makes backups: the one interval that there is.
const Daily = "daily"

// Schedule says when backups of a host are made, and how.
type Schedule struct {
	Schema         int       `json:"schema"`                    // version of this format
	Every          string    `json:"every"`                     // daily
	At             string    `json:"at"`                        // local time of the day, as 02:30
	Since          time.Time `json:"since"`                     // when backups began to be scheduled
	Out            string    `json:"out"`                       // the directory
	Keep           int       `json:"keep"`                      // how many backups of the host stay in it
	PassphraseFile string    `json:"passphrase_file,omitempty"` // blank: they are encrypted to recipients
	Recipients     []string  `json:"recipients,omitempty"`      // age public keys
}

// atFormat is how a time of the day is written.
const atFormat = "15:04"

// ParseAt reads a time of the day.
func ParseAt(text string) (string, error) {
	at, err := time.Parse(atFormat, text)
	if err != nil {
		return "", fmt.Errorf("cannot use the time %q: write hours and minutes, as 02:30", text)
	}
	return at.Format(atFormat), nil
}

// Check refuses a schedule that no run can carry out.
func (s *Schedule) Check() error {
	at, err := ParseAt(s.At)
	switch {
	case s.Schema > scheduleSchema:
		return fmt.Errorf("it was written by a newer fate-installer (schema %d, this one knows %d)", s.Schema,
			scheduleSchema)
	case s.Every != Daily:
		return fmt.Errorf("it has the unknown interval %q", s.Every)
	case err != nil:
		return err
	case at != s.At:
		return fmt.Errorf("cannot use the time %q: write hours and minutes, as 02:30", s.At)
	case s.Keep < 1:
		return fmt.Errorf("cannot keep %d backups: --keep takes a number from 1", s.Keep)
	case (s.PassphraseFile == "") == (len(s.Recipients) == 0):
		return errors.New("it has to name a passphrase file or recipients, and not both")
	}
	paths := []string{s.Out}
	if s.PassphraseFile != "" {
		paths = append(paths, s.PassphraseFile)
	}
	for _, name := range paths {
		if !path.IsAbs(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("cannot use %q: it is no absolute path, or has control characters", name)
		}
	}
	return nil
}

// Arguments are the words after the program's name of the command that makes a backup of the schedule.
func (s *Schedule) Arguments() []string {
	args := []string{"backup", "create", "--scheduled", "--out", s.Out, "--keep", strconv.Itoa(s.Keep)}
	if s.PassphraseFile != "" {
		args = append(args, "--passphrase-file", s.PassphraseFile)
	}
	for _, r := range s.Recipients {
		args = append(args, "--recipient", r)
	}
	return args
}

// Period is the time between two backups.
func (s *Schedule) Period() time.Duration { return 24 * time.Hour }

// Next is when the schedule makes a backup after now, in the time zone of now.
func (s *Schedule) Next(now time.Time) time.Time {
	at, err := time.Parse(atFormat, s.At)
	if err != nil {
		return time.Time{}
	}
	next := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, now.Location())
	if !next.After(now) {
		next = time.Date(now.Year(), now.Month(), now.Day()+1, at.Hour(), at.Minute(), 0, 0, now.Location())
	}
	return next
}

// Same reports whether two schedules make the same backups at the same times.
func (s *Schedule) Same(o *Schedule) bool {
	return s.Every == o.Every && s.At == o.At && s.Out == o.Out && s.Keep == o.Keep &&
		s.PassphraseFile == o.PassphraseFile && slices.Equal(s.Recipients, o.Recipients)
}

// Encode gives the content of the schedule's file.
func (s *Schedule) Encode() ([]byte, error) {
	c := *s
	c.Schema = scheduleSchema
	if err := c.Check(); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(c, "", "  ")
	return append(data, '\n'), err
}

// DecodeSchedule reads the content of the schedule's file.
func DecodeSchedule(data []byte) (*Schedule, error) {
	var s Schedule
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	return &s, s.Check()
}

// Success is the last complete backup of a host.
type Success struct {
	Time   time.Time `json:"time"`   // when it was complete
	File   string    `json:"file"`   // its path
	Bytes  int64     `json:"bytes"`  // its size
	Digest string    `json:"digest"` // sha256 of its payload manifest
}

// Failure is the last backup of a host that was not made, or that lacks files.
type Failure struct {
	Time   time.Time `json:"time"`   // when it failed
	Reason string    `json:"reason"` // why
}

// Record is what a host knows of its backups. A field is nil for what there is not.
type Record struct {
	Schedule *Schedule
	Success  *Success
	Failure  *Failure
}

// clockGrace is how much later than now a record may be dated: a clock is put right by less each day.
const clockGrace = time.Hour

// Ahead reports whether a record was dated by a clock that was ahead. What has such a time is not known to be later
// than anything, and counts as none: it would silence every alarm until the time comes.
func Ahead(t, now time.Time) bool { return t.After(now.Add(clockGrace)) }

// LastSuccess is the last complete backup, unless its time is [Ahead].
func (r *Record) LastSuccess(now time.Time) *Success {
	if r.Success == nil || Ahead(r.Success.Time, now) {
		return nil
	}
	return r.Success
}

// Failing reports whether the last backup was not made, or lacks files.
func (r *Record) Failing(now time.Time) bool {
	last := r.LastSuccess(now)
	return r.Failure != nil &&
		(last == nil || r.Failure.Time.After(last.Time) && !Ahead(r.Failure.Time, now))
}

// Overdue reports whether backups are scheduled, and the last complete one is older than two periods.
func (r *Record) Overdue(now time.Time) bool {
	if r.Schedule == nil {
		return false
	}
	var last time.Time
	if !Ahead(r.Schedule.Since, now) {
		last = r.Schedule.Since
	}
	if s := r.LastSuccess(now); s != nil && s.Time.After(last) {
		last = s.Time
	}
	return now.Sub(last) > 2*r.Schedule.Period()
}
