package process

import (
	"os"
	"testing"
)

// TestReadUsage looks at this process, which opens files.
func TestReadUsage(t *testing.T) {
	before, err := ReadUsage(os.Getpid())
	if err != nil || before.Threads == 0 || before.Files < 3 {
		t.Fatalf("%+v %v", before, err)
	}
	for range 50 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if after, err := ReadUsage(os.Getpid()); err != nil || after.Files < before.Files+40 {
		t.Errorf("%+v, then %+v %v", before, after, err)
	}
	if u, err := ReadUsage(1 << 30); err == nil {
		t.Errorf("a process that is not there: %+v", u)
	}
}
