package render

import (
	"bytes"
	"testing"

	"fate-installer/installer/fate/fatetest"
)

// TestPassEnvironment holds that the cluster file's key reaches the supervisor's configuration, and that without it the
// file has no such key.
func TestPassEnvironment(t *testing.T) {
	s := fatetest.PreflightSpec(t, "192.168.0.1")
	for _, c := range []struct {
		names []string
		want  string
	}{{nil, ""}, {[]string{"http_proxy", "TZDIR"}, "\npass_environment=http_proxy,TZDIR\n"}} {
		s.OS.PassEnvironment = c.names
		files, err := renderSupervisor(s)
		if err != nil {
			t.Fatal(err)
		}
		if c.want == "" && bytes.Contains(files[0].Content, []byte("pass_environment")) ||
			!bytes.Contains(files[0].Content, []byte(c.want)) {
			t.Errorf("with %q the file is\n%s", c.names, files[0].Content)
		}
	}
}
