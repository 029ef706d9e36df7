package job

import (
	"slices"
	"testing"
	"time"

	"fate-installer/installer/flow"
)

func TestMergeRoles(t *testing.T) {
	rows := []flow.Job{
		{ID: "2", Role: "guest", Party: "9", Status: "running", Cores: 2, CoresInUse: true,
			Started: flow.Millis{Time: time.Unix(100, 0)}},
		{ID: "2", Role: "host", Party: "9", Status: "running", Cores: 2, CoresInUse: true},
		{ID: "1", Role: "local", Party: "0", Status: "success", Cores: 4},
		{ID: "0", Role: "local", Party: "0", Status: "success"},
	}
	got := mergeRoles(rows, 2, time.Unix(160, 0))
	if len(got) != 2 || got[0].Cores != 4 || !slices.Equal(got[0].Roles, []string{"guest 9", "host 9"}) ||
		got[0].Seconds != 60 || got[1].Cores != 0 {
		t.Errorf("%+v", got)
	}
}
