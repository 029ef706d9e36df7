package host

import (
	"testing"
	"time"
)

func TestParseKernelRecord(t *testing.T) {
	boot := time.Unix(1000, 0)
	for record, want := range map[string]string{
		"4,1234,5000000,-;Out of memory: Killed process 77 (python) total-vm:1kB\n SUBSYSTEM=x\n": "Out of memory: Killed process 77 (python) total-vm:1kB",
		"6,1,0,-,caller=T1;text with; semicolon\n":                                                "text with; semicolon",
		"":            "",
		"no record":   "",
		"1,2,3;x":     "",
		"1,2,-3,-;x":  "",
		"1,2,soon,-;": "",
	} {
		m, ok := parseKernelRecord(record, boot)
		if ok != (want != "") || m.Text != want {
			t.Errorf("%q is %q, %v; want %q", record, m.Text, ok, want)
		}
	}
	if m, _ := parseKernelRecord("4,1,5000000,-;x", boot); !m.Time.Equal(time.Unix(1005, 0)) {
		t.Errorf("time %v", m.Time)
	}
}

func FuzzParseKernelRecord(f *testing.F) {
	f.Add("4,1234,5000000,-;Out of memory\n")
	f.Fuzz(func(t *testing.T, record string) {
		if m, ok := parseKernelRecord(record, time.Unix(0, 0)); !ok && (m.Text != "" || !m.Time.IsZero()) {
			t.Errorf("%q gives %+v", record, m)
		}
	})
}

func TestSpace(t *testing.T) {
	h, err := New("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := h.Space(t.TempDir()); err != nil || s.Size == 0 || s.Free > s.Size {
		t.Errorf("%+v, %v", s, err)
	}
}
