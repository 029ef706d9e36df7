package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// input1 is one source of a test tree: its keys and its entries; deb makes it a .deb.
type input1 struct {
	Source
	deb     bool
	entries []*tar.Header
}

func src(s Source, entries ...*tar.Header) input1 { return input1{s, false, entries} }
func deb(s Source, entries ...*tar.Header) input1 { return input1{s, true, entries} }

// merged builds a tree and lists it.
func merged(t *testing.T, inputs ...input1) (listing string, warnings []string, err error) {
	t.Helper()
	s, err := newSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	tr := newTree(s)
	for i := range inputs {
		in := &inputs[i]
		in.Path = "source" + string(rune('1'+i))
		o := tr.merge(&in.Source, in.deb)
		if err := readTar(o.name, bytes.NewReader(makeTar(t, in.entries...)),
			func(e entry, body io.Reader) error { return tr.add(o, e, body) }); err != nil {
			return "", nil, err
		}
		if unused := o.unused(); unused != "" {
			return "", nil, errors.New(unused)
		}
	}
	if err := tr.finish(&Component{}); err != nil {
		return "", tr.warnings, err
	}
	var out bytes.Buffer
	if err := tr.writeTar(context.Background(), &out, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	return listTar(t, &out), tr.warnings, nil
}

func TestTree(t *testing.T) {
	jvm := "usr/lib/jvm/java-17-openjdk-amd64"
	jdkRename := []Rename{{jvm, "."}, {"etc/java-17-openjdk", "conf-etc"}}
	tests := []struct {
		name     string
		inputs   []input1
		want     string
		warnings int
	}{
		{"sorted, parents added, directory order", []input1{src(Source{}, f("b", "2"), f("a/x/y", "1"), f("a-b", "3"))},
			"-0644 a-b 3\nd0755 a \nd0755 a/x \n-0644 a/x/y 1\n-0644 b 2\n", 0},
		{"root and dots", []input1{src(Source{}, d("./"), d("./a/"), f("./a//b", "1"))},
			"d0755 a \n-0644 a/b 1\n", 0},
		{"modes kept", []input1{src(Source{}, fm("a", "", 0o4755&0o777), fm("b", "", 0o600), fm("c", "", 0o1777))},
			"-0755 a \n-0600 b \n-1777 c \n", 0},
		{"mode rules, last wins", []input1{src(Source{Mode: []ModeRule{{"*.sh", 0o700}, {"bin", 0o755}}}, f("x.sh", ""),
			f("bin/y.sh", ""), f("z", ""))},
			"d0755 bin \n-0755 bin/y.sh \n-0700 x.sh \n-0644 z \n", 0},
		{"setuid dropped and allowed", []input1{
			src(Source{Setuid: SetuidDrop}, fm("a", "", 0o6755)),
			src(Source{Setuid: SetuidAllow}, fm("b", "", 0o4755))},
			"-0755 a \n-4755 b \n", 0},
		{"strip", []input1{src(Source{Strip: 1}, d("top/"), d("top/d/"), f("top/d/f", "1"), l("top/d/l", "f"),
			h("top/h", "top/d/f"))},
			"d0755 d \n-0644 d/f 1\nl0777 d/l f\nh0644 h d/f\n", 0},
		{"into", []input1{src(Source{Into: "a/b"}, d("./"), f("f", "1"), l("l", "f"))},
			"d0755 a \nd0755 a/b \n-0644 a/b/f 1\nl0777 a/b/l f\n", 0},
		{"strip, then rename, then into", []input1{src(Source{Strip: 1, Rename: []Rename{{"a", "b"}}, Into: "c"},
			f("x/a/1", "1"), f("x/ab", "2"))},
			"d0755 c \n-0644 c/ab 2\nd0755 c/b \n-0644 c/b/1 1\n", 0},
		{"include and exclude", []input1{src(Source{Include: []string{"bin/**", "*.md"}, Exclude: []string{"bin/test"}},
			f("bin/a", ""), f("bin/test/b", ""), f("x/y.md", ""), f("z", ""))},
			"d0755 bin \n-0644 bin/a \nd0755 x \n-0644 x/y.md \n", 0},
		{"a refused entry may be excluded",
			[]input1{src(Source{Exclude: []string{"dev"}}, f("a", ""), l("dev/x", "/etc"))},
			"-0644 a \n", 0},
		{"hard links: the first by name has the content",
			[]input1{src(Source{}, f("z", "1"), h("a", "z"), h("m", "a"))},
			"-0644 a 1\nh0644 m a\nh0644 z a\n", 0},
		{"hard link to a symbolic link", []input1{src(Source{}, f("f", "1"), l("l", "f"), h("d/l2", "l"))},
			"d0755 d \nl0777 d/l2 ../f\n-0644 f 1\nl0777 l f\n", 0},
		{"sources merge", []input1{src(Source{}, d("a/"), f("a/1", "1")),
			src(Source{}, d("a/"), f("a/2", "2"), f("a/1", "1"))},
			"d0755 a \n-0644 a/1 1\n-0644 a/2 2\n", 0},
		{"override", []input1{src(Source{}, f("a", "1"), l("b", "a")),
			src(Source{Override: true}, f("a", "2"), f("b", "3"))},
			"-0644 a 2\n-0644 b 3\n", 0},
		{"override of one of two hard links", []input1{src(Source{}, f("a", "1"), h("b", "a")),
			src(Source{Override: true}, f("a", "2"))},
			"-0644 a 2\n-0644 b 1\n", 0},
		{"renaming moves a link and its target apart",
			[]input1{src(Source{Rename: []Rename{{"lib", "."}}}, f("lib/x/f", "1"), l("bin/l", "../lib/x/f"),
				l("lib/x/same", "f"))},
			"d0755 bin \nl0777 bin/l ../x/f\nd0755 x \n-0644 x/f 1\nl0777 x/same f\n", 0},
		{"link spelling kept",
			[]input1{src(Source{}, f("a/f", ""), l("a/l", "./f"), l("b/l", "../a//f"), l("d", "a/"))},
			"d0755 a \n-0644 a/f \nl0777 a/l ./f\nd0755 b \nl0777 b/l ../a//f\nl0777 d a/\n", 0},
		{"a way down and up again is straightened", []input1{src(Source{}, f("a/f", ""), f("g", ""), l("l", "a/../g"))},
			"d0755 a \n-0644 a/f \n-0644 g \nl0777 l g\n", 0},
		{"a way through a link is followed as the kernel would",
			[]input1{src(Source{}, f("a/b/c", ""), f("a/g", ""), l("x", "a/b"), l("l", "x/../g"))},
			"d0755 a \nd0755 a/b \n-0644 a/b/c \n-0644 a/g \nl0777 l a/g\nl0777 x a/b\n", 0},
		{"dangling links are kept, with a warning",
			[]input1{src(Source{}, f("a", ""), l("l", "logs/x"), l("m", "l/y"))},
			"-0644 a \nl0777 l logs/x\nl0777 m l/y\n", 2},
		{"a circle of links", []input1{src(Source{}, f("a", ""), l("l", "m"), l("m", "l"))},
			"-0644 a \nl0777 l m\nl0777 m l\n", 2},
		{"absolute links of a .deb", []input1{
			deb(Source{Rename: jdkRename}, f(jvm+"/bin/java", "j"), f("etc/java-17-openjdk/net.properties", "n"),
				l(jvm+"/conf/net.properties", "/etc/java-17-openjdk/net.properties"),
				l("usr/lib/jvm/default", "java-17-openjdk-amd64"),
				l("usr/bin/java", "/"+jvm+"/bin/java"))},
			"d0755 bin \n-0644 bin/java j\nd0755 conf-etc \n-0644 conf-etc/net.properties n\nd0755 conf \nl0777 " +
				"conf/net.properties ../conf-etc/net.properties\n" +
				"d0755 usr \nd0755 usr/bin \nl0777 usr/bin/java ../../bin/java\nd0755 usr/lib \nd0755 usr/lib/jvm " +
				"\nl0777 usr/lib/jvm/default ../../..\n", 0},
		{"a link of one .deb to a file of another, with other keys", []input1{
			deb(Source{Rename: []Rename{{"usr/share/x", "x"}}}, f("usr/share/x/f", ""),
				l("usr/share/x/lib.so", "/usr/lib/lib.so.1")),
			deb(Source{Strip: 1}, f("usr/lib/lib.so.1", "so"))},
			"d0755 lib \n-0644 lib/lib.so.1 so\nd0755 x \n-0644 x/f \nl0777 x/lib.so ../lib/lib.so.1\n", 0},
		{"an absolute link of a .deb to a directory", []input1{deb(Source{}, f("etc/z/f", ""), l("usr/z", "/etc/z/"))},
			"d0755 etc \nd0755 etc/z \n-0644 etc/z/f \nd0755 usr \nl0777 usr/z ../etc/z\n", 0},
		{"empty file and empty directory", []input1{src(Source{}, f("a", ""), d("b/"))}, "-0644 a \nd0755 b \n", 0},
		{"names that differ in case", []input1{src(Source{}, f("a", "1"), f("A", "2"))}, "-0644 A 2\n-0644 a 1\n", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, warnings, err := merged(t, test.inputs...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(test.want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if len(warnings) != test.warnings {
				t.Errorf("warnings %q, want %d", warnings, test.warnings)
			}
		})
	}
}

func TestTreeRefuses(t *testing.T) {
	special := func(name string, flag byte) *tar.Header {
		return &tar.Header{Name: name, Typeflag: flag, Mode: 0o644}
	}
	tests := []struct {
		name   string
		inputs []input1
		want   string // in the message
	}{
		{"character device", []input1{src(Source{}, special("dev/null", tar.TypeChar))},
			`source1: entry "dev/null" is a device node`},
		{"block device", []input1{src(Source{}, special("sda", tar.TypeBlock))}, `entry "sda" is a device node`},
		{"FIFO", []input1{src(Source{}, special("p", tar.TypeFifo))}, `entry "p" is a FIFO`},
		{"absolute path", []input1{src(Source{}, f("/etc/passwd", "x"))}, `entry "/etc/passwd" is absolute`},
		{"parent path", []input1{src(Source{}, f("a/../../b", "x"))}, `entry "a/../../b" has ".." in it`},
		{"harmless parent path", []input1{src(Source{}, f("a/../b", "x"))}, `has ".." in it`},
		{"control character", []input1{src(Source{}, f("a\nb", "x"))}, `entry "a\nb" has control characters`},
		{"not UTF-8", []input1{src(Source{}, f("a\xff", "x"))}, `is not UTF-8`},
		{"long name", []input1{src(Source{}, f(strings.Repeat("n", 256), "x"))}, "has a name longer than 255 bytes"},
		{"long path", []input1{src(Source{}, f(strings.Repeat("n/", 2100)+"x", "x"))}, "is longer than 4095 bytes"},
		{"setuid", []input1{src(Source{}, fm("bin/su", "x", 0o4755))},
			`entry "bin/su" has mode 04755: it would run with its owner's rights`},
		{"setgid directory", []input1{src(Source{}, &tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o2755})},
			`entry "d" has mode 02755`},
		{"link out by parents", []input1{src(Source{}, l("a/l", "../../x"))},
			`entry "a/l" is a symbolic link to "../../x", which leads out of the source`},
		{"absolute link", []input1{src(Source{}, l("l", "/etc/passwd"))},
			`entry "l" is an absolute symbolic link to "/etc/passwd"`},
		{"link out through a link", []input1{src(Source{}, f("f", ""), l("a/up", ".."), l("out", "a/up/../x"))},
			`entry "out" is a symbolic link to "a/up/../x", which leads out`},
		{"link to where strip leaves nothing", []input1{src(Source{Strip: 2}, f("a/b/c", ""), l("a/b/l", "../x"))},
			"strip: 2 removes"},
		{"file at the root", []input1{src(Source{Rename: []Rename{{"a", "."}}}, f("a", "x"))}, "would become the root"},
		{"file that strip removes", []input1{src(Source{Strip: 1}, f("a", "x"))},
			`entry "a" has no path left after strip: 1`},
		{"hard link out", []input1{src(Source{}, f("a", ""), h("b", "../a"))},
			`is a hard link to "../a", which has ".." in it`},
		{"hard link to a later file", []input1{src(Source{}, h("b", "a"), f("a", ""))},
			`entry "b" is a hard link to "a", which is not an earlier file of the source`},
		{"hard link to an excluded file", []input1{src(Source{Exclude: []string{"a"}}, f("a", ""), h("b", "a"))},
			"not an earlier file"},
		{"hard link to another source", []input1{src(Source{}, f("a", "")), src(Source{}, h("b", "a"))},
			"source2: entry \"b\" is a hard link"},
		{"conflicting content", []input1{src(Source{}, f("a", "one")), src(Source{}, f("a", "two"))},
			`source2: entry "a" conflicts with "a" of source1 at a: their contents differ`},
		{"conflicting mode", []input1{src(Source{}, fm("a", "1", 0o644)), src(Source{}, fm("a", "1", 0o755))},
			"one has mode 0644, the other 0755"},
		{"conflicting links", []input1{src(Source{}, l("a", "x")), src(Source{}, l("a", "y"))},
			`one leads to "x", the other to "y"`},
		{"conflicting kinds", []input1{src(Source{}, f("a", "1")), src(Source{}, d("a/"))},
			"one is a file, the other a directory"},
		{"twice in one source", []input1{src(Source{}, f("a", "1"), f("a", "2"))}, "their contents differ"},
		{"override of a directory", []input1{src(Source{}, f("a/b", "1"), d("a/")),
			src(Source{Override: true}, f("a", "2"))}, "one is a directory, the other a file"},
		{"below a file", []input1{src(Source{}, f("a", "1")), src(Source{}, f("a/b/c", "2"))},
			`source2: entry "a/b/c" would lie below a, which is a file of source1`},
		{"below a link", []input1{src(Source{}, f("x/f", ""), l("lib", "x")), src(Source{}, f("lib/b", "2"))},
			"would lie below lib, which is a symbolic link of source1"},
		{"nothing left", []input1{src(Source{Exclude: []string{"**"}}, f("a", "1"))}, "nothing is left of its sources"},
		{"include that matches nothing", []input1{src(Source{Include: []string{"a", "bin/*"}}, f("a", "1"))},
			`include "bin/*" matches nothing`},
		{"mode that matches nothing", []input1{src(Source{Mode: []ModeRule{{"*.sh", 0o755}}}, f("a", "1"))},
			`mode "*.sh" matches nothing`},
		{"rename that matches nothing", []input1{src(Source{Rename: []Rename{{"b", "c"}}}, f("a", "1"))},
			`rename from "b" matches nothing`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, _, err := merged(t, test.inputs...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v\nwant %s\ntree:\n%s", err, test.want, got)
			}
		})
	}
}

