package rpc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCodecRoundTrip(t *testing.T) {
	values := []any{
		nil, true, false, int64(0), int64(-5), int64(1) << 40, 1.5, "", "a<b>&\"c\" \r\n\t 文", []any{},
		[]any{"x", []any{int64(1)}},
		map[string]any{"a": int64(1), "b": map[string]any{"c<": "d"}},
	}
	for _, v := range values {
		method, params, err := decodeCall(bytes.NewReader(encodeCall("ns.method", []any{v})))
		if err != nil {
			t.Errorf("%#v: %v", v, err)
			continue
		}
		if d := cmp.Diff([]any{v}, params); d != "" || method != "ns.method" {
			t.Errorf("%s (-want +got):\n%s", method, d)
		}
		got, err := decodeResponse(bytes.NewReader(encodeResponse(v)))
		if d := cmp.Diff(v, got); d != "" || err != nil {
			t.Errorf("response: %v\n%s", err, d)
		}
	}
}

func TestCodecFault(t *testing.T) {
	_, err := decodeResponse(bytes.NewReader(encodeFault(&Fault{10, "BAD_NAME: <x>"})))
	var f *Fault
	if !errors.As(err, &f) || f.Code != 10 || f.Text != "BAD_NAME: <x>" {
		t.Errorf("%v", err)
	}
}

// TestDecodeForeign reads what other clients write: Python leaves out the type of strings, or sends dates and binaries.
func TestDecodeForeign(t *testing.T) {
	call := `<?xml version='1.0'?>
<methodCall>
  <methodName> a.b </methodName>
  <params>
    <param><value>bare text</value></param>
    <param><value><i4>7</i4></value></param>
    <param><value><base64>aGk=</base64></value></param>
    <param><value><dateTime.iso8601>20260102T03:04:05</dateTime.iso8601></value></param>
    <param><value><nil/></value></param>
    <!-- a comment -->
    <param><value><struct><member><name>k</name><value><double>-1e3</double></value></member></struct></value></param>
  </params>
</methodCall>`
	method, params, err := decodeCall(strings.NewReader(call))
	if err != nil || method != "a.b" {
		t.Fatal(method, err)
	}
	want := []any{"bare text", int64(7), []byte("hi"), time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local), nil,
		map[string]any{"k": -1000.0}}
	if d := cmp.Diff(want, params); d != "" {
		t.Error(d)
	}
	if _, params, err := decodeCall(
		strings.NewReader(`<methodCall><methodName>x</methodName></methodCall>`)); err != nil || len(params) != 0 {
		t.Errorf("without params: %v %v", params, err)
	}
}

func TestDecodeHostile(t *testing.T) {
	nest := strings.Repeat("<value><array><data>", 2000)
	many := strings.Repeat("<value><int>1</int></value>", maxRequestValues+1)
	param := func(s string) string {
		return "<methodCall><methodName>x</methodName><params><param>" + s + "</param></params></methodCall>"
	}
	tests := map[string]string{
		"empty":           "",
		"not xml":         "GET / HTTP/1.1",
		"other document":  "<html></html>",
		"no method":       "<methodCall></methodCall>",
		"cut off":         "<methodCall><methodName>x</methodName><params><param><value>",
		"entity bomb":     `<!DOCTYPE a [<!ENTITY b "bbbb">]><methodCall><methodName>&b;</methodName></methodCall>`,
		"external entity": `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><methodCall><methodName>x</methodName></methodCall>`,
		"unknown entity":  `<methodCall><methodName>&b;</methodName></methodCall>`,
		"nested":          param(nest),
		"many":            param("<value><array><data>" + many + "</data></array></value>"),
		"bad int":         param("<value><int>one</int></value>"),
		"huge int":        param("<value><int>99999999999999999999</int></value>"),
		"bad base64":      param("<value><base64>***</base64></value>"),
		"unknown type":    param("<value><widget>1</widget></value>"),
		"value in value":  param("<value><value>1</value></value>"),
		"two in a value":  param("<value><int>1</int><int>2</int></value>"),
		"other charset":   `<?xml version="1.0" encoding="utf-7"?><methodCall><methodName>x</methodName></methodCall>`,
		"struct no name":  param("<value><struct><member><value>1</value></member></struct></value>"),
	}
	for name, doc := range tests {
		if _, _, err := decodeCall(strings.NewReader(doc)); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}

// TestEncodeHostile holds that whatever a log contains becomes a document that can be read.
func TestEncodeHostile(t *testing.T) {
	for _, s := range []string{"\x00\x01\x1b[31m", "\xff\xfe", "\ufffe", "]]>", "<!--"} {
		got, err := decodeResponse(bytes.NewReader(encodeResponse(s)))
		if err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if text, ok := got.(string); !ok || len([]rune(text)) != len([]rune(s)) {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func FuzzDecodeCall(f *testing.F) {
	f.Add(encodeCall("supervisor.startProcess", []any{"a", true}))
	f.Add(encodeCall("system.multicall", []any{[]any{map[string]any{"methodName": "x", "params": []any{1.5}}}}))
	f.Add([]byte(`<methodCall><methodName>x</methodName><params><param><value>t</value></param></params></methodCall>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		method, params, err := decodeCall(bytes.NewReader(doc))
		if err != nil {
			return
		}
		// What was understood can be written and is understood again as the same.
		again, params2, err := decodeCall(bytes.NewReader(encodeCall(method, params)))
		if err != nil {
			t.Fatalf("%q %#v: %v", method, params, err)
		}
		if strings.TrimSpace(again) != strings.TrimSpace(method) && !strings.ContainsRune(method, '\ufffd') {
			t.Fatalf("%q became %q", method, again)
		}
		if len(params) != len(params2) {
			t.Fatal(fmt.Sprint(params), fmt.Sprint(params2))
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add(encodeResponse([]any{map[string]any{"a": "b"}}))
	f.Add(encodeFault(&Fault{1, "x"}))
	f.Fuzz(func(t *testing.T, doc []byte) {
		v, err := decodeResponse(bytes.NewReader(doc))
		if err == nil {
			encodeResponse(v)
		}
	})
}
