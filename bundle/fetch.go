package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"fate-installer/payload"
	"fate-installer/payload/count"
)

// Downloader fetches files over HTTP into a cache: it tries the mirrors in their order, tries again what may pass, and
// goes on with an interrupted download where it ended.
type Downloader struct {
	Cache   *Cache
	Offline bool // use only what the cache has
	Report  Progress

	// Client sends the requests and decides which failures to try again. Nil means one that retries four times.
	Client *retryablehttp.Client
	// Attempts is how often a download that makes progress is resumed; 0 means 20.
	Attempts int
	// Stall ends a connection that delivers nothing for so long; 0 means a minute.
	Stall time.Duration
}

// UserAgent is sent to servers. Some refuse Go's default.
const userAgent = "fate-installer"

// FetchError says why a file could not be had from any of its mirrors.
type FetchError struct {
	URLs []string
	Errs []error // one for each URL that was tried
}

func (e *FetchError) Error() string {
	s := fmt.Sprintf("cannot fetch %s", e.URLs[0])
	if len(e.URLs) > 1 {
		s += " or its " + count.Of(len(e.URLs)-1, "mirror")
	}
	for _, err := range e.Errs {
		s += "\n" + err.Error()
	}
	return s
}

func (e *FetchError) Unwrap() []error { return e.Errs }

// Hint says how to do without.
func (e *FetchError) Hint() string {
	return "fetch the file on a machine that can and name it with path: instead of url:, or add a mirror to the list"
}

// errOffline is the reason a file is not fetched when the user said so.
var errOffline = errors.New("it is not in the cache, and the network is not to be used")

// errOtherFile says that trying the same server again is of no use.
var errOtherFile = errors.New("the server has another file")

// Fetch implements [Fetcher].
func (d *Downloader) Fetch(ctx context.Context, urls []string, want payload.Blob) (string, error) {
	if file, ok := d.Cache.lookup(want); ok {
		return file, nil
	}
	failed := &FetchError{URLs: urls}
	for _, from := range urls {
		file, err := d.fetchFrom(ctx, from, want)
		if err == nil {
			return file, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		failed.Errs = append(failed.Errs, fmt.Errorf("%s: %w", from, err))
	}
	return "", failed
}

// Forget implements [Fetcher].
func (d *Downloader) Forget(want payload.Blob) error { return d.Cache.forget(want.SHA256) }

func (d *Downloader) fetchFrom(ctx context.Context, from string, want payload.Blob) (string, error) {
	u, err := url.Parse(from)
	if err != nil {
		return "", err
	}
	if u.Scheme == "file" {
		_, err := os.Stat(u.Path)
		return u.Path, err
	}
	if d.Offline {
		return "", errOffline
	}
	f, err := d.Cache.partial(partialKey(from, want))
	if err != nil {
		return "", err
	}
	defer f.Close()
	if file, ok := d.Cache.lookup(want); ok { // another process has fetched it while we waited for the lock
		return file, os.Remove(f.Name())
	}
	t := &transfer{d: d, from: from, name: path.Base(u.Path), want: want, file: f}
	return t.run(ctx)
}

// partialKey names a download: by the digest when it is known, so that mirrors continue each other.
func partialKey(from string, want payload.Blob) string {
	if want.SHA256 != "" {
		return want.SHA256
	}
	sum := sha256.Sum256([]byte(from))
	return "url-" + hex.EncodeToString(sum[:])
}

// transfer is the download of one file from one URL.
type transfer struct {
	d         *Downloader
	from      string
	name      string
	want      payload.Blob
	file      *os.File
	validator string // ETag or date of what we have, for If-Range
	done      int64  // bytes we have
	total     int64  // bytes there are, 0 when unknown
}

// run downloads until the file is whole, and moves it into the cache.
func (t *transfer) run(ctx context.Context) (string, error) {
	if err := t.resume(); err != nil {
		return "", err
	}
	resumed := t.done > 0
	for {
		if err := t.download(ctx); err != nil {
			return "", err
		}
		got, err := t.digest()
		if err != nil {
			return "", err
		}
		if t.want.SHA256 == "" || got == t.want || t.want.Size == 0 && got.SHA256 == t.want.SHA256 {
			return t.d.Cache.keep(t.file, got.SHA256)
		}
		if err := t.restart(); err != nil {
			return "", err
		}
		if !resumed {
			return "", fmt.Errorf("%w: %d bytes with sha256 %s, the lock says %d with %s", errOtherFile, got.Size,
				got.SHA256, t.want.Size, t.want.SHA256)
		}
		resumed = false // the beginning may have come from another mirror, or another time
	}
}

// resume looks at what an earlier try left. Without a digest to check the whole against, it cannot be trusted to be the
// beginning of the same file.
func (t *transfer) resume() error {
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	t.done = info.Size()
	if t.want.SHA256 == "" || t.want.Size > 0 && t.done > t.want.Size {
		return t.restart()
	}
	return nil
}

func (t *transfer) restart() error {
	t.done, t.validator = 0, ""
	return t.file.Truncate(0)
}

// download asks for the rest of the file until there is none. Every attempt that brings bytes earns another one.
func (t *transfer) download(ctx context.Context) error {
	attempts := t.d.Attempts
	if attempts == 0 {
		attempts = 20
	}
	var last error
	for range attempts {
		if t.want.Size > 0 && t.done == t.want.Size {
			return nil
		}
		before := t.done
		whole, err := t.request(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && whole:
			return nil
		case errors.Is(err, errOtherFile), err != nil && t.done == before:
			return err // the client has tried the request itself again already
		}
		last = err
	}
	return fmt.Errorf("gave up after %d interrupted attempts: %w", attempts, last)
}

// request sends one request for what is missing and stores what comes. whole says that the file ended where the server
// said it would.
func (t *transfer) request(ctx context.Context) (whole bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, t.from, nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept-Encoding", "identity") // the digest is of the file as it is stored
	if t.done > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", t.done))
		if t.validator != "" {
			req.Header.Set("If-Range", t.validator)
		}
	}
	res, err := t.d.client().Do(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	if whole, err := t.begin(res); err != nil || whole {
		return whole, err
	}
	stall := t.d.stall()
	idle := time.AfterFunc(stall, func() { cancel(fmt.Errorf("the server sent nothing for %v", stall)) })
	defer idle.Stop()
	n, err := io.Copy(io.NewOffsetWriter(t.file, t.done), &watchedReader{t: t, r: res.Body, idle: idle, stall: stall})
	t.done += n
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return false, err
	}
	if res.ContentLength >= 0 && n < res.ContentLength {
		return false, io.ErrUnexpectedEOF
	}
	return true, nil
}

