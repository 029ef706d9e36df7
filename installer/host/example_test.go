package host_test

import (
	"fmt"
	"log"
	"os"

	"fate-installer/installer/host"
)

// A directory stands for a machine: paths are absolute and stay inside it, and no command is run.
func Example() {
	root, err := os.MkdirTemp("", "host")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(root)
	h, err := host.New(root, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()

	if err := h.MkdirAll("/etc", host.FileMode{}); err != nil {
		log.Fatal(err)
	}
	// The file has either its old or its new content, also after a power cut.
	if err := h.WriteFile("/etc/motd", []byte("welcome\n"), host.FileMode{Perm: 0o600}); err != nil {
		log.Fatal(err)
	}
	// An absolute link starts again at the root of the tree, as on the machine itself.
	if err := h.Symlink("/etc/motd", "/motd"); err != nil {
		log.Fatal(err)
	}
	text, err := h.ReadFile("/motd")
	if err != nil {
		log.Fatal(err)
	}
	info, err := h.Stat("/motd")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s%v\nruns commands: %t\n", text, info.Mode(), h.Live())
	// Output:
	// welcome
	// -rw-------
	// runs commands: false
}
