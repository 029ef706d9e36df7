package database

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitSQL(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   []string
	}{
		"empty":                        {"", nil},
		"only comments":                {"-- a\n# b\n/* c */;;", nil},
		"last without semicolon":       {"a; b", []string{"a", "b"}},
		"dash comment inside":          {"a ( -- it's; here\n b)", []string{"a (  \n b)"}},
		"dash comment at end of text":  {"a --", []string{"a"}},
		"double minus is arithmetic":   {"SELECT 5--3", []string{"SELECT 5--3"}},
		"no blank needed between":      {"a;\n--USE x;\nb", []string{"a", "b"}},
		"hash comment":                 {"a # ; '\n, b", []string{"a  \n, b"}},
		"block comment separates":      {"a/* ; */b", []string{"a b"}},
		"code comment stays":           {"/*!40101 SET x=1 */; a", []string{"/*!40101 SET x=1 */", "a"}},
		"semicolon in quotes":          {`a ';' ";" ` + "`;`", []string{`a ';' ";" ` + "`;`"}},
		"doubled quote":                {`a 'it''s;'; b`, []string{`a 'it''s;'`, "b"}},
		"escaped quote":                {`a 'it\'s;'; b`, []string{`a 'it\'s;'`, "b"}},
		"backslash is no escape in ``": {"a `\\`; b", []string{"a `\\`", "b"}},
		"comment marks in quotes":      {"a '-- #/*'; b", []string{"a '-- #/*'", "b"}},
		"division and minus":           {"SELECT 4/2-1; b", []string{"SELECT 4/2-1", "b"}},
		"other delimiter": {"a;\nDELIMITER //\nBEGIN\n b; c;\nEND //\n\nDELIMITER ;\nd;e",
			[]string{"a", "BEGIN\n b; c;\nEND", "d", "e"}},
		"other delimiter, to the end": {"a;\n delimiter $$\nb; c$$\nd $$", []string{"a", "b; c", "d"}},
		"delimiter as a name":         {"SELECT delimiter FROM a; b", []string{"SELECT delimiter FROM a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := splitSQL(c.script)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSplitSQLRefuses(t *testing.T) {
	for script, want := range map[string]string{
		"a;\nb 'c": "line 2",
		"a `b":     "does not end",
		"\n\n/* x": "line 3",
	} {
		if got, err := splitSQL(script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("splitSQL(%q) = %q, %v; want an error with %q", script, got, err, want)
		}
	}
}

func TestParseSchema(t *testing.T) {
	text, err := os.ReadFile("testdata/meta.sql")
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseSchema(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"server_node", "store_locator"}; !slices.Equal(s.tables, want) {
		t.Errorf("tables %q, want %q", s.tables, want)
	}
	indexes := []tableIndex{{"server_node", "idx_server_node_h_p_nt"}, {"server_node", "idx_server_node_h"},
		{"store_locator", "idx_u_store_locator_ns_n"}}
	if !slices.Equal(s.indexes, indexes) {
		t.Errorf("indexes %q, want %q", s.indexes, indexes)
	}
	if len(s.statements) != 5 {
		t.Errorf("%d statements: %q", len(s.statements), s.statements)
	}
	if _, err := parseSchema("SELECT 1"); err == nil {
		t.Error("took a script without tables for a schema")
	}
}

// FuzzSplitSQL checks what holds for any script: the pieces are not blank, and are themselves single statements.
func FuzzSplitSQL(f *testing.F) {
	text, err := os.ReadFile("testdata/meta.sql")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("a 'b''c\\'' -- d\n; /*! e */ #")
	f.Fuzz(func(t *testing.T, script string) {
		statements, err := splitSQL(script)
		if err != nil {
			return
		}
		if strings.Contains(strings.ToLower(script), "delimiter") {
			return // a statement may hold semicolons
		}
		for _, s := range statements {
			again, err := splitSQL(s)
			if err != nil || len(again) > 1 {
				t.Errorf("%q of %q splits into %q, %v", s, script, again, err)
			}
		}
	})
}
