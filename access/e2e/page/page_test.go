package page_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/browser"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/tally"
)

// What the page must be, in a browser, with the plugins as they ship.
func TestThePage(t *testing.T) {
	for _, check := range []struct {
		name    string
		plugins []string
		holds   func(*stage)
	}{
		{"opens with three sentences that can be read, at each size, light and dark", none(), opening},
		{"shows all services on a wide screen, and one at a time elsewhere", none(), sideBySide},
		{"says whether plugins are ready, and not only that they run", all(), readiness},
		{"serves seven tabs from one stream", none(), sevenTabs},
		{"asks once when somebody clicks twice", none(), askedOnce},
		{"hides nothing behind the faults, and shows what is in force", none(), docked},
		{"needs no font for emoji", all(), noEmoji},
		{"goes on when another sandbox takes the place of one that is gone", none(), goneAndBack},
		{"plays every scene by one click, and heals what it breaks", all(), scenes},
		{"counts what is wrong, as the API does, and as it is", first(), counters},
		{"stays small with a thousand requests", first(), thousand},
		{"can be used by keyboard alone", first(), keyboard},
	} {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel() // most of the time they wait
			check.holds(set(t, "", check.plugins))
		})
	}
}

// shown is how many elements of a kind can be seen.
func shown(selector string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%q)].filter((e) => e.checkVisibility()).length`, selector)
}

// illegible lists texts that do not stand out against what is behind them, by WCAG AA.
const illegible = `(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = (e) => {
    const layers = [];
    for (; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  return [...document.body.querySelectorAll("*")].filter((e) => e.checkVisibility() && !e.closest("[aria-disabled=true]") && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())).flatMap((e) => {
    const ground = behind(e);
    const [a, b] = [light(over(rgba(getComputedStyle(e).color), ground)), light(ground)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return contrast < 4.5 ? [contrast.toFixed(2) + " " + e.tagName + "." + e.className + ": " + e.textContent.trim().slice(0, 40)] : [];
  });
})()`

func opening(s *stage) {
	s.ask(cluster.Alice, "to fix the checkout")
	for _, size := range sizes {
		ctx := browser.Open(s.T, s.url(), size[0], size[1])
		browser.Do(s.T, ctx, browser.Until(`document.querySelectorAll("#requests .request").length === 1 && document.querySelectorAll("#timeline li").length > 0`))
		intro := browser.Value[string](s.T, ctx, `document.querySelector("#intro").textContent`)
		if strings.Count(intro, ".") != 3 {
			s.Errorf("the opening has not three sentences: %q", intro)
		}
		if wide := browser.Value[int](s.T, ctx, `document.documentElement.scrollWidth`); wide > size[0] {
			s.Errorf("at %v the page is %d wide", size, wide)
		}
		for _, theme := range []string{"light", "dark"} {
			browser.Do(s.T, ctx, browser.Theme(theme), settled)
			if bad := browser.Value[[]string](s.T, ctx, illegible); len(bad) > 0 {
				s.Errorf("at %v, %s, these cannot be read: %q", size, theme, bad)
			}
		}
	}
}

// settled waits until nothing moves.
func settled(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	_, err := chromedp.Evaluate[bool](`Promise.all(document.getAnimations().map((a) => a.finished.catch(() => 0))).then(() => true)`, chromedp.EvalAwaitPromise)(ctx, t)
	return chromedp.Void{}, err
}

func sideBySide(s *stage) {
	for i, want := range []int{len(all()), 1, 1} {
		ctx := browser.Open(s.T, s.url(), sizes[i][0], sizes[i][1])
		if got := browser.Value[int](s.T, ctx, shown(".panel")); got != want {
			s.Errorf("at %v there are %d services, want %d", sizes[i], got, want)
		}
	}
}

func readiness(s *stage) {
	ctx := browser.Open(s.T, s.url(), 1280, 800)
	pills := func(style string) chromedp.Action[chromedp.Void] {
		return browser.Until(fmt.Sprintf(`document.querySelectorAll("#plugins .pill.%s").length === %d`, style, len(all())))
	}
	browser.Do(s.T, ctx, pills("up"))
	s.act(sandbox.FaultChange{Action: "stop_cluster"})
	browser.Do(s.T, ctx, pills("down"),
		browser.Until(`[...document.querySelectorAll("#plugins .pill")].every((p) => p.textContent.includes("not ready") && p.title.includes("not connected"))`))
	s.act(sandbox.FaultChange{Action: "resume_cluster"})
	browser.Do(s.T, ctx, pills("up"))
}

func (s *stage) act(c sandbox.FaultChange) {
	s.Helper()
	if err := s.ChangeFaults(c); err != nil {
		s.Fatal(err)
	}
}

func sevenTabs(s *stage) {
	ctx := browser.Open(s.T, s.url(), 1280, 800)
	tabs := []context.Context{ctx}
	for range 6 {
		tabs = append(tabs, browser.Tab(s.T, ctx, s.url(), 1280, 800))
	}
	if n := len(s.streams); n != 1 {
		s.Errorf("seven tabs have %d streams", n)
	}
	// Where the browser shares nothing, a tab has a stream of its own.
	tabs = append(tabs, browser.Tab(s.T, ctx, s.url(), 1280, 800, unshared))
	if n := len(s.streams); n != 2 {
		s.Errorf("with a tab on its own there are %d streams", n)
	}
	s.ask(cluster.Alice, "for all to see")
	// A tab in the background draws nothing; whoever comes to the front sees it all.
	for _, tab := range tabs {
		browser.Do(s.T, tab, front, browser.Until(`document.querySelectorAll("#requests .request").length === 1`))
	}
}

// unshared takes from a tab what it shares with others.
func unshared(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: "delete window.SharedWorker"})
	return chromedp.Void{}, err
}

func askedOnce(s *stage) {
	ctx := browser.Open(s.T, s.url(), 1280, 800)
	one := browser.Until(`document.querySelectorAll("#requests .request").length === 1`)
	browser.Do(s.T, ctx, chromedp.SendKeys(`#new-reason`, "twice"), chromedp.DoubleClick(`#new button[type=submit]`), one)
	s.ask(cluster.Bob, "another one")
	browser.Do(s.T, ctx, browser.Until(`document.querySelectorAll("#requests .request").length >= 2`))
	if n := s.State(0).Total; n != 2 {
		s.Errorf("a double click and another request made %d requests", n)
	}
}

