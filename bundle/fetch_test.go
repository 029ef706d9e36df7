package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-retryablehttp"

	"fate-installer/payload"
)

// server serves one file and misbehaves on demand.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	data     []byte
	etag     string
	requests []string // method, path and Range of each
	// answer, if set, handles the n-th request (from 1) and reports whether it did.
	answer func(n int, w http.ResponseWriter, r *http.Request) bool
}

func serve(t *testing.T, data []byte) *server {
	s := &server{data: data, etag: `"v1"`}
	s.Server = httptest.NewServer(http.HandlerFunc(s.handle))
	t.Cleanup(s.Close)
	return s
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Range")))
	n, data, etag, answer := len(s.requests), s.data, s.etag, s.answer
	s.mu.Unlock()
	if answer != nil && answer(n, w, r) {
		return
	}
	w.Header().Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// cut sends the first n bytes of what the request asks for and drops the connection.
func (s *server) cut(w http.ResponseWriter, r *http.Request, n int) {
	var from int
	if spec := r.Header.Get("Range"); spec != "" {
		fmt.Sscanf(spec, "bytes=%d-", &from)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(s.data)-1, len(s.data)))
		w.Header().Set("ETag", s.etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(s.data)-from))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.Header().Set("ETag", s.etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(s.data)))
	}
	w.Write(s.data[from : from+n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func blobOf(data []byte) payload.Blob {
	sum := sha256.Sum256(data)
	return payload.Blob{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}

func downloader(t *testing.T) *Downloader {
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.RetryMax = 2
	client.RetryWaitMin, client.RetryWaitMax = time.Millisecond, 2*time.Millisecond
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return &Downloader{Cache: &Cache{Dir: t.TempDir()}, Client: client}
}

func checkFile(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes, want %d of other content", name, len(got), len(want))
	}
}

// payloadBytes is a body that shows every misplaced byte.
func payloadBytes(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return data
}

func TestFetch(t *testing.T) {
	data := payloadBytes(300_000)
	other := payloadBytes(300_000)
	other[0] ^= 1
	tests := []struct {
		name     string
		want     payload.Blob
		before   []byte // what an earlier try left
		answer   func(s *server) func(int, http.ResponseWriter, *http.Request) bool
		requests []string
		err      string
	}{
		{name: "whole", want: blobOf(data), requests: []string{"/f"}},
		{name: "digest not known", requests: []string{"/f"}},
		{name: "size not known", want: payload.Blob{SHA256: blobOf(data).SHA256}, requests: []string{"/f"}},
		{name: "an earlier try goes on", want: blobOf(data), before: data[:1000], requests: []string{"/f bytes=1000-"}},
		{name: "an earlier try had it all", want: blobOf(data), before: data},
		{name: "an earlier try of something else", want: blobOf(data), before: other[:1000],
			requests: []string{"/f bytes=1000-", "/f"}},
		{name: "an earlier try that is too long", want: blobOf(data), before: append(other, 0),
			requests: []string{"/f"}},
		{name: "an earlier try whose digest is not known", before: data[:1000], requests: []string{"/f"}},
		{name: "cut off twice", want: blobOf(data), requests: []string{"/f", "/f bytes=100000-", "/f bytes=200000-"},
			answer: func(s *server) func(int, http.ResponseWriter, *http.Request) bool {
				return func(n int, w http.ResponseWriter, r *http.Request) bool {
					if n <= 2 {
						s.cut(w, r, 100_000)
					}
					return false
				}
			}},
		{name: "cut off, digest not known: If-Range guards", requests: []string{"/f", "/f bytes=100000-"},
			answer: func(s *server) func(int, http.ResponseWriter, *http.Request) bool {
				return func(n int, w http.ResponseWriter, r *http.Request) bool {
					if n == 1 {
						s.cut(w, r, 100_000)
					}
					if r.Header.Get("If-Range") != s.etag {
						http.Error(w, "no If-Range", http.StatusBadRequest)
						return true
					}
					return false
				}
			}},
		{name: "a server without ranges", want: blobOf(data), before: data[:1000], requests: []string{"/f bytes=1000-"},
			answer: func(s *server) func(int, http.ResponseWriter, *http.Request) bool {
				return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
					w.Write(s.data)
					return true
				}
			}},
		{name: "overloaded at first", want: blobOf(data), requests: []string{"/f", "/f", "/f"},
			answer: func(*server) func(int, http.ResponseWriter, *http.Request) bool {
				return func(n int, w http.ResponseWriter, _ *http.Request) bool {
					if n <= 2 {
						http.Error(w, "busy", http.StatusServiceUnavailable)
					}
					return n <= 2
				}
			}},
		{name: "a range that was not asked for", want: blobOf(data), before: data[:1000],
			requests: []string{"/f bytes=1000-"},
			err:      `the server sent the range "bytes 5-9/10", asked for bytes 1000-`,
			answer: func(*server) func(int, http.ResponseWriter, *http.Request) bool {
				return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
					w.Header().Set("Content-Range", "bytes 5-9/10")
					w.WriteHeader(http.StatusPartialContent)
					return true
				}
			}},
		{name: "not there", want: blobOf(data), requests: []string{"/f"}, err: "the server answered 404 Not Found",
			answer: func(*server) func(int, http.ResponseWriter, *http.Request) bool {
				return func(_ int, w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }
			}},
		{name: "busy for ever", want: blobOf(data), requests: []string{"/f", "/f", "/f"},
			err: "the server answered 503",
			answer: func(*server) func(int, http.ResponseWriter, *http.Request) bool {
				return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
					http.Error(w, "busy", http.StatusServiceUnavailable)
					return true
				}
			}},
		{name: "another file of that size", want: blobOf(other), requests: []string{"/f"},
			err: "the server has another file: 300000 bytes with sha256 "},
		{name: "a longer file", want: payload.Blob{Size: 10, SHA256: digestA}, requests: []string{"/f"},
			err: "the server has another file: 300000 bytes, the lock says 10"},
		{name: "a shorter file", want: payload.Blob{Size: 300_001, SHA256: digestA}, requests: []string{"/f"},
			err: "the server has another file: 300000 bytes with"},
		{name: "longer than it says", want: payload.Blob{Size: 10, SHA256: digestA}, requests: []string{"/f"},
			err: "more than the 10 bytes",
			answer: func(s *server) func(int, http.ResponseWriter, *http.Request) bool {
				return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
					w.(http.Flusher).Flush() // chunked: no length is announced
					w.Write(s.data)
					return true
				}
			}},
		{name: "cut off with nothing each time", want: blobOf(data), requests: []string{"/f"}, err: "unexpected EOF",
			answer: func(s *server) func(int, http.ResponseWriter, *http.Request) bool {
				return func(_ int, w http.ResponseWriter, r *http.Request) bool { s.cut(w, r, 0); return true }
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, data)
			if test.answer != nil {
				s.answer = test.answer(s)
			}
			d := downloader(t)
			if test.before != nil {
				writeFile(t, filepath.Join(d.Cache.Dir, "partial", partialKey(s.URL+"/f", test.want)), test.before)
			}
			var last int64
			d.Report = func(_ Stage, _ string, done, _ int64) { last = done }
			file, err := d.Fetch(context.Background(), []string{s.URL + "/f"}, test.want)
			if diff := cmp.Diff(test.requests, s.requests); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkFile(t, file, data)
			if file != d.Cache.path(blobOf(data).SHA256) {
				t.Errorf("it is at %s", file)
			}
			if len(test.requests) > 0 && last != int64(len(data)) {
				t.Errorf("progress ended at %d of %d", last, len(data))
			}
			if left, _ := filepath.Glob(filepath.Join(d.Cache.Dir, "partial", "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestFetchMirrors(t *testing.T) {
	data := payloadBytes(1000)
	good, bad := serve(t, data), serve(t, []byte("something else"))
	gone := serve(t, nil)
	gone.Close()
	d := downloader(t)
	file, err := d.Fetch(context.Background(), []string{gone.URL + "/f", bad.URL + "/f", good.URL + "/f"}, blobOf(data))
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, file, data)

	_, err = downloader(t).Fetch(context.Background(), []string{gone.URL + "/f", bad.URL + "/f"}, blobOf(data))
	var failed *FetchError
	if !errors.As(err, &failed) || len(failed.Errs) != 2 || !errors.Is(err, errOtherFile) {
		t.Fatalf("error %v, want one for each mirror", err)
	}
	if !strings.HasPrefix(err.Error(), "cannot fetch "+gone.URL+"/f or its 1 mirror\n") || failed.Hint() == "" {
		t.Errorf("message:\n%v", err)
	}
}

// A mirror goes on with what another one began, since the digest says whether it fits.
func TestFetchMirrorContinues(t *testing.T) {
	data := payloadBytes(1000)
	first, second := serve(t, data), serve(t, data)
	first.answer = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n == 1 {
			first.cut(w, r, 600)
		}
		http.Error(w, "gone", http.StatusGone)
		return true
	}
	file, err := downloader(t).Fetch(context.Background(), []string{first.URL + "/f", second.URL + "/f"}, blobOf(data))
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, file, data)
	if diff := cmp.Diff([]string{"/f bytes=600-"}, second.requests); diff != "" {
		t.Errorf("requests to the mirror (-want +got):\n%s", diff)
	}
}

