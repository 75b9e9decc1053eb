package services_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/browser"
)

// The page with all services fits a laptop, a tablet and a phone.
func TestThePageFitsWithAllServices(t *testing.T) {
	sb, err := sandbox.Start(sandbox.Options{Services: services.All()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	server := httptest.NewServer(sb.Handler())
	t.Cleanup(server.Close)
	for _, width := range []int{1280, 820, 380} {
		ctx := browser.Open(t, server.URL, width, 800)
		browser.Do(t, ctx, chromedp.WaitVisible(fmt.Sprintf("#tabs button:nth-child(%d)", len(services.All()))))
		for _, element := range []string{"document.documentElement", `document.querySelector("#tabs")`, `document.querySelector(".top")`} {
			wide, err := chromedp.Run(ctx, chromedp.Evaluate[int](element+".scrollWidth"))
			if err != nil || wide > width {
				t.Errorf("on a screen of %d pixels %s is %d wide (%v)", width, element, wide, err)
			}
		}
	}
}
