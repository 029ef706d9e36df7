package preflight

import "time"

// backups are looked at where a schedule makes them, or one was ever made. A host without working backups still works.
func (p *preflight) backups() {
	r := p.in.Backups
	const title = "the backups that are scheduled are made"
	if p.notMeasured("backups", title, "backups") || r.Schedule == nil && !r.Failing(p.in.Now) {
		return
	}
	c := p.check("backups", title, "a complete one in the last two days")
	last := "no complete one was made yet"
	switch {
	case r.Success != nil && r.LastSuccess(p.in.Now) == nil:
		last = "the last complete one is dated " + r.Success.Time.UTC().Format(time.DateTime) + " UTC, later than now: the " +
			"clock was ahead, and that backup counts as none"
	case r.Success != nil:
		last = "the last complete one was made at " + r.Success.Time.UTC().Format(time.DateTime) + " UTC"
	}
	switch {
	case r.Failing(p.in.Now):
		c.measured("a backup failed at %s UTC: %s; %s", r.Failure.Time.UTC().Format(time.DateTime), r.Failure.Reason,
			last)
	default:
		c.measured("%s", last)
	}
	switch {
	case r.Failing(p.in.Now):
		c.warn("put the cause right; fate-installer backup create makes one now")
	case r.Overdue(p.in.Now):
		c.warn("fate-installer backup schedule says whether the schedule is in force, and journalctl -u fate-backup " +
			"what its runs wrote")
	default:
		c.ok()
	}
}
