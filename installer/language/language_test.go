package language

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestFromEnvironment(t *testing.T) {
	for _, tt := range []struct{ environment, want string }{
		{"", English}, {"LANG=C", English}, {"LANG=POSIX", English}, {"LANG=C.UTF-8", English},
		{"LANG=zh_CN.UTF-8", Chinese}, {"LANG=zh_CN.utf8", Chinese}, {"LANG=zh_CN", English}, {"LANG=zh", Chinese},
		{"LANG=zh_CN.UTF-8@pinyin", Chinese}, {"LANG=zh_CN@pinyin", English}, {"LANG=zh-Hans", English},
		{"LANG=zh_CN.GB18030", English}, {"LANG=zh_CN.GBK", English}, {"LANG=de_DE.UTF-8", English},
		{"LANG=en_US.UTF-8 LC_MESSAGES=zh_CN.UTF-8", Chinese},
		{"LANG=zh_CN.UTF-8 LC_MESSAGES=en_US.UTF-8", English},
		{"LANG=en_US.UTF-8 LC_MESSAGES=en_US.UTF-8 LC_ALL=zh_CN.UTF-8", Chinese},
		{"LANG=zh_CN.UTF-8 LC_MESSAGES=zh_CN.UTF-8 LC_ALL=C", English},
		{"LANG=en_US.UTF-8 LANGUAGE=zh_CN:en", Chinese}, {"LANG=zh_CN.UTF-8 LANGUAGE=en", English},
		{"LANG=zh_CN.UTF-8 LANGUAGE=de:fr", Chinese}, {"LANG=C LANGUAGE=zh_CN", English},
		{"LANG=zh_CN.UTF-8 LANGUAGE=::@.", Chinese},
		{"LANG=zh_CN.UTF-8 TERM=linux", English}, {"LANG=zh_CN.UTF-8 TERM=xterm", Chinese},
	} {
		values := map[string]string{}
		for _, word := range strings.Fields(tt.environment) {
			name, value, _ := strings.Cut(word, "=")
			values[name] = value
		}
		if got := FromEnvironment(func(name string) string { return values[name] }); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.environment, got, tt.want)
		}
	}
}

func TestParsePO(t *testing.T) {
	entries := []Entry{
		{English: "a b", Text: "甲 \"乙\""}, {Context: Label, English: "NAME", Text: "名称"},
		{English: "one\ntwo\t%s\n\\", Text: "一\n二 %s"}, {English: "open", Text: ""},
		{English: "odd \x01 \x7f", Text: "x\r"},
	}
	text := FormatPO(entries)
	got, err := ParsePO("# a comment\n" + text)
	if err != nil || len(got) != len(entries) {
		t.Fatalf("%v, %v", got, err)
	}
	for i, e := range got {
		if e.Line == 0 {
			t.Errorf("%q has no line", e.English)
		}
		if e.Line = 0; e != entries[i] {
			t.Errorf("%+v, want %+v", e, entries[i])
		}
	}
	for text, line := range map[string]int{
		"msgid \"a\"\n": 1, "msgstr \"a\"\n": 1, "\"a\"\n": 1, "msgid a\n": 1, "x": 1,
		"msgid \"a\"\nmsgid \"b\"\n":                  2,
		"msgid \"a\"\nmsgstr \"b\"\nmsgstr \"c\"\n":   3,
		"msgid \"a\"\nmsgstr \"b\nmsgid \"c\"\n":      2,
		"msgid \"a\"\nmsgstr `b`\n":                   2,
		"msgid \"a\"\nmsgid_plural \"b\"\n":           2,
		"msgctxt \"label\"\nmsgstr \"b\"\n":           2,
		"msgid \"a\"\nmsgstr \"b\"\nmsgctxt \"x\"\n":  3,
		"msgid \"a\"\nmsgstr \"b\"\n\nno keyword\n\n": 4,
	} {
		var syntax *SyntaxError
		if _, err := ParsePO(text); !errors.As(err, &syntax) || syntax.Line != line {
			t.Errorf("%q: %v, want line %d", text, err, line)
		}
	}
}

func FuzzParsePO(f *testing.F) {
	f.Add("msgctxt \"label\"\nmsgid \"\"\n\"a\\n\"\n\"b\"\nmsgstr \"c\"\n")
	f.Fuzz(func(t *testing.T, data string) {
		entries, err := ParsePO(data)
		if err != nil {
			return
		}
		again, err := ParsePO(FormatPO(entries))
		if err != nil || len(again) != len(entries) {
			t.Fatalf("%d entries, then %d: %v", len(entries), len(again), err)
		}
		for i := range again {
			again[i].Line = entries[i].Line
			if again[i] != entries[i] {
				t.Fatalf("%+v, then %+v", entries[i], again[i])
			}
		}
	})
}

func TestVerbs(t *testing.T) {
	for format, want := range map[string]string{
		"a":                          "",
		"%s is %d of %5.1f, %% and":  "0s 1d 2f",
		"%[2]s before %[1]s":         "0s 1s",
		"5 % of it":                  "",
		"%-*s %q":                    "1s 2q",
		"%[1]s and %[1]s":            "0s0s",
		"%[0]s %[100]s, %[99999999]": "",
	} {
		if got := strings.Join(strings.Fields(Verbs(format)), " "); got != want {
			t.Errorf("%q: %q, want %q", format, got, want)
		}
	}
}

