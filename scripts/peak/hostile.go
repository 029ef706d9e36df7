package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// hostileSize is the length of most inputs, in bytes: enough that a hundred times as much memory is noticed.
const hostileSize = 256 << 10

// repeated are the parts of inputs: openings that are never closed, separators, and what languages expand.
var repeated = []string{
	"[", "{", "(", "<a>", `{"a":`, `[[1],`, "- ", "a: ", "? ", "&a ", "*a ", "\n", "\x00", "\xff", "a=", "a,", `"`, `\`,
	"%(here)s", "${a}", "'",
	" ", "9", "a\n", "a=b\n", "[a]\n", "a: 1\n", "<value><array><data>", "<value><struct><member><name>a</name>",
	"&#x41;", "/", "../", "!!str ", "\\u0041",
	"-- ", "/*", ";", "`", "0x", "1e9", "{{",
}

// magics begin files of a kind; what follows is nonsense.
var magics = []string{
	"\x7fELF\x02\x01\x01", "PK\x03\x04", "PK\x01\x02", "PK\x05\x06", "!<arch>\n", "\x1f\x8b\x08\x00", "(\xb5/\xfd",
	"\xfd7zXZ\x00",
	"glibc-ld.so.cache1.1", "ld.so-1.7.0\x00", "#!/bin/sh\n", "FATE",
}

// hostile makes the inputs, one at a time: the memory that this process has counts for those it starts.
func hostile(yield func(input string) bool) {
	for _, r := range repeated {
		if !yield(strings.Repeat(r, hostileSize/len(r))) {
			return
		}
	}
	for _, m := range magics {
		for _, rest := range []string{"\xff", "\x00", "\x7f\xff\xff\xff"} {
			if !yield(m + strings.Repeat(rest, (64<<10)/len(rest))) {
				return
			}
		}
	}
	for _, f := range []func() string{distinctKeys, aliases, entities, calls, hugeTar, gzipped, zstandard} {
		if !yield(f()) {
			return
		}
	}
}

// distinctKeys is a flat mapping, in a form that YAML, ini files and properties share.
func distinctKeys() string {
	var b strings.Builder
	for i := 0; b.Len() < hostileSize; i++ {
		fmt.Fprintf(&b, "k%d: %d\n", i, i)
	}
	return b.String()
}

// aliases is YAML that is exponentially larger than its text.
func aliases() string {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 30; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9),
			", "))
	}
	return text
}

// entities is the same for XML.
func entities() string {
	text := "<?xml version=\"1.0\"?>\n<!DOCTYPE x [\n<!ENTITY e0 \"xxxxxxxxxx\">\n"
	for i := 1; i < 30; i++ {
		text += fmt.Sprintf("<!ENTITY e%d \"%s\">\n", i, strings.Repeat(fmt.Sprintf("&e%d;", i-1), 10))
	}
	return text + "]>\n<methodCall><methodName>&e29;</methodName></methodCall>"
}

// calls is an XML-RPC call of many calls.
func calls() string {
	const one = "<value><struct><member><name>methodName</name><value>supervisor.readLog</value></member></struct></value>"
	return "<?xml version=\"1.0\"?><methodCall><methodName>system.multicall</methodName><params><param><value><array><data>" +
		strings.Repeat(one, hostileSize/len(one)) + "</data></array></value></param></params></methodCall>"
}

// hugeTar is a tar with a file of the largest size that its header can say, and a long name before it.
func hugeTar() string {
	header := func(name, size string, kind byte) string {
		h := make([]byte, 512)
		copy(h, name)
		copy(h[100:], "0000644\x000000000\x000000000\x00")
		copy(h[124:], size+"\x0000000000000\x00        ")
		h[156] = kind
		copy(h[257:], "ustar\x0000")
		sum := 0
		for _, b := range h {
			sum += int(b)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		return string(h)
	}
	return header("././@LongLink", "77777777777", 'L') + strings.Repeat("a", hostileSize) +
		header("f", "77777777777", '0')
}

// gzipped is 64 MiB of zeros.
func gzipped() string {
	var b bytes.Buffer
	writeZeros(gzip.NewWriter(&b))
	return b.String()
}

// zstandard is the same in another format.
func zstandard() string {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err) // the options are constant
	}
	writeZeros(z)
	return b.String()
}

func writeZeros(w io.WriteCloser) {
	zeros := make([]byte, 64<<10)
	for range 1 << 10 {
		if _, err := w.Write(zeros); err != nil {
			panic(err) // a buffer takes everything
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
}
