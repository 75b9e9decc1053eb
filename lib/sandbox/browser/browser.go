// Package browser provides a headless Chromium in which tests look at the sandbox's page
// as a person does.
package browser

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// limit bounds a whole test with a browser on a slow machine.
const limit = 5 * time.Minute

// Open opens a page of a sandbox, in a window of the size, and waits until it is live.
// Where there is no Chromium the test is skipped, but not where CI is true.
func Open(t *testing.T, address string, width, height int) context.Context {
	t.Helper()
	path := find()
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
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	return Tab(t, ctx, address, width, height)
}

// Tab opens a page in a further tab of the browser that a context is in, after what is to
// be done before.
func Tab(t *testing.T, ctx context.Context, address string, width, height int, before ...chromedp.Action[chromedp.Void]) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	Do(t, ctx, before...)
	Do(t, ctx, chromedp.EmulateViewport(int64(width), int64(height)), chromedp.Navigate(address), Live)
	return ctx
}

// Live waits until the page shows the sandbox as it is.
func Live(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	return Until(`document.querySelector("#live.on") && document.querySelectorAll("#tabs button").length > 0`)(ctx, t)
}

func find() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Do does what a person does, one thing after the other.
func Do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// Until waits until an expression in the page is true.
func Until(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(0)) // the limit is the bound
}

// Value is what an expression in the page is.
func Value[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Theme shows the page as to those who want it dark, or light.
func Theme(theme string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		feature := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: theme}
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{feature}})
		return chromedp.Void{}, err
	}
}
