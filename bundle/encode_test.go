package bundle

import (
	"testing"

	"pgregory.net/rapid"

	"fate-installer/payload"
)

// What Encode writes, ParseLock reads as the same lock, whatever the strings in it look like to YAML.
func TestEncodeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLock(t)
		text := l.Encode("a comment\nof two lines: {x}\n")
		got, err := ParseLock(l.File, text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !got.equal(l) {
			t.Errorf("read back\n%+v\nwant\n%+v\nfrom\n%s", got, l, text)
		}
	})
}

var (
	words    = rapid.StringMatching(`[a-z0-9é%:#,{}\[\]&*!|>'"@ -]{0,6}[a-z0-9]`)
	versions = rapid.SampledFrom([]string{"1", "1.10", "8u345", "1:2.3~rc1+dfsg-1", "true", "null", "0x1f",
		"1e3", "2023-01-01"})
	digests = rapid.StringMatching(`[0-9a-f]{64}`)
)

func drawLock(t *rapid.T) *Lock {
	l := &Lock{File: "x.yaml", Release: payload.Release{FATE: versions.Draw(t, "fate"), Platform: "linux/arm64"}}
	if rapid.Bool().Draw(t, "env") {
		l.Release.Env = map[string]string{"FATE": "1.10", "JDK": words.Draw(t, "value")}
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "components") {
		c := Component{Name: "c" + string(rune('a'+i)), Version: versions.Draw(t, "version"),
			StandIn: rapid.Bool().Draw(t, "stand-in")}
		if rapid.Bool().Draw(t, "more") {
			c.License, c.Platform, c.LibraryPath = words.Draw(t, "license"), PlatformAny, []string{"lib", "a b/c"}
			c.HostLibraries = []string{"libaio.so.1", "lib[a-z]?.so.*"}
		}
		for range rapid.IntRange(1, 3).Draw(t, "sources") {
			c.Sources = append(c.Sources, drawLockSource(t))
		}
		l.Components = append(l.Components, c)
	}
	return l
}

func drawLockSource(t *rapid.T) Source {
	s := Source{Format: FormatAuto, Setuid: SetuidRefuse}
	if rapid.Bool().Draw(t, "remote") {
		s.URL = []string{"http://h/x?a=1&b=2", "https://h:8080/y%20z"}
	} else {
		s.Path = words.Draw(t, "path")
	}
	if s.Path != "" && rapid.Bool().Draw(t, "member") {
		s.Member = "a/" + rapid.StringMatching(`[a-z0-9%:#,{}]{1,8}`).Draw(t, "member name")
	}
	if rapid.Bool().Draw(t, "locked") {
		s.SHA256, s.Size = digests.Draw(t, "digest"), rapid.Int64Range(1, 1<<50).Draw(t, "size")
	}
	if rapid.Bool().Draw(t, "wheels") {
		s.Format, s.Python = FormatWheels, "3.10"
		return s
	}
	if rapid.Bool().Draw(t, "mapped") {
		s.Format, s.Setuid, s.Override, s.Strip, s.Into = FormatTar, SetuidAllow, true, 3, "x y"
		s.Include, s.Exclude = []string{"**/*.so*", "[ab]"}, []string{"true"}
		s.Rename = []Rename{{"a, b", "."}, {"c", "d/{e}"}}
		s.Mode = []ModeRule{{"*.sh", 0o755}, {"x", 0}}
	}
	return s
}
