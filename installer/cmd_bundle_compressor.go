package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/payload"
)

// Who compresses, as --compressor says it.
const (
	compressorAuto    = "auto"
	compressorBuiltIn = "built-in"
	compressorTool    = "tool"
)

// compressors are the commands that compress better than what is built in, within the limits of [payload.Compressor].
// With one thread their output depends on nothing but their version.
var compressors = map[string][]string{
	payload.CodecXZ:   {"xz", "-6", "-T1", "-c"},
	payload.CodecZstd: {"zstd", "-19", "--long=24", "--single-thread", "-q", "-c"},
}

// findCompressor returns what is to compress, nil for what is built in.
func findCompressor(ctx context.Context, codec, who string) (*payload.Compressor, error) {
	switch who {
	case compressorBuiltIn:
		return nil, nil
	case compressorAuto, compressorTool:
	default:
		return nil, exit.With(fmt.Errorf("cannot use --compressor %s: it is auto, built-in or tool", who), exit.Usage)
	}
	if who == compressorAuto && codec == payload.CodecZstd {
		return nil, nil
	}
	c, err := toolCompressor(ctx, host.ExecRunner{}, compressors[codec])
	if who == compressorAuto && errors.Is(err, host.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, exit.With(exit.Hint(fmt.Errorf("cannot compress with %s: %w", compressors[codec][0], err),
			"install it, or say --compressor built-in"), exit.Usage)
	}
	return c, nil
}

// toolVersion is the number in the first line that a tool says of itself.
var toolVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[0-9]+(\.[0-9]+)+`)
})

// toolCompressor makes a compressor of a command that compresses its standard input.
func toolCompressor(ctx context.Context, r host.Runner, args []string) (*payload.Compressor, error) {
	result, err := r.Run(ctx, host.Cmd{Args: []string{args[0], "--version"}})
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(result.Stdout), "\n")
	version := toolVersion().FindString(first)
	if version == "" {
		return nil, fmt.Errorf("it does not tell its version, but %q", first)
	}
	return &payload.Compressor{
		Name: args[0] + " " + version + " " + strings.Join(args[1:], " "),
		Compress: func(ctx context.Context, raw []byte) ([]byte, error) {
			result, err := r.Run(ctx, host.Cmd{Args: args, In: bytes.NewReader(raw)})
			return result.Stdout, err
		},
	}, nil
}
