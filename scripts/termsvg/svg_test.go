package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"fate-installer/installer/golden"
)

const sessions = "../../installer/testdata/sessions/"

// TestPictures holds each picture of the documents against the session that it shows: what the program prints now.
func TestPictures(t *testing.T) {
	for file, title := range map[string]string{
		"demo.en":    "a session in a terminal: a cluster file is written, a host is checked, planned and installed",
		"demo.zh":    "终端中的一次会话：生成集群文件，检查主机，给出计划并安装",
		"operate.en": "svc status and svc why in a terminal of 80 columns",
		"operate.zh": "80 列终端中的 svc status 与 svc why",
	} {
		text, err := os.ReadFile(sessions + file + ".80.txt")
		if err != nil {
			t.Fatal(err)
		}
		got := picture(visible(string(text)), 80, title)
		golden.Compare(t, "../../release/docs/"+file+".svg", got)
		decoder := xml.NewDecoder(strings.NewReader(got))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		for _, outside := range []string{"href", "url(", "@import", "<script"} {
			if strings.Contains(got, outside) {
				t.Errorf("%s has %s", file, outside)
			}
		}
	}
}

// TestRunsKeepTheirColumns: characters of two cells and colours do not move what follows.
func TestRunsKeepTheirColumns(t *testing.T) {
	runs := runsOf("状态 \x1b[32m是\x1b[0m  x <&>")
	for i, want := range []run{{"状态", "", 0, 4}, {"是", "32", 5, 2}, {"  x <&>", "", 7, 7}} {
		if i >= len(runs) || runs[i] != want {
			t.Errorf("run %d of %+v, want %+v", i, runs, want)
		}
	}
}
