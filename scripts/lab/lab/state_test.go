package lab

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseHosts(t *testing.T) {
	host := func(name, prefix string) Host { return Host{Name: name, Addr: netip.MustParsePrefix(prefix)} }
	for _, tt := range []struct {
		in      string
		want    []Host
		wantErr string
	}{
		{in: "a=192.168.0.1", want: []Host{host("a", "192.168.0.1/16")}},
		{in: "a=192.168.0.1,b=192.168.1.1", want: []Host{host("a", "192.168.0.1/16"), host("b", "192.168.1.1/16")}},
		{in: "a=10.1.2.3/8", want: []Host{host("a", "10.1.2.3/8")}},
		{in: "a=fd00::1", want: []Host{host("a", "fd00::1/64")}},
		{in: "a", wantErr: "want NAME=ADDRESS"},
		{in: "a=host", wantErr: `the address of host "a"`},
		{in: "A=192.168.0.1", wantErr: `host name "A"`},
		{in: "abcdefghijklm=192.168.0.1", wantErr: "at most 12"},
		{in: "a=192.168.0.1,a=192.168.0.2", wantErr: "taken by a=192.168.0.1"},
		{in: "a=192.168.0.1,b=192.168.0.1/24", wantErr: "taken by a=192.168.0.1"},
	} {
		got, err := ParseHosts(strings.Split(tt.in, ","))
		if tt.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("ParseHosts(%q) error = %v, want it to contain %q", tt.in, err, tt.wantErr)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ParseHosts(%q) = %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
	if _, err := ParseHosts(nil); err == nil {
		t.Error("ParseHosts of nothing gave no error")
	}
}

func TestSpecSurvivesItsFile(t *testing.T) {
	dir := t.TempDir()
	hosts, err := ParseHosts([]string{"a=192.168.0.1", "b=10.0.0.1/8"})
	if err != nil {
		t.Fatal(err)
	}
	want := spec{Name: "n", Base: "/b", Hosts: hosts}
	if err := want.save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := loadSpec(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("loadSpec = %v, %v, want %v", got, err, want)
	}
}

func TestSocketInLongDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ask(dir, request{Op: opStatus}); !errors.Is(err, errDown) {
		t.Errorf("ask without a keeper: %v, want errDown", err)
	}
	l, err := listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		var q request
		if err := json.NewDecoder(conn).Decode(&q); err != nil || q.Op != opStatus {
			t.Errorf("request %+v, %v", q, err)
		}
		if err := json.NewEncoder(conn).Encode(reply{Error: "no"}); err != nil {
			t.Error(err)
		}
	}()
	_, pid, err := ask(dir, request{Op: opStatus})
	if err == nil || err.Error() != "no" || pid != os.Getpid() {
		t.Errorf("ask = pid %d, %v, want pid %d and the keeper's error", pid, err, os.Getpid())
	}
	<-done
}