func TestRelative(t *testing.T) {
	tests := []struct{ link, target, want string }{
		{"a", "b", "b"},
		{"a/b", "a/c", "c"},
		{"a/b", "c", "../c"},
		{"a/b/c", "a/d/e", "../d/e"},
		{"a", ".", "."},
		{"a/b/c", ".", "../.."},
		{"a/b", "a", "."},
		{"ab/c", "a/c", "../a/c"},
	}
	for _, test := range tests {
		if got := relative(test.link, test.target); got != test.want {
			t.Errorf("relative(%q, %q) = %q, want %q", test.link, test.target, got, test.want)
		}
	}
}

func TestPattern(t *testing.T) {
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"*.md", []string{"a.md", "x/y/a.md", "x/a.md/below"}, []string{"a.mdx", "x"}},
		{"bin/*", []string{"bin/a", "bin/a/b"}, []string{"bin", "x/bin/a"}},
		{"bin/**", []string{"bin", "bin/a", "bin/a/b"}, []string{"binx", "x/bin"}},
		{"**/doc", []string{"doc", "a/doc", "a/b/doc/c"}, []string{"docs", "a/docs"}},
		{"a/**/z", []string{"a/z", "a/b/z", "a/b/c/z", "a/z/y"}, []string{"a", "z", "b/a/z"}},
		{"a/**/b/**/c", []string{"a/b/c", "a/x/b/y/y/c", "a/b/b/c"}, []string{"a/c", "a/b", "a/c/b"}},
		{"usr/share", []string{"usr/share", "usr/share/doc/x"}, []string{"usr", "usr/shared"}},
		{"[ab]?", []string{"ax", "d/bx"}, []string{"cx", "a"}},
		{"**", []string{"a", "a/b"}, nil},
	}
	for _, test := range tests {
		p := compilePatterns([]string{test.pattern})[0]
		for _, name := range test.yes {
			if !p.match(name) {
				t.Errorf("%q does not match %q", test.pattern, name)
			}
		}
		for _, name := range test.no {
			if p.match(name) {
				t.Errorf("%q matches %q", test.pattern, name)
			}
		}
	}
}
