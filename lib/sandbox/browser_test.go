package sandbox_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"teleport-plugins/lib/sandbox"
)

// browserTime bounds a whole test with a browser on a slow machine.
const browserTime = 2 * time.Minute

// browser opens the sandbox's page in a headless Chromium. Where there is none
// the test is skipped, but not where CI is true.
func browser(t *testing.T, sb *sandbox.Sandbox, width, height int) context.Context {
	t.Helper()
	server := httptest.NewServer(sb.Handler())
	t.Cleanup(server.Close)
	return browserAt(t, server.URL, width, height)
}

// browserAt opens a page of a sandbox.
func browserAt(t *testing.T, address string, width, height int) context.Context {
	t.Helper()
	path := chromium()
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no Chromium to try the page in; install the package chromium")
		}
		t.Skip("there is no Chromium to try the page in; install the package chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(width, height))
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // Chromium's own refuses to work for root.
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	do(t, ctx, chromedp.EmulateViewport(int64(width), int64(height)), chromedp.Navigate(address), chromedp.WaitVisible(`#live.on`), chromedp.WaitVisible(`#tabs button`))
	return ctx
}

func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// until waits until an expression in the page is true.
func until(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Poll[chromedp.Void](expression)
}
