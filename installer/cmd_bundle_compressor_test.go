package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"fate-installer/installer/host"
	"fate-installer/payload"
)

// fakeTool answers for a compressor.
type fakeTool struct {
	version string
	err     error
	ran     []host.Cmd
}

func (f *fakeTool) Run(_ context.Context, c host.Cmd) (host.Result, error) {
	f.ran = append(f.ran, c)
	if slices.Contains(c.Args, "--version") {
		return host.Result{Stdout: []byte(f.version)}, f.err
	}
	raw, err := io.ReadAll(c.In)
	return host.Result{Stdout: append([]byte("packed "), raw...)}, err
}

func TestToolCompressor(t *testing.T) {
	for _, test := range []struct{ says, want string }{
		{"xz (XZ Utils) 5.4.1\nliblzma 5.4.1\n", "xz 5.4.1 -6 -T1 -c"},
		{"*** Zstandard CLI (64-bit) v1.5.4, by Yann Collet ***\n", "xz 1.5.4 -6 -T1 -c"},
	} {
		tool := &fakeTool{version: test.says}
		c, err := toolCompressor(t.Context(), tool, compressors[payload.CodecXZ])
		if err != nil || c.Name != test.want {
			t.Fatalf("compressor %+v, %v, want %q", c, err, test.want)
		}
		got, err := c.Compress(t.Context(), []byte("raw"))
		if err != nil || !bytes.Equal(got, []byte("packed raw")) {
			t.Errorf("it gave %q, %v", got, err)
		}
		if last := tool.ran[len(tool.ran)-1]; !slices.Equal(last.Args, compressors[payload.CodecXZ]) {
			t.Errorf("it ran %q", last.Args)
		}
	}
	if _, err := toolCompressor(t.Context(), &fakeTool{version: "unknown option\n"},
		compressors[payload.CodecXZ]); err == nil {
		t.Error("a tool without a version was taken")
	}
	if _, err := toolCompressor(t.Context(), &fakeTool{err: host.ErrNotFound},
		compressors[payload.CodecXZ]); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("a tool that is not there: error %v", err)
	}
}

func TestFindCompressor(t *testing.T) {
	for _, test := range []struct{ codec, who string }{
		{payload.CodecZstd, compressorAuto}, {payload.CodecZstd, compressorBuiltIn},
		{payload.CodecXZ, compressorBuiltIn},
	} {
		if c, err := findCompressor(t.Context(), test.codec, test.who); c != nil || err != nil {
			t.Errorf("%s, %s: %+v, %v, want the built-in encoder", test.codec, test.who, c, err)
		}
	}
	if _, err := findCompressor(t.Context(), payload.CodecZstd, "pigz"); err == nil {
		t.Error("pigz was taken")
	}
}
