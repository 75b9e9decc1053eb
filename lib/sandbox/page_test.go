package sandbox_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/browser"
	"teleport-plugins/lib/sandbox/cluster"
)

// fakePlugin posts the reason of each request, unescaped, and edits the
// message when the request is decided: as the page is concerned, a plugin.
type fakePlugin struct {
	t      *testing.T
	sb     *sandbox.Sandbox
	posted map[string]string // request to message
}

func startFakePlugin(t *testing.T, sb *sandbox.Sandbox) {
	t.Helper()
	p := &fakePlugin{t: t, sb: sb, posted: make(map[string]string)}
	changes, end := sb.Cluster().OnChange()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-changes:
				p.sync()
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() { stop(); running.Wait(); end() })
}

func (p *fakePlugin) sync() {
	for _, r := range p.sb.State(0).Requests {
		text := r.User + " asks: " + r.Reason
		if ts, ok := p.posted[r.ID]; !ok {
			p.posted[r.ID] = example(p.sb).note("", text)
		} else if r.State != "PENDING" {
			example(p.sb).note(ts, text+" is "+r.State)
		}
	}
}

// Everything a person does on the page: ask, see the message, review, see it
// change, without ever loading the page again.
func TestPageFromRequestToDecision(t *testing.T) {
	sb := start(t, sandbox.Options{})
	startFakePlugin(t, sb)
	ctx := open(t, sb, 1280, 800)
	const message = `#panel-example .messages > .message .said`
	browser.Do(t, ctx,
		chromedp.SetValue(`#new-user`, "alice@example.com"),
		chromedp.SendKeys(`#new-reason`, "to fix the checkout"),
		chromedp.Click(`#new button[type=submit]`),
		chromedp.WaitVisible(message),
		chromedp.WaitVisible(`#requests .request .state.pending`),
	)
	if got := text(t, ctx, message); !strings.Contains(got, "alice@example.com asks: to fix the checkout") {
		t.Errorf("the message reads %q", got)
	}
	browser.Do(t, ctx,
		chromedp.SetValue(`#requests .review select`, "bob@example.com"),
		chromedp.SendKeys(`#requests .review input`, "fine"),
		chromedp.Click(`#requests .approve`),
		chromedp.WaitVisible(`#requests .request .state.approved`),
		chromedp.WaitVisible(message+` .edited`),
	)
	if got := text(t, ctx, message); !strings.Contains(got, "is APPROVED") {
		t.Errorf("after the review the message reads %q", got)
	}
	r := sb.State(0).Requests[0]
	if len(r.Reviews) != 1 || r.Reviews[0].Author != "bob@example.com" || r.Reviews[0].Reason != "fine" {
		t.Errorf("the cluster has the reviews %+v", r.Reviews)
	}
}

// Text that people wrote stays text wherever the page shows it.
func TestPageShowsHostileTextAsText(t *testing.T) {
	for _, hostile := range []string{
		`<img src=x onerror="document.title='pwned'">`,
		`<script>document.title='pwned'</script>`,
		`<javascript:document.title='pwned'|click me>`,
		`"><svg onload="document.title='pwned'">`,
	} {
		t.Run(hostile, func(t *testing.T) {
			sb := start(t, sandbox.Options{})
			startFakePlugin(t, sb)
			ctx := open(t, sb, 1280, 800)
			browser.Do(t, ctx,
				chromedp.SendKeys(`#new-reason`, hostile),
				chromedp.Click(`#new button[type=submit]`),
				chromedp.WaitVisible(`#panel-example .messages > .message`),
				chromedp.WaitVisible(`#requests .reason`),
			)
			if got := text(t, ctx, `#requests .reason`); got != hostile {
				t.Errorf("the request shows the reason %q", got)
			}
			found := value[int](t, ctx, `document.querySelectorAll("main img, main script, main svg, main [onerror], main [onload], main a[href^='javascript']").length`)
			if title := value[string](t, ctx, `document.title`); found != 0 || title != "Access request sandbox" {
				t.Errorf("the text became %d elements; the title is %q", found, title)
			}
		})
	}
}

