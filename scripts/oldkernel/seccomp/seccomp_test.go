package seccomp

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// The test binary executes itself under the filter, and then says whether it is on.
func TestMain(m *testing.M) {
	switch os.Getenv("SECCOMP_TEST") {
	case "exec":
		os.Setenv("SECCOMP_TEST", "check")
		fmt.Println(Exec([]string{os.Args[0]}))
		os.Exit(1)
	case "check":
		if err := Check(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestExec(t *testing.T) {
	if !Supported() {
		t.Skip("the system calls of Linux 3.10 are known for amd64 only")
	}
	for step, want := range map[string]bool{"exec": true, "check": false} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SECCOMP_TEST="+step)
		if out, err := cmd.CombinedOutput(); (err == nil) != want {
			t.Errorf("%s: %v\n%s", step, err, out)
		}
	}
}