func docked(s *stage) {
	for _, size := range sizes[:2] {
		ctx := browser.Open(s.T, s.url(), size[0], size[1])
		browser.Do(s.T, ctx, chromedp.Click(`#faults > summary`), chromedp.WaitVisible(`#fault-form button`), chromedp.Click(`#fault-form button`),
			browser.Until(`document.querySelectorAll("#faults-list .fault").length === 1`), chromedp.WaitVisible(`#force`))
		covered := browser.Value[bool](s.T, ctx, `(() => {
			const box = document.querySelector(".panel:not([hidden])").getBoundingClientRect();
			return [0.1, 0.5, 0.9].some((x) => !document.elementFromPoint(box.left + box.width * x, box.top + box.height / 2).closest(".panel"));
		})()`)
		if covered {
			s.Errorf("at %v the faults hide a service", size)
		}
		browser.Do(s.T, ctx, chromedp.Click(`#faults-clear`), chromedp.WaitNotVisible(`#force`))
	}
}

func noEmoji(s *stage) {
	ids := []string{s.ask(cluster.Alice, "one"), s.ask(cluster.Alice, "two"), s.ask(cluster.Alice, "three")}
	for i, state := range []types.RequestState{types.RequestState_APPROVED, types.RequestState_DENIED} {
		if err := s.Cluster().Review(ids[i], cluster.Bob, state, ""); err != nil {
			s.Fatal(err)
		}
	}
	s.until("all is told", func() bool { return s.Tally().Total.Clean() })
	ctx := browser.Open(s.T, s.url(), 1920, 1080)
	browser.Do(s.T, ctx, browser.Until(`document.querySelectorAll(".messages svg.glyph").length >= 3`))
	found := browser.Value[string](s.T, ctx, `(document.body.innerText.match(/\p{Emoji_Presentation}|\p{Emoji}\uFE0F/gu) || []).join(" ")`)
	if found != "" {
		s.Errorf("the page has these: %s", found)
	}
}

func goneAndBack(s *stage) {
	ctx := browser.Open(s.T, s.url(), 1280, 800)
	s.ask(cluster.Alice, "before")
	browser.Do(s.T, ctx, browser.Until(`document.querySelectorAll("#requests .request").length === 1`))
	s.leave()
	browser.Do(s.T, ctx, chromedp.WaitVisible(`#gone`), browser.Until(`!document.querySelector("#live.on")`))
	next := set(s.T, s.address, none())
	next.ask(cluster.Bob, "after")
	browser.Do(s.T, ctx, chromedp.WaitVisible(`#live.on`), browser.Until(`document.querySelector("#requests .reason")?.textContent === "after"`),
		chromedp.WaitNotVisible(`#gone`))
	if n := browser.Value[int](s.T, ctx, `document.querySelectorAll("#requests .request").length`); n != 1 {
		s.Errorf("the page shows %d requests, and the new sandbox has one", n)
	}
}

// numbers are the counters as the page shows them.
const numbers = `["expected", "in_place", "lost", "doubled", "stale"].map((n) => Number(document.getElementById("count-" + n).textContent.replaceAll(",", "")))`

// same waits until all is well or not, and the page shows what is counted then. The API
// must say the same.
func (s *stage) same(ctx context.Context, clean bool) {
	s.Helper()
	s.until("the counters settle", func() bool { return s.Tally().Total.Clean() == clean })
	want := listed(s.Tally())
	browser.Do(s.T, ctx, browser.Until(fmt.Sprintf(`JSON.stringify(%s) === %q`, numbers, want)))
	if said := listed(api[sandbox.Tally](s, "/api/tally")); said != want {
		s.Errorf("the page counts %s, and the API %s", want, said)
	}
}

