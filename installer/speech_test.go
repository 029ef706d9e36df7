package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"fate-installer/installer/exit"
	"fate-installer/installer/golden"
	"fate-installer/installer/language"
	"fate-installer/installer/output"
	"fate-installer/installer/output/outputtest"

	"github.com/spf13/cobra"
)

// listener collects what was said in English although Chinese was asked for.
type listener struct {
	mu     sync.Mutex
	missed []string
}

// foreign is English that stays: names, lines of files, commands, and texts that only tests have.
var foreign = regexp.MustCompile(`^(` + strings.Join([]string{
	`\[.*\]`, `in /etc/security/limits.d/.*`, `app (soft|hard) n(ofile|proc) 65535`, `(fate-installer )?svc [a-z]+`,
	`source <\(.*`, `fate-installer completion .*`, `a trial`, `.*GiB; the programs of this host take .*`,
	`nft is not installed`, `.*held by process 812.*`, `(add memory, )?or run at most two jobs at a time`,
	`install writes /etc/.*`, `.*; the programs of this party run nothing there`,
	`stop it: systemctl disable --now mysqld, or give mysql another port in the cluster file`,
	`1 of 2 (nodemanagers|workers) is registered.*`, `.*:4671 does not answer`,
	`exited with status 1 within 5 s, 3 times`,
}, "|") + `)$`)

func (l *listener) heard(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !foreign.MatchString(text) && !slices.Contains(l.missed, text) {
		l.missed = append(l.missed, text)
	}
}

func (l *listener) chinese() *language.Language {
	return language.Of(language.Chinese).Reporting(l.heard)
}

// report fails the test for each text that was missed.
func (l *listener) report(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range l.missed {
		t.Errorf("no translation: %q", text)
	}
	t.Logf("untranslated messages: %d", len(l.missed))
}

// inChinese executes a command line on a host of which the locale is Chinese.
func inChinese(l *listener, stdin string, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	g := &globals{Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, getenv: chineseLocale}
	g.speech = func(chosen *language.Language) *language.Language {
		if chosen == nil {
			return nil
		}
		return l.chinese()
	}
	code = execute(context.Background(), g, args)
	return out.String(), errs.String(), code
}

func chineseLocale(name string) string { return map[string]string{"LANG": "zh_CN.UTF-8"}[name] }

// TestChineseScreens compares what people see in Chinese with golden files, and counts what is not in Chinese.
func TestChineseScreens(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("CLICOLOR_FORCE", "")
	t.Setenv("TERM", "xterm")
	t.Setenv("PATH", t.TempDir()) // texts call the program by its name
	l := &listener{}
	all := map[string]func(g *globals) error{}
	for name, show := range screens {
		all[name] = show
	}
	for name, stage := range progressStages {
		all["progress-"+name] = func(g *globals) error { stage(newShownRun(g)); return nil }
	}
	for name, stage := range controlStages {
		all["control-"+name] = func(g *globals) error { stage(newShownControl(g)); return nil }
	}
	for name, show := range all {
		for _, columns := range []int{0, 80} {
			got := shownOn(t, columns, func(g *globals) error {
				g.language = l.chinese()
				return show(g)
			})
			if strings.Contains(name, "-") && columns > 0 {
				got = outputtest.Interpreted(columns, got)
			}
			for line := range strings.Lines(got) {
				line = colour.ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
				copied := strings.HasPrefix(line, "         -> ") || strings.HasPrefix(line, "提示：")
				if columns > 0 && output.Width(line) > columns && !copied {
					t.Errorf("%s: %d of %d columns: %s", name, output.Width(line), columns, line)
				}
				checkLineStart(t, line)
			}
			compareScreen(t, "zh-"+name, columns, got)
		}
	}
	l.report(t)
}

// checkLineStart holds that no line begins with a character that ends something.
func checkLineStart(t *testing.T, line string) {
	t.Helper()
	r, _ := utf8.DecodeRuneInString(strings.TrimSpace(line))
	if strings.ContainsRune("，。；：、！？）】》”", r) {
		t.Errorf("a line begins with %c: %s", r, line)
	}
}

