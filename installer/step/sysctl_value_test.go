package step

import "testing"

func TestSatisfied(t *testing.T) {
	for _, c := range []struct {
		value SysctlValue
		now   string
		want  bool
	}{
		{SysctlValue{Value: "60"}, "60", true},
		{SysctlValue{Value: "60"}, "30", false},
		{SysctlValue{Value: "60", AtMost: true}, "30", true},
		{SysctlValue{Value: "60", AtMost: true}, "60", true},
		{SysctlValue{Value: "60", AtMost: true}, "7200", false},
		{SysctlValue{Value: "60", AtMost: true}, "", false},
		{SysctlValue{Value: "60", AtLeast: true}, "7200", true},
		{SysctlValue{Value: "60", AtLeast: true}, "59", false},
		{SysctlValue{Value: "1000 60000"}, "1000\t60000", true},
	} {
		if got := c.value.satisfied(c.now); got != c.want {
			t.Errorf("%+v with %q: %t", c.value, c.now, got)
		}
	}
}