// small is a language with a few entries.
func small(missed func(string)) *Language {
	c := newCatalogue([]Entry{
		{English: "cannot read %s: %w", Text: "无法读取 %s：%w"},
		{English: "no such file or directory", Text: "文件或目录不存在"},
		{English: "%s of %s", Text: "%[2]s 的 %[1]s"},
		{English: "the party %d has %s", Text: "party %d 有 %s"},
		{English: "%d steps", Text: "%d 步"},
		{English: "%d step", Text: "%d 步"},
		{English: "nothing to do: %s unchanged (%.1fs)", Text: "无需操作：%s未变（%.1fs）"},
		{English: "is not ready", Text: "未就绪"},
		{English: "it runs", Text: "正在运行"},
		{English: "look at %q, it %s", Text: "请看 %q%.0s"},
		{English: "  %-12s  %s", Text: "  %-12s  %s"},
		{English: "would remove", Text: "将删除"},
		{English: "fateboard  %s\n           login: %s here", Text: "FATE-Board  %s\n           登录：%s"},
		{English: "STATUS\n  0    it is done\n  130  it was interrupted", Text: "状态\n  0    完成\n  130  被中断"},
		{English: "more than 90 % of it", Text: "超过 90 %"},
		{English: "100%% of %s", Text: "%s 的 100%%"},
		{Context: Label, English: "NAME", Text: "名称"},
	})
	return &Language{name: Chinese, load: func() *catalogue { return c }, missed: missed}
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "x": "x", "mysql": "mysql", "/data/a b": "/data/a b", "中文": "中文",
		"cannot read /a b: no such file or directory": "无法读取 /a b：文件或目录不存在",
		"  cannot read /a: x\n":                       "  无法读取 /a：x\n",
		"the party 7 has 3 steps":                     "party 7 有 3 步",
		"the party x has 3 steps":                     "the party x has 3 steps",
		"bits of wisdom":                              "bits of wisdom",
		"1 of 2 MiB":                                  "2 MiB 的 1",
		"fate-mysql: it runs; is not ready":           "fate-mysql：正在运行；未就绪",
		"a.b: c; d":                                   "a.b: c; d",
		"cannot read /a: cannot read /b: it runs":     "无法读取 /a：无法读取 /b：正在运行",
		"it runs (is not ready)":                      "正在运行（未就绪）",
		"cannot read a, b or c: it runs":              "无法读取 a、b 或 c：正在运行",
		"cannot read --x or --y: it runs":             "无法读取 --x 或 --y：正在运行",
		"it runs\n\nis not ready\n":                   "正在运行\n\n未就绪\n",
		"it runs\n  is not ready":                     "正在运行\n  未就绪",
		"  0    it is done\n  9    it runs":           "  0    完成\n  9    正在运行",
		"fateboard  x\n           login: y here":      "FATE-Board x\n           登录：y",
		"more than 90 % of it":                        "超过 90 %",
		"100% of /a":                                  "/a 的 100%",
		"some words of a foreign log":                 "some words of a foreign log",
		"rollsite of mysql":                           "mysql 的 rollsite",
		`look at "a\"b", it runs`:                     `请看 "a\"b"`,
	} {
		if want := strings.Replace(want, "FATE-Board x", "FATE-Board  x", 1); small(nil).Text(text) != want {
			t.Errorf("%q: %q, want %q", text, small(nil).Text(text), want)
		}
	}
	var none *Language
	if none.Text("it runs") != "it runs" || none.Label("NAME") != "NAME" || none.Sprintf("%d steps", 3) != "3 steps" {
		t.Error("a nil language changes texts")
	}
	if got := small(nil).Label("NAME"); got != "名称" {
		t.Errorf("label %q", got)
	}
	if got := small(nil).Text("NAME"); got != "NAME" {
		t.Errorf("a label was taken for a text: %q", got)
	}
}

func TestSprintf(t *testing.T) {
	for _, tt := range []struct {
		format string
		args   []any
		want   string
	}{
		{"cannot read %s: %v\n", []any{"/a", errors.New("it runs")}, "无法读取 /a：正在运行\n"},
		{"nothing to do: %s unchanged (%.1fs)\n", []any{"3 steps", 0.25}, "无需操作：3 步未变（0.2s）\n"},
		{"  %-12s  %s\n", []any{"would remove", "it runs"}, "  将删除        正在运行\n"},
		{"%s\n", []any{"cannot read x: it runs"}, "无法读取 x：正在运行\n"},
		{"%d steps\n\nthe party %d has %s\n", []any{1, 2, "3 steps"}, "1 步\n\nparty 2 有 3 步\n"},
		{"%7s %.*s", []any{"", 2, "it runs"}, "        it"},
		{"an unknown format of %s\n", []any{"it runs"}, "an unknown format of it runs\n"},
		{"%d%%\n", []any{5}, "5%\n"},
	} {
		if got := small(nil).Sprintf(tt.format, tt.args...); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.format, got, tt.want)
		}
	}
}

// TestMissed: what reads as English and is not in the catalogue is reported; names, paths and numbers are not.
func TestMissed(t *testing.T) {
	var missed []string
	l := small(func(text string) { missed = append(missed, text) })
	l.Text("cannot read /a: the disk is away")
	l.Text("cannot read /a/b-c: x.y")
	l.Text("unknown words here\nit runs: and these ones")
	if got := fmt.Sprintf("%q", missed); got != `["the disk is away" "unknown words here" "and these ones"]` {
		t.Error(got)
	}
}
