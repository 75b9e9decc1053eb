package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"teleport-plugins/lib/sandbox/browser"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestScreenshots takes the pictures of the page that documents show. It needs
// TELEPORT_SANDBOX_PAGE, the address of the page of a demo that has just begun,
// and TELEPORT_SANDBOX_SCREENSHOTS, a directory for the pictures.
func TestScreenshots(t *testing.T) {
	page, out := os.Getenv("TELEPORT_SANDBOX_PAGE"), os.Getenv("TELEPORT_SANDBOX_SCREENSHOTS")
	if page == "" || out == "" {
		t.Skip("TELEPORT_SANDBOX_PAGE and TELEPORT_SANDBOX_SCREENSHOTS do not say what to take pictures of")
	}
	ctx := browser.Open(t, page, 1280, 800)
	liven(t, ctx, page)
	names := value[[]string](t, ctx, `[...document.querySelectorAll("#tabs button")].map((b) => b.id.slice(4))`)
	for _, name := range names {
		browser.Do(t, ctx, chromedp.Click(`#tab-`+name), chromedp.WaitVisible(`#panel-`+name+` .message`))
		shot(t, ctx, out, name)
	}
	browser.Do(t, ctx, chromedp.Click(`#tab-`+names[0]), chromedp.Click(`#faults-open`), chromedp.WaitVisible(`#faults`), dark)
	shot(t, ctx, out, "dark")
	browser.Do(t, ctx, chromedp.Click(`#faults-close`), chromedp.EmulateViewport(400, 800))
	shot(t, ctx, out, "narrow")
}

// liven lets people request and review.
func liven(t *testing.T, ctx context.Context, page string) {
	t.Helper()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	post := func(path string, body any) (id string) {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(page+"/api/"+path, "application/json", bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var made struct{ ID string }
		_ = json.NewDecoder(resp.Body).Decode(&made) // reviews are answered with nothing
		return made.ID
	}
	shown := func(what string, n int) chromedp.Action[chromedp.Void] {
		return browser.Until(fmt.Sprintf("document.querySelectorAll(%q).length >= %d", what, n))
	}
	const messages = "#panels > div:first-child .messages > .message"
	first := post("requests", map[string]any{"user": "alice@example.com", "roles": []string{"demo-role"}, "reason": "Checkout errors since 14:00, see INC-2217"})
	browser.Do(t, ctx, shown(messages, 1))
	post("requests/"+first+"/reviews", map[string]any{"author": "bob@example.com", "state": "APPROVED", "reason": "Go ahead, I am watching"})
	second := post("requests", map[string]any{
		"user": "dave@example.com", "roles": []string{"prod-admin"}, "reason": "Rotate the signing keys <b>tonight</b>",
		"suggested_reviewers": []string{"carol@example.com"}, "resources": []string{"node/3f9d2b6e-5a0c-4c1e-9a57-0b8c6d1f2a10"},
	})
	browser.Do(t, ctx, shown(messages, 2), shown(messages+" .edited", 1))
	post("requests/"+second+"/reviews", map[string]any{"author": "carol@example.com", "state": "APPROVED", "reason": "Please do it in the change window"})
	browser.Do(t, ctx, shown("#panels > div:first-child .replies .message", 2))
}

func shot(t *testing.T, ctx context.Context, dir, name string) {
	t.Helper()
	browser.Do(t, ctx, chromedp.Evaluate[chromedp.Void](`Promise.all(document.getAnimations().map((a) => a.finished.catch(() => 0)))`, chromedp.EvalAwaitPromise))
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// dark shows the page as to those who want it dark.
func dark(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	feature := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: "dark"}
	_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{feature}})
	return chromedp.Void{}, err
}
