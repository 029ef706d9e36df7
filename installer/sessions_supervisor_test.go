package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fate-installer/installer/fate/cluster"
	"fate-installer/supervisor"
)

// fixedSupervisor answers on a socket below a base directory as a supervisor does whose programs do not change.
func fixedSupervisor(t *testing.T) (base string) {
	t.Helper()
	base, err := os.MkdirTemp("/tmp", "s") // a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	socket := cluster.Layout{Base: base}.SupervisorSocket()
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	method := regexp.MustCompile(`<methodName>([a-z.]+)</methodName>`)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var answer any
		switch found := method.FindSubmatch(body); string(found[1]) {
		case "fate.status":
			answer = partyStatuses()
		case "fate.why":
			answer = []supervisor.Finding{
				{Name: "fate-fateflow", Text: "runs (pid 4390, up 3d18h) and cannot work: it needs fate-clustermanager, " +
					"which is not ready"},
				{Name: "fate-clustermanager", Text: "runs for 3d18h (pid 4242) but is not ready: nodemanager " +
					"192.168.0.2:4671 is not registered: server_node has no row for it", Root: true},
			}
		}
		text, err := json.Marshal(answer)
		var plain any
		if err = errors.Join(err, json.Unmarshal(text, &plain)); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "<?xml version=\"1.0\"?><methodResponse><params><param>%s</param></params></methodResponse>",
			xmlOf(plain))
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return base
}

// xmlOf is a value in XML-RPC.
func xmlOf(v any) string {
	var out strings.Builder
	switch v := v.(type) {
	case nil:
		return "<value><nil/></value>"
	case bool:
		return fmt.Sprintf("<value><boolean>%d</boolean></value>", map[bool]int{true: 1}[v])
	case float64:
		if v == float64(int64(v)) {
			return fmt.Sprintf("<value><int>%d</int></value>", int64(v))
		}
		return fmt.Sprintf("<value><double>%g</double></value>", v)
	case string:
		return "<value><string>" + html.EscapeString(v) + "</string></value>"
	case []any:
		for _, e := range v {
			out.WriteString(xmlOf(e))
		}
		return "<value><array><data>" + out.String() + "</data></array></value>"
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out.WriteString("<member><name>" + k + "</name>" + xmlOf(v[k]) + "</member>")
		}
		return "<value><struct>" + out.String() + "</struct></value>"
	}
	return ""
}
