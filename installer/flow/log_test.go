package flow

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
)

// logArchive packs one log of a job.
func logArchive(t *testing.T, text string) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	header := &tar.Header{Name: "guest/1/ERROR.log", Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}
	if err := archive.WriteHeader(header); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	archive.Close()
	zipped.Close()
	return &out
}

// TestLongLinesOfALog are cut: they hide no other line, and an archive of them does not fill the memory.
func TestLongLinesOfALog(t *testing.T) {
	all := func(string) bool { return true }
	long := strings.Repeat("x", 2<<20)
	lines, err := scanLogs(logArchive(t, "first\n"+long+"\r\nlast, without an end"), all, all)
	if err != nil || len(lines) != 3 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if lines[0].Text != "first" || lines[2].Text != "last, without an end" || lines[1].Text != long[:longestLogLine] {
		t.Errorf("the lines have %d, %d and %d bytes", len(lines[0].Text), len(lines[1].Text), len(lines[2].Text))
	}
	lines, err = scanLogs(logArchive(t, strings.Repeat(long[:longestLogLine]+"\n", 1000)), all, all)
	size := 0
	for _, l := range lines {
		size += len(l.Text)
	}
	if err != nil || size < mostLogBytes || size > mostLogBytes+longestLogLine {
		t.Errorf("%d bytes are kept, %v", size, err)
	}
}
