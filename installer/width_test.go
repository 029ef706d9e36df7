package main

import (
	"bytes"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	mostColumns   = 120 // of a line of Go, with tabs four wide
	mostFileLines = 400 // of a file
)

// TestWidth holds lines to 120 columns and files to 400 lines. A literal and a drawing in a comment may be wider: a
// pattern, a line of a log or a script is easier to find and to read whole.
func TestWidth(t *testing.T) {
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(file) != ".go" {
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(file, "../")
		if n := bytes.Count(source, []byte("\n")); n > mostFileLines {
			t.Errorf("%s has %d lines, more than %d", name, n, mostFileLines)
		}
		for _, line := range tooWide(source) {
			t.Errorf("%s:%d is wider than %d columns", name, line, mostColumns)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tooWide returns the numbers of the lines that end beyond the last column, where no literal or drawing does.
func tooWide(source []byte) (lines []int) {
	may := wideParts(source)
	start := 0
	for n, line := range bytes.Split(source, []byte("\n")) {
		if at := columnAt(line, mostColumns); at < len(line) && !may[start+at] {
			lines = append(lines, n+1)
		}
		start += len(line) + 1
	}
	return lines
}

// columnAt returns the offset in line of the first byte beyond that many columns, or the line's length.
func columnAt(line []byte, columns int) int {
	for at, width := 0, 0; at < len(line); {
		_, size := utf8.DecodeRune(line[at:])
		width++
		if line[at] == '\t' {
			width += 3
		}
		if width > columns {
			return at
		}
		at += size
	}
	return len(line)
}

// wideParts marks the bytes of literals, with the punctuation after them, and of comments with a drawing or a
// directive.
func wideParts(source []byte) map[int]bool {
	marked := map[int]bool{}
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	for {
		pos, kind, text := s.Scan()
		if kind == token.EOF {
			return marked
		}
		drawing := strings.HasPrefix(text, "//\t") || strings.HasPrefix(text, "//  ") || strings.HasPrefix(text, "//go:")
		if kind != token.STRING && (kind != token.COMMENT || !drawing) {
			continue
		}
		from := file.Offset(pos)
		to := from + len(text)
		for to < len(source) && strings.IndexByte("`\"),}]; {:", source[to]) >= 0 {
			to++
		}
		for at := from; at < to; at++ {
			marked[at] = true
		}
	}
}
