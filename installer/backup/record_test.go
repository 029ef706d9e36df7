package backup

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

// testWriter writes records without compression and encryption. What is not flushed is lost.
func testWriter(w io.Writer) *recordWriter { return &recordWriter{bufio.NewWriter(w)} }

// writerFunc is a function as a writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// records makes a stream of records.
func records(t testing.TB, kinds string, contents ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := testWriter(&b)
	for i := range kinds {
		if err := w.put(kinds[i], []byte(contents[i])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestOutOfPlace refuses records that are not where they can be, or that say what cannot be.
func TestOutOfPlace(t *testing.T) {
	const table = `{"name":"t","create":"CREATE TABLE ` + "`t`" + ` (id int)","columns":[{"name":"id"}]}`
	for name, stream := range map[string][]byte{
		"cut":                    records(t, "T", `{"name":"jobs"}`),
		"file before a tree":     records(t, "fwz", `{"path":"a","mode":420}`, "", ""),
		"unknown tree":           records(t, "Tz", `{"name":"etc"}`, ""),
		"path that leads out":    records(t, "Tfwz", `{"name":"jobs"}`, `{"path":"../a","mode":420}`, "", ""),
		"absolute path":          records(t, "Tfwz", `{"name":"jobs"}`, `{"path":"/a","mode":420}`, "", ""),
		"path that is not clean": records(t, "Tfwz", `{"name":"jobs"}`, `{"path":"a/../../b","mode":420}`, "", ""),
		"control character":      records(t, "Tfwz", `{"name":"jobs"}`, `{"path":"a\u001b[2J","mode":420}`, "", ""),
		"setuid":                 records(t, "Tfwz", `{"name":"jobs"}`, `{"path":"a","mode":8388608}`, "", ""),
		"file in a file":         records(t, "Tffz", `{"name":"jobs"}`, `{"path":"a","mode":420}`, `{"path":"b","mode":420}`, ""),
	} {
		if err := readTrees(newRecordReader(bytes.NewReader(stream)), &treeCount{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, stream := range map[string][]byte{
		"row before a table":  records(t, "rz", "", ""),
		"table without end":   records(t, "tz", table, ""),
		"other row count":     records(t, "tnz", table, `{"rows":3}`, ""),
		"too few values":      records(t, "trnz", table, "", `{"rows":1}`, ""),
		"value beyond":        records(t, "trnz", table, "\x7f", `{"rows":1}`, ""),
		"another statement":   records(t, "tnz", `{"name":"t","create":"DROP DATABASE mysql","columns":[{"name":"id"}]}`, `{"rows":0}`, ""),
		"another table":       records(t, "tnz", `{"name":"u","create":"CREATE TABLE `+"`t`"+` (id int)","columns":[{"name":"id"}]}`, `{"rows":0}`, ""),
		"a name to be quoted": records(t, "tnz", `{"name":"a`+"`"+`b","create":"","columns":[]}`, `{"rows":0}`, ""),
		"unknown key":         records(t, "tnz", `{"name":"t","more":1}`, `{"rows":0}`, ""),
	} {
		if err := readTables(newRecordReader(bytes.NewReader(stream)), &tableCount{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := readTrees(newRecordReader(bytes.NewReader([]byte{'T', 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})),
		&treeCount{}); err == nil || errors.Is(err, errCut) {
		t.Errorf("the error of an impossible length is %v", err)
	}
}

func FuzzStreams(f *testing.F) {
	const table = `{"name":"t","create":"CREATE TABLE ` + "`t`" + ` (id int)","columns":[{"name":"id"}]}`
	f.Add(records(f, "Tdfcwfcvz", `{"name":"jobs"}`, `{"path":"d","mode":493}`, `{"path":"d/a","mode":420}`, "x", "",
		`{"path":"b","mode":420}`, "y", "", ""))
	f.Add(records(f, "trnz", table, "\x02a", `{"rows":1}`, ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		trees, tables := &treeCount{}, &tableCount{}
		if err := readTrees(newRecordReader(bytes.NewReader(data)), trees); err == nil {
			for _, tree := range trees.trees {
				if !slices.Contains(TreeNames(), tree.Name) || tree.Bytes > int64(len(data)) {
					t.Errorf("accepted %+v", tree)
				}
			}
		}
		if err := readTables(newRecordReader(bytes.NewReader(data)), tables); err == nil {
			for _, table := range tables.tables {
				if checkName(table.Name) != nil {
					t.Errorf("accepted %+v", table)
				}
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	m := newManifest()
	m.Database = &Database{"mysql", "8.0.28", "fate_flow", []Table{{"t_job", 3}}, 99, 3, 1}
	m.Trees = []Tree{{"jobs", 1, 2}}
	m.Unread = []string{"jobs/x: it changes all the time"}
	text, err := m.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"schema":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeManifest(data)
		if err != nil {
			return
		}
		again, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeManifest(again); err != nil {
			t.Errorf("what was accepted is refused when it is written again: %v\n%s", err, again)
		}
	})
}
