package sandbox_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/cluster"
)

// TestScreenshots takes the pictures of the page that documents show. It needs
// TELEPORT_SANDBOX_PLUGINS, a directory with the binaries of the plugins, and
// TELEPORT_SANDBOX_SCREENSHOTS, a directory for the pictures.
func TestScreenshots(t *testing.T) {
	plugins, out := os.Getenv("TELEPORT_SANDBOX_PLUGINS"), os.Getenv("TELEPORT_SANDBOX_SCREENSHOTS")
	if plugins == "" || out == "" {
		t.Skip("TELEPORT_SANDBOX_PLUGINS and TELEPORT_SANDBOX_SCREENSHOTS do not say what to take pictures of")
	}
	sb, err := sandbox.Start(sandbox.Options{Output: func(source, line string) { t.Log(source, line) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	dir := t.TempDir()
	for _, name := range sb.Services() {
		if err := sb.StartPlugin(filepath.Join(plugins, "teleport-"+name), dir); err != nil {
			t.Fatal(err)
		}
	}
	ctx := browser(t, sb, 1280, 800)
	liven(t, ctx, sb)
	shot(t, ctx, out, "slack")
	do(t, ctx, chromedp.Click(`#tab-discord`), chromedp.WaitVisible(`#panel-discord .embed`))
	shot(t, ctx, out, "discord")
	do(t, ctx, chromedp.Click(`#tab-pagerduty`), chromedp.WaitVisible(`#panel-pagerduty .incident-title`))
	shot(t, ctx, out, "pagerduty")
	do(t, ctx, chromedp.Click(`#tab-slack`), chromedp.Click(`#faults-open`), chromedp.WaitVisible(`#faults`),
		dark)
	shot(t, ctx, out, "dark")
	do(t, ctx, chromedp.Click(`#faults-close`), chromedp.EmulateViewport(400, 800))
	shot(t, ctx, out, "narrow")
}

// liven lets people request and review.
func liven(t *testing.T, ctx context.Context, sb *sandbox.Sandbox) {
	t.Helper()
	create := func(p cluster.CreateParams) string {
		id, err := sb.Cluster().CreateRequest(p)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	review := func(id, author string, state types.RequestState, reason string) {
		if err := sb.Cluster().Review(id, author, state, reason); err != nil {
			t.Fatal(err)
		}
	}
	messages := func(n string) chromedp.Action[chromedp.Void] {
		return until(`document.querySelectorAll("#panel-slack .messages > .message").length >= ` + n)
	}
	first := create(cluster.CreateParams{User: cluster.Alice, Roles: []string{"demo-role"}, Reason: "Checkout errors since 14:00, see INC-2217"})
	do(t, ctx, messages("1"))
	review(first, cluster.Bob, types.RequestState_APPROVED, "Go ahead, I am watching")
	second := create(cluster.CreateParams{
		User: cluster.Dave, Roles: []string{"prod-admin"}, SuggestedReviewers: []string{cluster.Carol},
		Reason: "Rotate the signing keys <b>tonight</b>", Resources: []types.ResourceID{{ClusterName: sb.Cluster().Name(), Kind: types.KindNode, Name: "3f9d2b6e-5a0c-4c1e-9a57-0b8c6d1f2a10"}},
	})
	do(t, ctx, messages("2"), chromedp.WaitVisible(`#panel-slack .edited`))
	review(second, cluster.Carol, types.RequestState_APPROVED, "Please do it in the change window")
	do(t, ctx, until(`document.querySelectorAll("#panel-slack .replies .message").length >= 2`))
}

func shot(t *testing.T, ctx context.Context, dir, name string) {
	t.Helper()
	do(t, ctx, chromedp.Evaluate[chromedp.Void](`Promise.all(document.getAnimations().map((a) => a.finished.catch(() => 0)))`, chromedp.EvalAwaitPromise))
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
