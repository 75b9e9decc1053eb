package page_test

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"teleport-plugins/lib/sandbox/browser"
)

// stops bounds how many things one may have to pass on the way to another.
const stops = 150

// front brings a tab to the front.
func front(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	_, err := cdp.Call(ctx, t, page.BringToFront, cdp.Empty{})
	return chromedp.Void{}, err
}

// reach goes to something by the key Tab. Wherever it comes by, one sees where one is.
func (s *stage) reach(ctx context.Context, selector string) {
	s.Helper()
	for range stops {
		browser.Do(s.T, ctx, chromedp.KeyEvent(kb.Tab))
		if browser.Value[bool](s.T, ctx, fmt.Sprintf(`document.activeElement.matches(%q)`, selector)) {
			return
		}
		unseen := browser.Value[string](s.T, ctx, `(() => {
			const e = document.activeElement, seen = e.matches(".chip input") ? e.nextElementSibling : e;
			return e === document.body || getComputedStyle(seen).outlineStyle !== "none" ? "" : e.outerHTML.slice(0, 80);
		})()`)
		if unseen != "" {
			s.Errorf("one does not see that one is at %s", unseen)
		}
	}
	s.Fatalf("the key Tab does not lead to %s", selector)
}

func keyboard(s *stage) {
	for i, size := range sizes {
		ctx := browser.Open(s.T, s.url(), size[0], size[1])
		reason := fmt.Sprint("by keyboard, ", i)
		s.reach(ctx, `#new-reason`)
		browser.Do(s.T, ctx, chromedp.KeyEvent(reason))
		s.reach(ctx, `#new button[type=submit]`)
		browser.Do(s.T, ctx, chromedp.KeyEvent(kb.Enter), browser.Until(fmt.Sprintf(`document.querySelector("#requests .reason")?.textContent === %q`, reason)))

		s.reach(ctx, `#requests .request .approve`)
		browser.Do(s.T, ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`#requests .request .state.approved`))

		s.reach(ctx, `#plugins .pill`)
		browser.Do(s.T, ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`#plugin-log`))
		s.reach(ctx, `#plugin-close`)
		browser.Do(s.T, ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitNotVisible(`#plugin`), browser.Until(`document.activeElement.matches("#plugins .pill")`))

		s.reach(ctx, `#scenes [data-scene=down]`)
		browser.Do(s.T, ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`#play-stop`))
		s.reach(ctx, `#play-stop`)
		browser.Do(s.T, ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitNotVisible(`#play-stop`))
		s.until("the scene is over", func() bool { return s.State(1).Play.Over })

		if size[0] > 1700 {
			continue // all services are there at once
		}
		s.reach(ctx, `#tabs [aria-selected=true]`)
		browser.Do(s.T, ctx, chromedp.KeyEvent(kb.ArrowRight), browser.Until(`document.activeElement === document.querySelector("#tabs [aria-selected=true]") && document.activeElement !== document.querySelector("#tabs button")`))
	}
}
