package bundle

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// serverLock is a lock with a database server of this machine's platform that no machine can run.
func serverLock(t *testing.T, more string) string {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{"bin/mysqld": "#!/bin/sh\n", "share/errmsg.sys": "x"} {
		at := filepath.Join(dir, "server", file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("mysqld", filepath.Join(dir, "server/bin/link")); err != nil {
		t.Fatal(err)
	}
	return lockFile(t, dir, "  - name: mysql\n    version: 8.0.28\n"+more+"    sources: [{path: server}]\n")
}

// countingMaker makes other bytes at each call, as servers do.
func countingMaker(t *testing.T, calls *int) TemplateMaker {
	return func(_ context.Context, r TemplateRequest, out io.Writer) error {
		*calls++
		info, err := os.Stat(r.Dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the directory for the data: %v, %v", info, err)
		}
		for _, file := range []string{r.Program, "bin/link"} {
			if text, err := os.ReadFile(filepath.Join(r.Tree, file)); string(text) != "#!/bin/sh\n" {
				t.Errorf("%s: %q, %v", file, text, err)
			}
		}
		_, err = fmt.Fprintf(out, "data %d", *calls)
		return err
	}
}

func onThisPlatform(t *testing.T) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the locks of these tests are for amd64")
	}
}

func TestTemplateOfDatabase(t *testing.T) {
	onThisPlatform(t)
	file, cache := serverLock(t, ""), filepath.Join(t.TempDir(), "cache")
	calls := 0
	with := func(cache string) func(o *BuildOptions) {
		return func(o *BuildOptions) { o.Template, o.TemplateCache = countingMaker(t, &calls), cache }
	}
	digests := map[string]string{}
	for _, build1 := range []struct {
		name, cache string
		made        bool
	}{{"first", cache, true}, {"again", cache, false}, {"without a cache", "", true}} {
		result, out, err := build(t, file, with(build1.cache))
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Warnings) > 0 || len(result.Templates) != 1 || result.Templates[0].Made != build1.made {
			t.Errorf("%s: %+v, warnings %q", build1.name, result.Templates, result.Warnings)
		}
		digests[build1.name] = result.Manifest.Components[0].Digest
		content := contentOf(t, out, "mysql")
		if want := "-0644 " + DatabaseTemplate + " data "; !strings.Contains(content, want) {
			t.Errorf("%s: %q is missing in\n%s", build1.name, want, content)
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(out), ".*"))
		if err != nil || len(left) > 0 {
			t.Errorf("the build left %q, %v", left, err)
		}
	}
	if calls != 2 || digests["first"] != digests["again"] || digests["first"] == digests["without a cache"] {
		t.Errorf("the server ran %d times, want 2; digests %v", calls, digests)
	}
}

// TestNoTemplate has what keeps a component from carrying a data directory; the appliance is built all the same.
func TestNoTemplate(t *testing.T) {
	onThisPlatform(t)
	fails := func(context.Context, TemplateRequest, io.Writer) error { return errors.New("no libaio.so.1") }
	for name, c := range map[string]struct {
		more    string
		fails   bool
		calls   int
		warning string
	}{
		"turned off":       {"    database: {template: no}\n", false, 0, ""},
		"a stand-in":       {"    stand_in: true\n", false, 0, ""},
		"another platform": {"", false, 0, "its server is for linux/arm64 and this machine is linux/amd64"},
		"cannot run here":  {"", true, 0, "could not be made here: no libaio.so.1; hosts initialise"},
		"turned on":        {"    database: {template: yes}\n", false, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			cache := t.TempDir()
			file := serverLock(t, c.more)
			if name == "another platform" {
				text, err := os.ReadFile(file)
				if err == nil {
					text = bytes.Replace(text, []byte("linux/amd64"), []byte("linux/arm64"), 1)
					err = os.WriteFile(file, text, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			result, _, err := build(t, file, func(o *BuildOptions) {
				if name == "another platform" {
					o.Stub = makeStub(t, filepath.Join(t.TempDir(), "stub"), elf.EM_AARCH64)
				}
				o.Template, o.TemplateCache = countingMaker(t, &calls), cache
				if c.fails {
					o.Template = fails
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if calls != c.calls || len(result.Templates) != c.calls {
				t.Errorf("%d calls, templates %v", calls, result.Templates)
			}
			warnings := strings.Join(result.Warnings, "\n")
			if c.warning == "" && warnings != "" || !strings.Contains(warnings, c.warning) {
				t.Errorf("warnings %q, want %q", warnings, c.warning)
			}
			if kept, _ := os.ReadDir(cache); len(kept) != c.calls {
				t.Errorf("the cache has %v", kept)
			}
		})
	}
	if _, err := ParseLock("x", []byte("schema: 1\nrelease: {fate: 1.11.4, platform: linux/amd64}\ncomponents:\n"+
		"  - {name: mysql, version: 8, database: {template: maybe}, sources: [{path: x}]}\n")); err == nil ||
		!strings.Contains(err.Error(), "is not yes, no") {
		t.Errorf("got %v", err)
	}
}

// TestTemplateInterruptedBuild ends a build while the server makes the data.
func TestTemplateInterruptedBuild(t *testing.T) {
	onThisPlatform(t)
	file := serverLock(t, "")
	if _, err := Fill(t.Context(), FillOptions{File: file}); err != nil {
		t.Fatal(err)
	}
	lock, err := ReadLock(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	stub := makeStub(t, filepath.Join(t.TempDir(), "stub"), elf.EM_X86_64)
	_, err = Build(ctx, BuildOptions{Lock: lock, Out: filepath.Join(dir, "out"), Stub: stub, Level: 1,
		Template: func(ctx context.Context, _ TemplateRequest, _ io.Writer) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the build left %v, %v", left, err)
	}
}