func TestFetchUsesCache(t *testing.T) {
	data := payloadBytes(1000)
	s := serve(t, data)
	d := downloader(t)
	for range 2 {
		if _, err := d.Fetch(context.Background(), []string{s.URL + "/f"}, blobOf(data)); err != nil {
			t.Fatal(err)
		}
	}
	d.Offline = true
	if _, err := d.Fetch(context.Background(), []string{s.URL + "/f"}, blobOf(data)); err != nil {
		t.Errorf("offline: %v", err)
	}
	if _, err := d.Fetch(context.Background(), []string{s.URL + "/g"}, blobOf([]byte("x"))); !errors.Is(err,
		errOffline) {
		t.Errorf("error %v, want errOffline", err)
	}
	if len(s.requests) != 1 {
		t.Errorf("requests %v, want 1", s.requests)
	}
}

func TestFetchFileURL(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "f"), []byte("x"))
	got, err := downloader(t).Fetch(context.Background(), []string{"file://" + file}, payload.Blob{})
	if err != nil || got != file {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := downloader(t).Fetch(context.Background(), []string{"file://" + file + "x"},
		payload.Blob{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want not exist", err)
	}
}

func TestFetchStalled(t *testing.T) {
	data := payloadBytes(1000)
	s := serve(t, data)
	s.answer = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			return false
		}
		w.Header().Set("Content-Length", "1000")
		w.Write(data[:10])
		w.(http.Flusher).Flush()
		<-r.Context().Done() // says nothing until the client gives up
		return true
	}
	d := downloader(t)
	d.Stall = time.Second // longer than a machine under load leaves this process waiting: the first bytes are to arrive
	file, err := d.Fetch(context.Background(), []string{s.URL + "/f"}, blobOf(data))
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, file, data)
	if len(s.requests) < 2 || s.requests[1] != "/f bytes=10-" {
		t.Errorf("requests %q, want one that goes on at 10", s.requests)
	}
}

func TestFetchCancelled(t *testing.T) {
	s := serve(t, payloadBytes(1000))
	ctx, cancel := context.WithCancel(context.Background())
	s.answer = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	}
	if _, err := downloader(t).Fetch(ctx, []string{s.URL + "/f", s.URL + "/g"}, payload.Blob{}); !errors.Is(err,
		context.Canceled) {
		t.Errorf("error %v, want Canceled", err)
	}
}

// Two downloads of one file at a time share the work instead of spoiling each other's.
func TestFetchAtOnce(t *testing.T) {
	data := payloadBytes(100_000)
	s := serve(t, data)
	d := downloader(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := &Downloader{Cache: &Cache{Dir: d.Cache.Dir}, Client: d.Client}
			file, err := c.Fetch(context.Background(), []string{s.URL + "/f"}, blobOf(data))
			if err != nil {
				t.Error(err)
				return
			}
			checkFile(t, file, data)
		})
	}
	wg.Wait()
	if len(s.requests) != 1 {
		t.Errorf("%d requests, want 1", len(s.requests))
	}
}
