// Package browsertest opens pages, from disk or of a server, in a headless Chromium, for
// tests: what a reader would see, and whether a page keeps to itself.
package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// RequireEnv is the environment variable that, set to 1, fails tests which would
// skip for want of a browser.
const RequireEnv = "T2SDA_REQUIRE_CHROMIUM"

// timeout is for all that a test does with its page; it takes a second or two.
const timeout = 2 * time.Minute

// Page is an opened page.
type Page struct {
	t   testing.TB
	ctx context.Context
	url string
	own string // what the addresses begin with that the page may fetch; empty: none but its own

	mu       sync.Mutex
	problems []string
}

// chromium returns the browser's path. It skips the test where there is none.
func chromium(t testing.TB) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing := fmt.Sprintf("no browser found (%s): install Debian's package chromium", strings.Join(names, ", "))
	if os.Getenv(RequireEnv) == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// Open loads the HTML file and waits until it is complete. The browser ends with
// the test. It skips the test where no Chromium is installed, unless
// [RequireEnv] is set.
func Open(t testing.TB, path string) *Page {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, &Page{url: (&url.URL{Scheme: "file", Path: path}).String()})
}

// OpenServed is [Open] for the page at a server's root, http://host:port/, which may
// fetch what that server gives.
func OpenServed(t testing.TB, root string) *Page {
	t.Helper()
	return open(t, &Page{url: root, own: root})
}

func open(t testing.TB, p *Page) *Page {
	t.Helper()
	p.t = t
	options := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)),
		chromedp.NoSandbox, // needs rights that containers and root lack; the pages are our own
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	ctx, cancelTime := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancelTime)
	ctx, cancelBrowser := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancelBrowser)
	var cancelTab context.CancelFunc
	p.ctx, cancelTab = chromedp.NewContext(ctx, chromedp.WithListener(p.watch)) // with the domains network, runtime and log enabled
	t.Cleanup(cancelTab)
	if err := chromedp.Do(p.ctx, chromedp.Navigate(p.url)); err != nil { // waits for the page's load event
		t.Fatalf("open %s in Chromium: %v", p.url, err)
	}
	return p
}

// watch notes what a page that keeps to itself does not do.
func (p *Page) watch(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; u != p.url && !strings.HasPrefix(u, "data:") && !p.isOwn(u) {
			p.note("the page fetches %s", u)
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil && thrown.Description != "" {
			text = thrown.Description
		}
		p.note("exception: %s", text)
	case *runtime.EventConsoleAPICalled:
		p.note("console.%s is called", e.Type)
	case *log.EventEntryAdded:
		p.note("the browser logs: %s", e.Entry.Text)
	}
}

// isOwn reports whether an address is of the page's server, or of what the page made.
func (p *Page) isOwn(address string) bool {
	return p.own != "" && (strings.HasPrefix(address, p.own) || strings.HasPrefix(address, "blob:"+p.own))
}

func (p *Page) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

// Eval returns the value of a JavaScript expression in the page.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// Await is [Eval] of an expression whose value is a promise: the value that it comes to.
func Await[T any](p *Page, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// Until waits until a JavaScript expression is true.
func (p *Page) Until(expression string) {
	p.t.Helper()
	if !Await[bool](p, `(async () => { for (let i = 0; i < 600; i++) { if (`+expression+`) return true; await new Promise(r => setTimeout(r, 50)); } return false })()`) {
		p.t.Fatalf("within half a minute, this did not become true: %s", expression)
	}
}

// MoveMouse moves the mouse to a position of the window, CSS pixels.
func (p *Page) MoveMouse(x, y float64) { p.do(chromedp.MouseEvent(chromedp.MouseMoved, x, y)) }

// Press presses a key: a character, or one of chromedp's kb.
func (p *Page) Press(key string) { p.do(chromedp.KeyEvent(key)) }

func (p *Page) do(a chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, a); err != nil {
		p.t.Fatal(err)
	}
}

// Resize lays the page out for a window of so many CSS pixels.
func (p *Page) Resize(width, height int) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(int64(width), int64(height)))
}

// faults lists what is wrong with the loaded page.
const faults = `(own => [
	...[...document.images].filter(i => !i.complete || i.naturalWidth == 0).map(i => "image is broken: " + i.alt),
	...[...document.images].filter(i => i.alt.trim() == "").map(i => "image without alt: " + i.src.slice(0, 60)),
	...[...document.querySelectorAll("a[href]")].map(a => a.getAttribute("href")).filter(h => !own(h))
		.filter(h => !h.startsWith("#") || !document.getElementById(h.slice(1))).map(h => "link leads nowhere: " + h),
	...(document.title.trim() == "" ? ["no title"] : []),
])`

// Problems lists what no page of ours may have: requests for anything but the
// page itself (and what its own server gives), messages of the browser, pictures that are broken or have no
// alternative text, links that lead out of the page or nowhere, no title, and
// content wider than a desktop's or a phone's window. The page is left at the
// phone's width.
func (p *Page) Problems() []string {
	p.t.Helper()
	own := "h => false"
	if p.own != "" {
		own = `h => h.startsWith("/")`
	}
	found := Eval[[]string](p, faults+"("+own+")")
	for _, width := range []int{1280, 390} {
		p.Resize(width, 900)
		content := Eval[int](p, "document.documentElement.scrollWidth")
		if content > width {
			found = append(found, fmt.Sprintf("the content is %d wide in a window of %d", content, width))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(found, p.problems...)
}
