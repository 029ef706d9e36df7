package preflight

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fate-installer/installer/backup"
	"fate-installer/installer/fate/fatetest"
)

func TestBackups(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	scheduled := &backup.Schedule{Every: backup.Daily, At: "02:30", Since: ago(30)}
	for name, tt := range map[string]struct {
		record   backup.Record
		unknown  string
		want     Status
		measured string
	}{
		"none":    {backup.Record{}, "", "", ""},
		"by hand": {backup.Record{Success: &backup.Success{Time: ago(90)}}, "", "", ""},
		"made": {backup.Record{Schedule: scheduled, Success: &backup.Success{Time: ago(1)}}, "", StatusOK,
			"2026-11-29"},
		"old": {backup.Record{Schedule: scheduled, Success: &backup.Success{Time: ago(3)}}, "", StatusWarning,
			"2026-11-27"},
		"never": {backup.Record{Schedule: scheduled}, "", StatusWarning, "no complete one"},
		"failed": {backup.Record{Failure: &backup.Failure{Time: ago(1), Reason: "no room"}}, "", StatusWarning,
			"no room"},
		"later than now": {backup.Record{Schedule: scheduled, Success: &backup.Success{Time: ago(-3000)}}, "",
			StatusWarning, "later than now"},
		"not read": {backup.Record{}, "permission denied", StatusSkipped, "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			f := goodFacts(s)
			if tt.unknown != "" {
				f.Unknown["backups"] = tt.unknown
			}
			results := Run(s, f, Input{Backups: tt.record, Now: now})
			i := slices.IndexFunc(results, func(r CheckResult) bool { return r.ID == "backups" })
			if tt.want == "" {
				if i >= 0 {
					t.Errorf("%+v", results[i])
				}
				return
			}
			if i < 0 || results[i].Status != tt.want || !strings.Contains(results[i].Measured, tt.measured) ||
				results[i].Bad() != (results[i].Remedy != "") {
				t.Errorf("%d: %+v", i, results)
			}
		})
	}
}
