package report

import (
	"bytes"
	"errors"
	"image"
	_ "image/png"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// elsewhere is the address that hostile texts name.
const elsewhere = "192.0.2.1"

// mediaBox is the size of a page of a PDF file, in points.
var mediaBox = regexp.MustCompile(`/MediaBox\s*\[\s*0\s+0\s+([0-9.]+)\s+([0-9.]+)\s*\]`)

// browser is a headless Chromium and a proxy through which all its requests would go.
type browser struct {
	t       *testing.T
	program string
	proxy   *httptest.Server
	mu      sync.Mutex
	asked   []string
}

// newBrowser skips the test where there is no Chromium: it is large, and nothing else needs it. Debian's smallest
// package with one is chromium-headless-shell.
func newBrowser(t *testing.T) *browser {
	if testing.Short() {
		t.Skip("starts a browser five times")
	}
	b := &browser{t: t}
	for _, name := range []string{"chromium-headless-shell", "chromium"} {
		if path, err := exec.LookPath(name); err == nil {
			b.program = path
			break
		}
	}
	if b.program == "" {
		t.Skip("no Chromium is installed: apt-get install chromium-headless-shell fonts-wqy-microhei")
	}
	listener, err := net.Listen("tcp", "127.77.16.8:0")
	if err != nil {
		t.Fatal(err)
	}
	b.proxy = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.RequestURI, elsewhere) { // the browser asks for things of its own, too
			b.mu.Lock()
			b.asked = append(b.asked, r.Method+" "+r.RequestURI)
			b.mu.Unlock()
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	b.proxy.Listener.Close()
	b.proxy.Listener = listener
	b.proxy.Start()
	t.Cleanup(b.proxy.Close)
	return b
}

// open shows a page and returns the file that flag makes of it, and the requests that the page made.
func (b *browser) open(page, flag string) (made []byte, asked []string) {
	b.t.Helper()
	dir := b.t.TempDir()
	in, out := filepath.Join(dir, "page.html"), filepath.Join(dir, "out.png")
	if err := os.WriteFile(in, []byte(page), 0o644); err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.CommandContext(b.t.Context(), b.program, "--headless", "--no-sandbox", "--disable-gpu",
		"--disable-background-networking", "--disable-component-update", "--no-first-run",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--proxy-server="+b.proxy.Listener.Addr().String(),
		"--proxy-bypass-list=<-loopback>", "--window-size=900,1800", "--no-pdf-header-footer", flag+"="+out,
		"file://"+in)
	text, err := cmd.CombinedOutput()
	if err == nil {
		made, err = os.ReadFile(out)
	}
	if err != nil {
		b.t.Fatalf("%v\n%s", err, text)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	asked, b.asked = b.asked, nil
	return made, asked
}

// TestBrowser opens the pages in a real browser: it shows something, asks the network for nothing, and prints on A4.
func TestBrowser(t *testing.T) {
	b := newBrowser(t)
	// The proxy sees what a page asks for.
	if _, asked := b.open(`<img src="http://`+elsewhere+`/p">`, "--screenshot"); !slices.Contains(asked,
		"GET http://"+elsewhere+"/p") {
		t.Fatalf("the proxy did not see the request of a page: %q", asked)
	}
	for what, page := range map[string]string{
		"English": pageOf(t, sample(), "en"), "Chinese": pageOf(t, sample(), "zh"),
		"hostile": pageOf(t, spoiled(hostile), "en"),
	} {
		picture, asked := b.open(page, "--screenshot")
		if len(asked) > 0 {
			t.Errorf("%s: the page asks the network for %q", what, asked)
		}
		checkPicture(t, what, picture)
	}
	pdf, _ := b.open(pageOf(t, sample(), "zh"), "--print-to-pdf")
	boxes := mediaBox.FindAllSubmatch(pdf, -1)
	if len(boxes) == 0 {
		t.Error("the PDF file says no size of its pages")
	}
	for _, box := range boxes {
		width, err1 := strconv.ParseFloat(string(box[1]), 64)
		height, err2 := strconv.ParseFloat(string(box[2]), 64)
		const a4Width, a4Height = 210 / 25.4 * 72, 297 / 25.4 * 72
		if err := errors.Join(err1, err2); err != nil || math.Abs(width-a4Width) > 1 || math.Abs(height-a4Height) > 1 {
			t.Errorf("it does not print on A4: %q, %v", box[0], err)
		}
	}
}

// checkPicture wants text on a white page: some dark pixels, many light ones, and the red of a refusal.
func checkPicture(t *testing.T, what string, data []byte) {
	t.Helper()
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	dark, light, red, all := 0, 0, 0, 0
	bounds := picture.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			all++
			switch {
			case r>>8 > 0x90 && g>>8 < 0x40 && b>>8 < 0x40:
				red++
			case r>>8 < 0x60 && g>>8 < 0x60 && b>>8 < 0x60:
				dark++
			case r>>8 > 0xf0 && g>>8 > 0xf0 && b>>8 > 0xf0:
				light++
			}
		}
	}
	if dark*200 < all || light*2 < all || red < 500 {
		t.Errorf("%s: of %d pixels %d are dark, %d light and %d red", what, all, dark, light, red)
	}
}
