package page_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"teleport-plugins/lib/sandbox/browser"
)

// The pictures of the page that documents show are taken of the real page: one of a cut
// that heals, which moves, and one at each size. Run make pictures.
func TestPictures(t *testing.T) {
	dir := pictures(t)
	s := set(t, "", all())
	heal(s, filepath.Join(dir, "healing.gif"))
	still(s, filepath.Join(dir, "wide.png"), 0, "light")
	still(s, filepath.Join(dir, "laptop.png"), 1, "dark")
	still(s, filepath.Join(dir, "phone.png"), 2, "light")
}

// The moving picture is so large, and is looked at so often.
const (
	width, height = 1240, 780
	scale         = 0.75
	every         = 400 * time.Millisecond
	lastsLonger   = 3 * time.Second
)

// heal takes the moving picture, of the scene in which Teleport is cut off.
func heal(s *stage, path string) {
	ctx := browser.Open(s.T, s.url(), width, height)
	browser.Do(s.T, ctx, scaled(width, height))
	var m movie
	m.add(s.T, frame(s.T, ctx), time.Second)
	browser.Do(s.T, ctx, chromedp.Click(`#scenes [data-scene=cut]`))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for over := false; !over; <-tick.C {
		over = s.State(1).Play.Over
		m.add(s.T, frame(s.T, ctx), every)
	}
	browser.Do(s.T, ctx, chromedp.WaitNotVisible(`#play-stop`), browser.Until(fmt.Sprintf(`(%s).slice(2).every((n) => n === 0)`, numbers)), settled)
	m.add(s.T, frame(s.T, ctx), lastsLonger)
	var out bytes.Buffer
	if err := m.encode(&out); err != nil {
		s.Fatal(err)
	}
	if out.Len() > 600_000 {
		s.Errorf("the moving picture has %d bytes", out.Len())
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		s.Fatal(err)
	}
}

// scaled shows a page of a size smaller than it is.
func scaled(width, height int) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: int64(width), Height: int64(height), DeviceScaleFactor: scale,
		})
		return chromedp.Void{}, err
	}
}

// shot is what a browser shows, as a PNG.
func shot(t *testing.T, ctx context.Context) []byte {
	t.Helper()
	data, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// frame is what a browser shows, as a picture.
func frame(t *testing.T, ctx context.Context) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(shot(t, ctx)))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// still takes a picture at one of the sizes.
func still(s *stage, path string, size int, theme string) {
	ctx := browser.Open(s.T, s.url(), sizes[size][0], sizes[size][1])
	browser.Do(s.T, ctx, browser.Theme(theme), browser.Until(`document.querySelectorAll("#timeline li").length > 0`), settled)
	if size == 0 {
		browser.Do(s.T, ctx, scaled(sizes[size][0], sizes[size][1]))
	}
	if err := os.WriteFile(path, shot(s.T, ctx), 0o644); err != nil {
		s.Fatal(err)
	}
}