// A sign is drawn where it stands. The words beside it stay words, whatever they mean to
// the page itself.
func TestPageDrawsSignsAndLeavesTheWordsBesideThem(t *testing.T) {
	sb := start(t, sandbox.Options{})
	startFakePlugin(t, sb)
	ctx := open(t, sb, 1280, 800)
	for i, reason := range []string{"\u2705constructor", "\u2705lock", "\u274cout\u2705toString"} {
		if _, err := sb.Cluster().CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"demo-role"}, Reason: reason}); err != nil {
			t.Fatal(err)
		}
		message := fmt.Sprintf(`[...document.querySelectorAll("#panel-example .messages > .message .said")][%d]`, i)
		words := strings.NewReplacer("\u2705", "", "\u274c", "").Replace(reason)
		browser.Do(t, ctx, browser.Until(fmt.Sprintf(`%s?.textContent.endsWith(%q)`, message, "asks: "+words)))
		signs := strings.Count(reason, "\u2705") + strings.Count(reason, "\u274c")
		if n := value[int](t, ctx, message+`.querySelectorAll("svg").length`); n != signs {
			t.Errorf("%q has %d drawn signs", reason, n)
		}
	}
}

// Nothing on the page needs a mouse, and every field says what it is.
func TestPageCanBeUsedWithoutMouseOrEyes(t *testing.T) {
	sb := start(t, sandbox.Options{})
	create(t, sb)
	ctx := open(t, sb, 1280, 800)
	browser.Do(t, ctx, chromedp.WaitVisible(`#requests .request`))
	nameless := value[[]string](t, ctx, `[...document.querySelectorAll("input, select, textarea, button")]
		.filter((e) => !(e.ariaLabel || e.labels?.length || e.textContent.trim() && e.tagName === "BUTTON"))
		.map((e) => e.outerHTML)`)
	if len(nameless) > 0 {
		t.Errorf("these have no name: %v", nameless)
	}
	browser.Do(t, ctx,
		chromedp.Focus(`#tab-example`), chromedp.KeyEvent(kb.ArrowRight),
		browser.Until(`document.getElementById("tab-another").getAttribute("aria-selected") === "true" && document.activeElement.id === "tab-another"`),
		chromedp.Focus(`#faults > summary`), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`#fault-form`),
	)
}

// The page fits a phone.
func TestPageFitsNarrowScreens(t *testing.T) {
	sb := start(t, sandbox.Options{})
	create(t, sb)
	ctx := open(t, sb, 380, 800)
	browser.Do(t, ctx, chromedp.WaitVisible(`#requests .request`))
	if wide := value[int](t, ctx, `document.documentElement.scrollWidth`); wide > 380 {
		t.Errorf("on a screen of 380 pixels the page is %d wide", wide)
	}
}

// What is set by hand takes effect, and the page shows what is in force, also what
// others have set.
func TestPageSetsFaults(t *testing.T) {
	sb := start(t, sandbox.Options{})
	ctx := open(t, sb, 1280, 800)
	browser.Do(t, ctx,
		chromedp.Click(`#faults > summary`), chromedp.WaitVisible(`#fault-form button`),
		chromedp.Click(`#fault-form button`), browser.Until(`document.querySelectorAll("#faults-list .fault").length === 1`),
	)
	if list := example(sb).Faults().List(); len(list) != 1 || list[0].Effect != "rate_limit" || list[0].RetryAfterMS != 5000 {
		t.Errorf("the service has the faults %+v", list)
	}
	if err := sb.ChangeFaults(sandbox.FaultChange{Deny: &sandbox.Denial{Kind: "role", Verbs: []string{"read"}}}); err != nil {
		t.Fatal(err)
	}
	browser.Do(t, ctx,
		browser.Until(`document.querySelectorAll("#faults-list .fault").length === 2`),
		chromedp.Click(`#faults-clear`), browser.Until(`document.querySelectorAll("#faults-list .fault").length === 0`),
	)
	if f := sb.Faults(); len(f.Services["example"])+len(f.Denied) != 0 {
		t.Errorf("these faults are still in force: %+v", f)
	}
}

// A switch is set by a click.
func TestPageSetsSwitches(t *testing.T) {
	sb := start(t, sandbox.Options{})
	ctx := open(t, sb, 1280, 800)
	browser.Do(t, ctx, chromedp.Click(`#panel-example details > summary`), chromedp.Click(`#panel-example input[aria-label="The light is on"]`))
	waitFor(t, sb, func() bool { return example(sb).Panel(0).Switches[0].On })
}

func text(t *testing.T, ctx context.Context, selector string) string {
	t.Helper()
	return value[string](t, ctx, fmt.Sprintf("document.querySelector(%q).textContent", selector))
}

func value[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
