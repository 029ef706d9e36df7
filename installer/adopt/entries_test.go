package adopt

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/fatetest"
)

func byKey(entries []entry) map[string]string {
	out := map[string]string{}
	for _, e := range entries {
		out[e.key] = e.value
	}
	return out
}

// TestReadPropertiesAsJava compares with java.util.Properties itself.
func TestReadPropertiesAsJava(t *testing.T) {
	const text = "# comment\n! another\n[eggroll]\na=1\n b : two words \nc\\=d=x\\u00e9\\ty\n" +
		"e=one\\\n   two\\\n# no comment\nf\nempty=\ng==x\n=nothing\nh=C:\\\\dir\\\\\na=2\ncolon\\:key=v\n\\\nlast=1"
	entries, err := readProperties([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := fatetest.ReadJava(t, []byte(text))
	if got := byKey(entries); !maps.Equal(got, want) {
		t.Errorf("it is %q\nJava has %q", got, want)
	}
}

// TestReadYAMLAsPython compares the kinds of values with what PyYAML, which FATE reads with, makes of them.
func TestReadYAMLAsPython(t *testing.T) {
	const text = "a: false\nb: \"false\"\nc: no\nd: 'no'\ne:\nf: ~\ng: 12\nh: \"12\"\ni: text\nj: [1, {k: off}]\n" +
		"l: {}\nm: []\nn:\n  o: \"\"\n  p.q: 1 # comment\n"
	entries, err := readYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "false", "b": `"false"`, "c": "false", "d": `"no"`, "e": "", "f": "", "g": "12",
		"h": `"12"`, "i": "text", "j[0]": "1", "j[1].k": "false", "l": "{}", "m": "[]", "n.o": "", "n.p.q": "1"}
	if got := byKey(entries); !maps.Equal(got, want) {
		t.Errorf("it is %q, want %q", got, want)
	}
	var python map[string]any
	fatetest.ReadPython(t, "yaml", []byte(text), &python)
	for key, value := range map[string]any{"a": false, "b": "false", "c": false, "d": "no", "e": nil, "f": nil, "h": "12"} {
		if python[key] != value {
			t.Errorf("python reads %s as %v, and this test expects %v", key, python[key], value)
		}
	}
	lines := map[string]int{"a": 1, "j[1].k": 10, "n.o": 14, "n.p.q": 15}
	for _, e := range entries {
		if want, ok := lines[e.key]; ok && e.line != want {
			t.Errorf("%s is in line %d, want %d", e.key, e.line, want)
		}
	}
}

func TestReadOthers(t *testing.T) {
	for name, c := range map[string]struct {
		read func([]byte) ([]entry, error)
		text string
		want map[string]string
		line map[string]int
	}{
		"options": {readOptions, "[mysqld]\nport = 3306\nlog-error=/a # b\nsql_mode='A,B'\nskip-log-bin\n;c\n[client]\n" +
			"socket=\"/x y\"\n!include /etc/other.cnf\n", map[string]string{"mysqld.port": "3306", "mysqld.log_error": "/a",
			"mysqld.sql_mode": "A,B", "mysqld.skip_log_bin": "ON", "client.socket": "/x y", "!include": "/etc/other.cnf"},
			map[string]int{"mysqld.sql_mode": 4}},
		"shell": {readShell, "#!/bin/sh\nexport A='b c'\nB=\"$A:x\"\nsource x\nexport C='d'\"e\"\n  D=1\n",
			map[string]string{"A": "b c", "B": "$A:x", "source x": "", "C": `'d'"e"`, "D": "1"},
			map[string]int{"D": 6}},
		"nginx": {readNginx, "# a\nuser app; events{}\nhttp {\n server {\n  listen 80 http2;listen 81;\n" +
			"  location ~ \"\\.x;$\" { return 200 'a {b}';\n }\n }\n server { proxy_pass http://${up}/; } # end\n}\n",
			map[string]string{"user": "app", "events": "{}", "http.server.listen": "80 http2", "http.server.listen#2": "81",
				"http.server.location ~ \\.x;$.return": "200 a {b}", "http.server#2.proxy_pass": "http://${up}/"},
			map[string]int{"user": 2, "http.server.listen#2": 5, "http.server#2.proxy_pass": 9}},
		"script": {readScript, "#!/bin/bash -Xmx1g\nJAVA_OPTS='-Xmx4g -Dx.y=\"a b\"' # -Xms1g\n" +
			"curl -XPOST -D - http://x\nexec java -XX:+UseG1GC -XX:MaxGCPauseMillis=200 -Xloggc:gc.log \\\n" +
			" -javaagent:/a.jar=p=1 -Xmx2g -jar \"$PWD/x-y.jar\"\n",
			map[string]string{"-Xmx": "4g", "-Dx.y": "a b", "-XX:UseG1GC": "+", "-XX:MaxGCPauseMillis": "200",
				"-Xloggc": "gc.log", "-javaagent": "/a.jar=p=1", "-Xmx#2": "2g"},
			map[string]int{"-Xmx": 2, "-javaagent": 5}},
		"json": {readJSON, "{\"a\": {\"b\": [\n{\"c\": 1, \"d\": true}], \"a\": {}}, \"e\": \"1\",\n\"e\": null, \"f\": []}",
			map[string]string{"a.b[0].c": "1", "a.b[0].d": "true", "a.a": "{}", "e": `"1"`, "e#2": "", "f": "[]"},
			map[string]int{"a.b[0].c": 2, "e#2": 3}},
		"sections": {readSections, "[a]\nK = v ; comment\n[b:c]\nx=1\n  2\n[d]\n",
			map[string]string{"a.k": "v", "b:c.x": "1\n2", "d": ""}, map[string]int{"b:c.x": 4}},
	} {
		entries, err := c.read([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := byKey(entries); !maps.Equal(got, c.want) {
			t.Errorf("%s is %q, want %q", name, got, c.want)
		}
		for _, e := range entries {
			if want, ok := c.line[e.key]; ok && e.line != want {
				t.Errorf("%s: %s is in line %d, want %d", name, e.key, e.line, want)
			}
		}
	}
}

// TestReadFaults holds that what is no such file is an error that names the line.
func TestReadFaults(t *testing.T) {
	for _, c := range []struct {
		read  func([]byte) ([]entry, error)
		text  string
		words string
	}{
		{readJSON, "{\"a\":\n1,}", "line 2"}, {readJSON, "{} x", "after the document"}, {readJSON, "", "EOF"},
		{readJSON, strings.Repeat("[", 100) + strings.Repeat("]", 100), "more than 64 levels"},
		{readYAML, "a: [", "1:"}, {readOptions, "[mysqld", "line 1"}, {readSections, "x=1", "line 1"},
		{readProperties, "a=\xff", "not UTF-8"}, {readNginx, "a {\n b 1; }\n}", "line 3"},
		{readNginx, "a {", "ends inside"}, {readNginx, "a 'b\n;", "quote is not closed"},
		{readNginx, "a\n", "ends inside"},
		{readNginx, strings.Repeat("a {", 100), "more than 32 levels"}, {readScript, "\x00", "NUL"},
		{readShell, "a=\x00", "NUL"},
	} {
		if entries, err := c.read([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%.20q is %v: %v", c.text, entries, err)
		}
	}
}

// FuzzReaders feeds every parser with the same bytes: none panics, and none gives a line that the text has not.
func FuzzReaders(f *testing.F) {
	for _, s := range []string{"", "a=1\nb\\\n=2", "[x]\ny=1\n", "{\"a\": [1]}", "a:\n  - b: 1\n", "export A='b'\n",
		"[mysqld]\nskip\n!include x\n", "\\", "a=\\u12", "a: &x 1\nb: *x\n", "[", "a:", "- - -",
		"a { b 'c'; }\n# d\n", "java -Xmx1g \\\n \"-Dx='y z'\"\n", "a ${b;"} {
		f.Add([]byte(s))
	}
	kinds := []kind{kindEggroll, kindRoutes, kindFlow, kindDatabase, kindShell, kindProgram, kindNginx, kindScript}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
		for _, k := range kinds {
			entries, err := k.parse(data)
			if err != nil {
				continue
			}
			for _, e := range entries {
				if e.line < 0 || e.line > lines {
					t.Fatalf("%s: %+v of a text of %d lines", k, e, lines)
				}
			}
			d := newDocument(k, "f", entries)
			if keys := d.keys(); len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(keys) {
				t.Fatalf("%s: a key is listed twice: %q", k, keys)
			}
		}
		baseOf(string(data))
		jdbc().FindStringSubmatch(string(data))
	})
}
