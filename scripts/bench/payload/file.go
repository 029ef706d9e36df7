package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"fate-installer/payload"
)

// hugeSize is that of the appliance that is opened: beyond what offsets of 32 bits reach.
const hugeSize = 4400 << 20

// measureFile takes what is done to a file without unpacking it.
func measureFile(ctx context.Context, s *set, o options) (err error) {
	huge := s.path("huge")
	if err := s.make(ctx, archive{name: "huge", make: writeHuge}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(huge)) }() // it is made in a minute, and large
	fmt.Printf("Without unpacking\n\n| | |\n|---|---|\n")
	opened, err := timeOpen(huge)
	if err != nil {
		return err
	}
	fmt.Printf("| open an appliance of %d MB, its index included | %.1f ms |\n", hugeSize>>20, opened)
	none := func() string { return "" }
	keep := func(string) error { return nil }
	quick := o
	quick.rounds = 4 * o.rounds
	starts := []subject{
		{"version of the bare program", "", false, func(string) []string { return []string{s.program, "version"} }},
		{"version of the same with 4 GB behind it", "", false,
			func(string) []string { return []string{huge, "version"} }},
		{"inspect of the same", "", false,
			func(string) []string { return []string{huge, "bundle", "inspect", "-o", "json"} }},
	}
	samples, err := rounds(ctx, starts, quick, none, keep)
	if err != nil {
		return err
	}
	for i, subject := range starts {
		fmt.Printf("| %s | %.1f ms |\n", subject.name, 1000*seconds(samples[i]))
	}
	checks := []subject{
		{"sha256sum", appliance, false, func(string) []string { return []string{"sha256sum", s.path(appliance)} }},
		{"verify", appliance, false, func(string) []string {
			return []string{s.program, "bundle", "verify",
				s.path(appliance)}
		}},
	}
	if samples, err = rounds(ctx, checks, o, none, keep); err != nil {
		return err
	}
	fmt.Printf("| sha256sum of the appliance, verify = 1 | %s |\n\n", spread(ratios(samples[0], samples[1], wallTime)))
	return nil
}

// timeOpen is the median time to open an appliance, in milliseconds.
func timeOpen(path string) (float64, error) {
	var times []float64
	for range 21 {
		began := time.Now()
		p, err := payload.Open(path)
		if err != nil {
			return 0, err
		}
		times = append(times, 1000*time.Since(began).Seconds())
		if err := p.Close(); err != nil {
			return 0, err
		}
	}
	return median(times), nil
}

// writeHuge makes an appliance of noise behind the program.
func writeHuge(ctx context.Context, s *set, out string) (err error) {
	if err := needRoom(filepath.Dir(out), hugeSize); err != nil {
		return err
	}
	stub, err := os.Open(s.program)
	if err != nil {
		return err
	}
	defer stub.Close()
	f, err := os.OpenFile(out, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w, err := payload.NewWriter(f, stub, payload.WriterOptions{Level: 1,
		Release: payload.Release{FATE: "0-bench", Platform: "linux/" + runtime.GOARCH}})
	if err != nil {
		return err
	}
	r, stream := io.Pipe()
	go func() { stream.CloseWithError(writeNoise(stream)) }()
	if err := w.AddComponent(ctx, payload.Component{Name: "noise", Version: "1"}, r); err != nil {
		r.CloseWithError(err)
		return err
	}
	_, err = w.Close()
	return err
}

// writeNoise writes a tar stream of hugeSize bytes that do not compress.
func writeNoise(out io.Writer) error {
	const files = 100
	w := tar.NewWriter(out)
	noise := rand.NewChaCha8([32]byte{})
	for i := range files {
		h := &tar.Header{Name: fmt.Sprint(i), Mode: 0o644, Size: hugeSize / files}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.CopyN(w, noise, h.Size); err != nil {
			return err
		}
	}
	return w.Close()
}

// measureSizes compares the appliance, less its program, with other archives of the tree.
func measureSizes(_ context.Context, s *set, _ options) error {
	ours, encoder, err := s.payloadSize(appliance)
	if err != nil {
		return err
	}
	fmt.Printf("Size, without the program\n\n| | MB | ours is |\n|---|---|---|\n| ours, %s | %d | |\n",
		encoder, ours/1e6)
	for _, a := range archives {
		if a.what == "" || !s.has(a.name) {
			continue
		}
		info, err := os.Stat(s.path(a.name))
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d | %+.1f %% |\n", a.what, info.Size()/1e6, 100*(float64(ours)/float64(info.Size())-1))
	}
	if !s.xz {
		return nil
	}
	size, encoder, err := s.payloadSize(applianceXZ)
	if err == nil {
		fmt.Printf("| ours, %s | %d | %+.1f %% |\n", encoder, size/1e6, 100*(float64(ours)/float64(size)-1))
	}
	return err
}

// payloadSize is the size of an appliance without its program, and what compressed it.
func (s *set) payloadSize(name string) (size int64, encoder string, err error) {
	p, err := payload.Open(s.path(name))
	if err != nil {
		return 0, "", err
	}
	defer p.Close()
	c := p.Manifest().Components[0]
	if encoder = c.Encoder; encoder == "" {
		encoder = "built-in " + c.Codec
	}
	return p.Size() - p.Manifest().Stub.Size, encoder, nil
}
