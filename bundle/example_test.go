package bundle_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"fate-installer/bundle"
	"fate-installer/payload"
)

// A lock file is completed with the digests of its sources, and an appliance is built from it.
func Example() {
	dir, err := os.MkdirTemp("", "bundle")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
		return file
	}
	write("tools/bin/hello", "#!/bin/sh\necho hello\n")
	lockFile := write("demo.lock.yaml", `schema: 1
release: {fate: 1.11.4, platform: linux/amd64}
components:
  - name: tools
    version: "1.0"
    platform: any
    sources:
      - path: tools
`)
	ctx := context.Background()
	filled, err := bundle.Fill(ctx, bundle.FillOptions{File: lockFile})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range filled.Filled {
		fmt.Println("locked", f.Component, f.Source)
	}

	lock, err := bundle.ReadLock(lockFile)
	if err != nil {
		log.Fatal(err)
	}
	out := filepath.Join(dir, "appliance")
	stub := write("program", smallestProgram)
	if _, err := bundle.Build(ctx, bundle.BuildOptions{Lock: lock, Out: out, Stub: stub, Level: 1}); err != nil {
		log.Fatal(err)
	}
	p, err := payload.Open(out)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	for _, c := range p.Manifest().Components {
		fmt.Println("built", c.Name, c.Version, "with", c.Files, "file")
	}
	// Output:
	// locked tools tools
	// built tools 1.0 with 1 file
}

// smallestProgram is the head of a program for linux/amd64: the real one is fate-installer itself.
const smallestProgram = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00" + // 64 bits, little-endian
	"\x02\x00\x3e\x00\x01\x00\x00\x00" + // executable, x86-64
	"\x00\x00\x00\x00\x00\x00\x00\x00" + // entry
	"\x40\x00\x00\x00\x00\x00\x00\x00" + // program headers follow
	"\x00\x00\x00\x00\x00\x00\x00\x00" + // no sections
	"\x00\x00\x00\x00\x40\x00\x38\x00\x01\x00\x00\x00\x00\x00\x00\x00" + // one program header
	"\x01\x00\x00\x00\x04\x00\x00\x00" + // it is loaded, readable
	"\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x78\x00\x00\x00\x00\x00\x00\x00" + "\x78\x00\x00\x00\x00\x00\x00\x00" + "\x00\x10\x00\x00\x00\x00\x00\x00"