// begin looks at the head of a response and settles where its body goes.
func (t *transfer) begin(res *http.Response) (whole bool, err error) {
	switch {
	case res.StatusCode == http.StatusPartialContent && t.done > 0:
		if want := fmt.Sprintf("bytes %d-", t.done); !strings.HasPrefix(res.Header.Get("Content-Range"), want) {
			return false, fmt.Errorf("the server sent the range %q, asked for %s",
				res.Header.Get("Content-Range"), want)
		}
	case res.StatusCode == http.StatusOK: // the file has changed, or the server knows no ranges
		if err := t.restart(); err != nil {
			return false, err
		}
	case res.StatusCode == http.StatusRequestedRangeNotSatisfiable && t.done > 0:
		return true, nil // we have it all, or too much; the digest will tell
	default:
		return false, fmt.Errorf("the server answered %s", res.Status)
	}
	t.validator = validator(res.Header)
	t.total = 0
	if res.ContentLength >= 0 {
		t.total = t.done + res.ContentLength
	}
	if t.want.Size > 0 && t.total > t.want.Size {
		return false, fmt.Errorf("%w: %d bytes, the lock says %d", errOtherFile, t.total, t.want.Size)
	}
	return false, nil
}

// validator proves to the server that we hold the beginning of the same file (RFC 9110, 13.1.5): a strong ETag
// or the date.
func validator(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return h.Get("Last-Modified")
}

func (t *transfer) digest() (payload.Blob, error) {
	if err := t.file.Truncate(t.done); err != nil {
		return payload.Blob{}, err
	}
	d := newDigester(io.NewSectionReader(t.file, 0, t.done))
	if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{d}, make([]byte, 1<<20)); err != nil {
		return payload.Blob{}, fmt.Errorf("cannot read back the download: %w", err)
	}
	return d.blob(), nil
}

// watchedReader reports progress, notes that the server is alive, and stops a body that is longer than the lock says.
type watchedReader struct {
	t     *transfer
	r     io.Reader
	n     int64
	idle  *time.Timer
	stall time.Duration
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.idle.Reset(w.stall)
	w.n += int64(n)
	done := w.t.done + w.n
	if w.t.want.Size > 0 && done > w.t.want.Size {
		return n, fmt.Errorf("%w: more than the %d bytes the lock says", errOtherFile, w.t.want.Size)
	}
	w.t.d.Report.report(StageFetch, w.t.name, done, max(w.t.total, w.t.want.Size))
	return n, err
}

func (d *Downloader) stall() time.Duration {
	if d.Stall > 0 {
		return d.Stall
	}
	return time.Minute
}

// client is the HTTP client, made on first use.
func (d *Downloader) client() *retryablehttp.Client {
	if d.Client == nil {
		d.Client = retryablehttp.NewClient()
		d.Client.Logger = nil
		// The last answer is more telling than "giving up after 5 attempts".
		d.Client.ErrorHandler = retryablehttp.PassthroughErrorHandler
		if transport, ok := d.Client.HTTPClient.Transport.(*http.Transport); ok {
			transport.ResponseHeaderTimeout = d.stall()
		}
	}
	return d.Client
}
