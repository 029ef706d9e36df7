package main

import (
	"bytes"
	"strings"
	"testing"

	"fate-installer/installer/language"
)

// TestValuesAreVerbatim: in Chinese, names, values and lines of logs are as they are: they are copied, and searched
// for.
func TestValuesAreVerbatim(t *testing.T) {
	var out bytes.Buffer
	g := &globals{Stdout: &out, language: language.Of(language.Chinese)}
	table := g.newTable("KEY", "VALUE", "WHY")
	table.row("enable", "true", "ready")
	table.row("failed", "yes", "ready")
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "true") || !strings.Contains(text, "yes") ||
		!strings.Contains(text, "failed") || strings.Count(text, "就绪") != 2 {
		t.Errorf("the table is\n%s", text)
	}
	const log = "  | mkdir /data/x: permission denied\n  | failed: a"
	got := g.withoutLogs("permission denied\n" + log + "\npermission denied")
	if want := "权限不足\n" + log + "\n权限不足"; got != want {
		t.Errorf("an error with lines of a log is\n%s\nwant\n%s", got, want)
	}
}
