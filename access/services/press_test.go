package services_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// A person approves on the page with one press: Teleport has the review in that
// person's name, the person alone sees the answer, and the buttons are gone.
func TestAPersonApprovesOnThePage(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no Chromium to try the page in; install the package chromium")
		}
		t.Skip("there is no Chromium to try the page in; install the package chromium")
	}
	for _, s := range services.All() {
		if _, ok := s.Simulate(farend.Options{}).(farend.Reviewing); !ok {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			sb, err := sandbox.Start(sandbox.Options{Services: []farend.Service{s}})
			if err != nil {
				t.Fatal(err)
			}
			defer sb.Close() //nolint:errcheck // the test is over
			config, err := sb.WriteConfig(t.TempDir(), s.Name)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- plugin.Serve(ctx, s.Integration, config, zap.NewNop()) }()
			defer func() {
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
			server := httptest.NewServer(sb.Handler())
			defer server.Close()
			id, err := sb.Cluster().CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"editor"}, Reason: "disk full"})
			if err != nil {
				t.Fatal(err)
			}
			said := press(t, path, server.URL, s.Name, cluster.Bob)
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

// press presses Approve on the page as a person, waits until the buttons are gone, and
// returns what the page then shows to that person alone.
func press(t *testing.T, chromium, address, service, person string) (said string) {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.WindowSize(1280, 900))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's own refuses to work for root.
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	panel := "#panel-" + service
	err := chromedp.Do(ctx,
		chromedp.Navigate(address),
		chromedp.WaitVisible(panel+" .messages button.button"),
		chromedp.SetValue(panel+" .who select", person),
		chromedp.Click(panel+" .messages button.button"),
		chromedp.WaitVisible(panel+" .whisper"),
		chromedp.Poll[chromedp.Void](`document.querySelectorAll("`+panel+` .messages button.button").length === 0`),
	)
	if err != nil {
		t.Fatal(err)
	}
	said, err = chromedp.Run(ctx, chromedp.Text(panel+" .whisper"))
	if err != nil {
		t.Fatal(err)
	}
	return said
}
