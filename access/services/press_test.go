package services_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/browser"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// A person approves on the page with one press: Teleport has the review in that
// person's name, the person alone sees the answer, and the buttons are gone.
func TestAPersonApprovesOnThePage(t *testing.T) {
	for _, s := range services.All() {
		if !s.Presses() {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			sb := withPlugin(t, s)
			id, err := sb.Cluster().CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"editor"}, Reason: "disk full"})
			if err != nil {
				t.Fatal(err)
			}
			said := press(t, sb, s.Name, cluster.Bob)
			if !strings.Contains(said, "Only visible to "+cluster.Bob) || !strings.Contains(said, "approved this request") {
				t.Errorf("the person sees %q", said)
			}
			req, _ := sb.Cluster().Request(id)
			if !slices.ContainsFunc(req.GetReviews(), func(r types.AccessReview) bool { return r.Author == cluster.Bob }) || !req.GetState().IsApproved() {
				t.Errorf("the request is %v, with reviews %v", req.GetState(), req.GetReviews())
			}
		})
	}
}

// withPlugin is a sandbox with one service, and the plugin that belongs to it.
func withPlugin(t *testing.T, s farend.Service) *sandbox.Sandbox {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{Services: []farend.Service{s}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sb.Close() })
	config, err := sb.WriteConfig(t.TempDir(), s.Name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- plugin.Serve(ctx, s.Integration, config, zap.NewNop()) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return sb
}

// press presses Approve on the page as a person, waits until the buttons are gone, and
// returns what the page then shows to that person alone.
func press(t *testing.T, sb *sandbox.Sandbox, service, person string) (said string) {
	t.Helper()
	awaitListener(t, sb, service)
	server := httptest.NewServer(sb.Handler())
	t.Cleanup(server.Close)
	panel := "#panel-" + service
	ctx := browser.Open(t, server.URL, 1280, 900)
	browser.Do(t, ctx,
		chromedp.WaitVisible(panel+" .messages button.button"),
		chromedp.SetValue(panel+" .who select", person),
		chromedp.Click(panel+" .messages button.button"),
		chromedp.WaitVisible(panel+" .whisper"),
		browser.Until(`document.querySelectorAll("`+panel+` .messages button.button").length === 0`),
	)
	said, err := chromedp.Run(ctx, chromedp.Text(panel+" .whisper"))
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// awaitListener waits until presses reach the plugin: a message may stand before they do,
// and the service says so to whoever presses then.
func awaitListener(t *testing.T, sb *sandbox.Sandbox, service string) {
	t.Helper()
	far, err := sb.FarEnd(service)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if now, _ := far.(farend.PressFaults).Connected(); now > 0 {
			return
		}
		if !pace.Sleep(ctx, 10*time.Millisecond) {
			t.Fatal("nobody listens for presses")
		}
	}
}