// TestChineseHelp compares the help of every command in Chinese with a golden file.
func TestChineseHelp(t *testing.T) {
	l := &listener{}
	var all strings.Builder
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		text := helpText(l.chinese(), cmd, 80)
		section := ""
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); strings.HasSuffix(line, "：") && !strings.HasPrefix(line, " ") {
				section = line
			}
			if output.Width(line) > 80 && section != "示例：" {
				t.Errorf("%s: %d columns: %s", cmd.CommandPath(), output.Width(line), line)
			}
			checkLineStart(t, line)
		}
		fmt.Fprintf(&all, "# %s\n\n%s\n", cmd.CommandPath(), text)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(&globals{}))
	l.report(t)
	golden.Compare(t, filepath.Join("testdata", "screens", "zh-helps.80.txt"), all.String())
}

// TestChineseCommands runs commands on a host and counts what they say in English.
func TestChineseCommands(t *testing.T) {
	root, appliance, text := partyTree(t)
	l := &listener{}
	fresh := machine(t)
	dir := t.TempDir()
	for _, tt := range []struct {
		root, stdin string
		args        []string
	}{
		{fresh, text, []string{"check", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1", "--all"}},
		{fresh, text, []string{"plan", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1"}},
		{fresh, text, []string{"install", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1"}},
		{fresh, "", []string{"install", "--payload", appliance}},
		{root, text, []string{"check", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1", "--all"}},
		{root, text, []string{"plan", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1"}},
		{root, text, []string{"config", "show", "--config", "-", "--ip", "192.168.0.1"}},
		{root, text, []string{"config", "check", "--config", "-"}},
		{root, "host: {partyid: 10000, ipz: 192.168.0.1}\n", []string{"config", "check", "--config", "-"}},
		{root, text, []string{"render", "--diff", "--config", "-", "--ip", "192.168.0.1"}},
		{root, "", []string{"party", "list"}},
		{root, "", []string{"party", "add", "10001:192.168.3.1:9370"}},
		{root, "", []string{"party", "remove", "10001"}},
		{root, "", []string{"secrets", "list"}},
		{root, "", []string{"secrets", "rotate", "mysql_fate"}},
		{root, "", []string{"version"}},
		{root, "", []string{"bundle", "inspect", appliance}},
		{root, "", []string{"bundle", "verify", appliance}},
		{root, "", []string{"bundle", "extract", "--from", appliance, "eggroll", filepath.Join(dir, "x")}},
		{root, "", []string{"bundle", "keygen", "--no-password", "--out", filepath.Join(dir, "k")}},
		{root, "", []string{"diagnose", "--out", filepath.Join(dir, "d.tar.gz")}},
		{root, "", []string{"diagnose", "--out", filepath.Join(dir, "e.tar.gz"), "--split", "64K", "--max-size", "1M"}},
		{root, "", []string{"diagnose", "--analyze", filepath.Join(dir, "d.tar.gz")}},
		{root, "", []string{"diagnose", "--analyze", appliance}},
		{root, "", []string{"diagnose", "--analyze"}},
		{root, "", []string{"diagnose", "--analyze", "--split", "64K"}},
		{root, "", []string{"uninstall", "--dry-run"}},
		{root, "", []string{"rollback"}},
		{root, "", []string{"uninstall"}},
		{root, "", []string{"uninstall", "--yes"}},
		{root, "", []string{"uninstall", "--verify"}},
		{root, "", []string{"svc", "status"}},
		{root, "", []string{"instal"}},
		{root, "", []string{"install", "--rol", "host"}},
		{root, "", []string{"install", "--role", "hots"}},
		{root, "", []string{"install", "--party", "many"}},
		{root, "", []string{"install", "now"}},
		{root, "", []string{"history", "show"}},
		{root, "", []string{"svc", "why"}},
		{root, "", []string{"version", "--lang", "de"}},
		{root, "", []string{"completion", "bash", "--help"}},
	} {
		_, _, _ = inChinese(l, tt.stdin, append([]string{"--root", tt.root}, tt.args...)...)
	}
	l.report(t)
}

// TestLanguageOfACommand: the locale chooses the language, and --lang before it; JSON is English, and so are the
// commands of other programs.
func TestLanguageOfACommand(t *testing.T) {
	l := &listener{}
	for _, tt := range []struct {
		args    []string
		chinese bool
	}{
		{[]string{"svc", "stat"}, true},
		{[]string{"--lang", "en", "svc", "stat"}, false},
		{[]string{"--lang=en", "svc", "stat"}, false},
		{[]string{"svc", "stat", "--lang", "zh"}, true},
		{[]string{"version", "--", "--lang", "en"}, true},
		{[]string{"svc", "stat", "-o", "json"}, false},
		{[]string{"svc", "stat", "-ojson", "--lang", "zh"}, false},
		{[]string{"svc", "run", "--bas", "/x"}, false},
		{[]string{"svc", "probe-flow", "--bas", "/x"}, false},
		{[]string{"svc", "run", "--help"}, true},
	} {
		stdout, stderr, _ := inChinese(l, "", tt.args...)
		if got := regexp.MustCompile(`\p{Han}`).MatchString(stdout + stderr); got != tt.chinese {
			t.Errorf("%v: Chinese %v\n%s%s", tt.args, got, stdout, stderr)
		}
	}
	_, stderr, code := inChinese(l, "", "version", "--lang", "zhh")
	if code != exit.Usage || !strings.Contains(stderr, "是否想输入 zh") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if words, _, _ := run(t, "__complete", "version", "--lang", ""); !strings.HasPrefix(words, "en\nzh\n") {
		t.Errorf("completion offers %q", words)
	}
	words, _, _ := inChinese(l, "", "__complete", "svc", "sta")
	if !strings.Contains(words, "status\t显示") {
		t.Errorf("completion offers %q", words)
	}
}

// numbers change between two looks at a host: free space, and times.
var numbers = regexp.MustCompile(`\d+(\.\d+)?`)

// TestJSONIsTheSameInEachLanguage compares documents byte by byte, but for numbers.
func TestJSONIsTheSameInEachLanguage(t *testing.T) {
	root, appliance, text := partyTree(t)
	l := &listener{}
	compare := func(stdin string, args ...string) {
		t.Helper()
		args = append(args, "-o", "json")
		english, _, code := runCLI(t, root, stdin, args...)
		for _, lang := range [][]string{nil, {"--lang", "zh"}} {
			got, _, chineseCode := inChinese(l, stdin, append(append([]string{"--root", root}, args...), lang...)...)
			if numbers.ReplaceAllString(got, "0") != numbers.ReplaceAllString(english, "0") || code != chineseCode {
				t.Errorf("%v %v: exit %d and %d\n%s\n%s", args, lang, code, chineseCode, english, got)
			}
		}
	}
	compare("", "version")
	compare("", "version", "--role", "hots")
	compare(text, "config", "check", "--config", "-")
	compare("host: {partyid: 10000, ipz: 192.168.0.1}\n", "config", "check", "--config", "-")
	compare(text, "config", "show", "--config", "-", "--ip", "192.168.0.1")
	compare(text, "render", "--diff", "--config", "-", "--ip", "192.168.0.1")
	compare(text, "check", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1")
	compare(text, "plan", "--payload", appliance, "--config", "-", "--ip", "192.168.0.1")
	compare("", "party", "list")
	compare("", "secrets", "list")
	compare("", "bundle", "inspect", appliance)
	compare("", "bundle", "verify", appliance)
	compare("", "uninstall", "--dry-run")
	compare("", "uninstall", "--verify")
	var walk func(cmd *cobra.Command, words []string)
	walk = func(cmd *cobra.Command, words []string) {
		compare("", append(slices.Clone(words), "--log-level", "loud")...)
		for _, sub := range cmd.Commands() {
			walk(sub, append(slices.Clone(words), sub.Name()))
		}
	}
	walk(newRootCommand(&globals{}), nil)
}
