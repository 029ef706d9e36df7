package payload_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"fate-installer/payload"
)

func Example() {
	p, err := payload.Open("testdata/appliance.golden")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	for _, c := range p.Manifest().Components {
		fmt.Printf("%s %s: %d files, %d bytes in %d frames\n", c.Name, c.Version, c.Files, c.Size, len(c.Frames))
	}
	report, err := p.Verify(context.Background(), payload.VerifyOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("all %d bytes are as they were written\n", report.Size)

	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	err = p.Extract(context.Background(), "tree", filepath.Join(dir, "tree"), payload.ExtractOptions{UID: -1, GID: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	script, err := os.ReadFile(filepath.Join(dir, "tree", "bin", "run"))
	fmt.Printf("%s%v\n", script, err)
	// Output:
	// tree 1.0: 2 files, 200010 bytes in 4 frames
	// all 7581 bytes are as they were written
	// #!/bin/sh
	// <nil>
}