// listed are the counters in the order of the page.
func listed(t sandbox.Tally) string {
	return fmt.Sprintf("[%d,%d,%d,%d,%d]", t.Total.Expected, t.Total.InPlace, t.Total.Lost, t.Total.Doubled, t.Total.Stale)
}

func scenes(s *stage) {
	if testing.Short() {
		s.Skip("the scenes take a minute")
	}
	for _, v := range services.All() {
		for _, one := range s.Scenes() {
			own := one.Service == v.Name && len(v.Scenes) > 0 && one.Name == v.Scenes[0].Name
			if v.Name != all()[0] && !own || one.Service != "" && one.Service != v.Name {
				continue
			}
			s.Run(v.Name+", "+one.Title, func(t *testing.T) { s.within(t).play(v.Name, one) })
		}
	}
}

// within is the stage in a part of the test.
func (s *stage) within(t *testing.T) *stage {
	part := *s
	part.T = t
	return &part
}

// play plays a scene by one click, and looks whether all is as it was before.
func (s *stage) play(service string, one sandbox.Scene) {
	ctx := browser.Open(s.T, s.url(), 1280, 800)
	button := fmt.Sprintf(`#scenes [data-scene="%s"]`, one.Name)
	browser.Do(s.T, ctx, chromedp.Click(`#tab-`+service), chromedp.WaitVisible(button))
	before := s.State(1).Play.Number
	browser.Do(s.T, ctx, chromedp.Click(button), chromedp.WaitVisible(`#play`))
	s.until(one.Title, func() bool { p := s.State(1).Play; return p.Number == before+1 && p.Over })
	browser.Do(s.T, ctx, browser.Until(`document.querySelector("#play-end").textContent !== "" && document.querySelector("#play-stop").hidden`))
	if end := browser.Value[string](s.T, ctx, `document.querySelector("#play-end").textContent`); !strings.HasPrefix(end, "Over: ") {
		s.Errorf("%s: %s", one.Title, end)
	}
	if f := s.Faults(); f.Cluster.RefuseConnections || len(f.Services[service]) > 0 {
		s.Errorf("%s leaves %+v", one.Title, f)
	}
	s.same(ctx, true)
}

func counters(s *stage) {
	ctx := browser.Open(s.T, s.url(), 1280, 800)
	// There is but one plugin: at the other services everything is lost, and counted so.
	s.ask(cluster.Alice, "before the fault")
	own := func() tally.Tally { return s.Tally().Services[all()[0]] }
	s.until("its own service is told", func() bool { c := own(); return c.Expected > 0 && c.Clean() })
	browser.Do(s.T, ctx,
		chromedp.Click(`#faults > summary`), chromedp.WaitVisible(`#fault-form button`),
		chromedp.SetValue(`#fault-form [name=effect]`, "cut"), chromedp.SetValue(`#fault-form [name=times]`, "0"),
		chromedp.Click(`#fault-form button`), chromedp.WaitVisible(`#force`))
	s.ask(cluster.Alice, "in the fault")
	s.same(ctx, false)
	far, err := s.FarEnd(all()[0])
	if err != nil {
		s.Fatal(err)
	}
	if c := own(); c.Expected != c.Lost+len(far.Panel(0).Sights()) {
		s.Errorf("%d announcements are there, and the counters are %+v", len(far.Panel(0).Sights()), c)
	}
	browser.Do(s.T, ctx, browser.Until(`document.querySelector(".panel:not([hidden]) .tally").textContent.includes("lost")`),
		chromedp.Click(`#faults-clear`), browser.Until(`document.querySelector(".panel:not([hidden]) .tally").textContent.endsWith("in place")`))
	if c := own(); !c.Clean() {
		s.Errorf("the page says that all is in place, and the counters are %+v", c)
	}
}

func thousand(s *stage) {
	if testing.Short() {
		s.Skip("a thousand requests take a while")
	}
	ctx := browser.Open(s.T, s.url(), 1920, 1080)
	for i := range 1000 {
		s.ask(cluster.Alice, fmt.Sprint("request ", i))
	}
	s.until("all is told", func() bool { c := s.Tally().Services[all()[0]]; return c.Expected >= 2000 && c.Clean() })
	browser.Do(s.T, ctx, browser.Until(`document.querySelector("#requests-count").textContent.endsWith("of 1000")`),
		browser.Until(`document.querySelector("#requests .reason").textContent === "request 999"`))
	if n := browser.Value[int](s.T, ctx, `document.querySelectorAll("*").length`); n > 8000 {
		s.Errorf("the page has %d elements", n)
	}
	browser.Do(s.T, ctx, chromedp.SendKeys(`#new-reason`, "one more"), chromedp.Click(`#new button[type=submit]`),
		browser.Until(`document.querySelector("#requests .reason").textContent === "one more"`))
}
