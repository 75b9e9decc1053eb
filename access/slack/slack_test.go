package slack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/access/slack/slackapi/contract"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// A request as it goes by: announced, reviewed, decided, told to the requester.
// The calls are held against Slack's published descriptions.
func TestAWholeRequest(t *testing.T) {
	w := inWorkspace(t)
	ctx := t.Context()
	v := sample(reviewed("looks good", request.Approved))
	m := w.announce(sample())
	if m.Channel != general || w.at(m).Edits != 0 {
		t.Errorf("announced at %+v", m)
	}
	if err := reply(ctx, w.service, m, v, 0); err != nil {
		t.Fatal(err)
	}
	decided(request.Approved, "fine")(&v)
	if err := w.Show(ctx, m, v); err != nil {
		t.Fatal(err)
	}
	dm, err := w.Resolve(ctx, w.Requester(t.Context(), v))
	if err != nil || dm != alice {
		t.Fatalf("the requester is %q, %v", dm, err)
	}
	if err := tellRequester(ctx, w.service, dm, v); err != nil {
		t.Fatal(err)
	}
	if got := w.at(m); got.Edits != 1 || !strings.Contains(got.Rendered.Text, "APPROVED") || strings.Contains(got.Rendered.Text, "PENDING") {
		t.Errorf("the announcement is %+v", got)
	}
	thread := w.Messages(general)
	if len(thread) != 2 || thread[1].ThreadTS != m.ID || !strings.Contains(thread[1].Rendered.Text, "looks good") {
		t.Errorf("in the channel is %+v", thread)
	}
	if got := w.Messages(alice); len(got) != 1 || !strings.Contains(got[0].Rendered.Text, "was *approved*") {
		t.Errorf("the requester is told %+v", got)
	}
}

// The contract is checked at the end of every test that has a workspace; this
// one says so where it cannot be.
func TestEveryCallKeepsTheContract(t *testing.T) {
	checker := contract.ForTest(t)
	w := inWorkspace(t)
	ctx := t.Context()
	v := sample(reviewed("", request.Denied))
	m := w.announce(v)
	_, findErr := findAt(ctx, w.service, "#access-requests", v)
	_, dmErr := findAt(ctx, w.service, alice, v)
	_, replyErr := findReply(ctx, w.service, m, v, 0)
	_, resolveErr := w.Resolve(ctx, "alice@example.com")
	for _, err := range []error{
		w.Check(ctx), w.Show(ctx, m, v), reply(ctx, w.service, m, v, 0), tellRequester(ctx, w.service, alice, v), findErr, dmErr, replyErr, resolveErr,
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if faults := w.inspected(); len(faults) > 0 {
		t.Error(faults)
	}
	for _, method := range []string{
		"auth.test", "chat.postMessage", "chat.update", "conversations.history", "conversations.info", "conversations.list",
		"conversations.open", "conversations.replies", "users.lookupByEmail",
	} {
		if w.Calls(method) == 0 {
			t.Errorf("%s was not called", method)
		}
	}
	for _, r := range w.Requests() {
		for _, err := range checker.CheckRequest(r) {
			t.Error(err)
		}
	}
}

func TestAnAnnouncementGoesWhereverSlackTakesAName(t *testing.T) {
	for _, address := range []string{general, "access-requests", "#access-requests", alice} {
		w := inWorkspace(t)
		m, err := announceAt(t.Context(), w.service, address, sample())
		if err != nil || w.at(m).TS != m.ID || !strings.ContainsAny(m.Channel[:1], "CD") {
			t.Errorf("%s: %+v, %v", address, m, err)
		}
	}
}

func TestWhatFailsIsSortedAndNeverShowsTheToken(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault.Fault
		want  outbound.Kind
		after time.Duration
		done  int // messages that are there all the same
	}{
		"limited":                   {fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 7000}, outbound.Wait, 7 * time.Second, 0},
		"limited, not how long":     {fault.Fault{Effect: fault.RateLimit}, outbound.Wait, 5 * time.Second, 0},
		"limited, as a code":        {fault.Fault{Effect: fault.Refuse, Code: "ratelimited"}, outbound.Wait, limitedWithoutTime, 0},
		"a failure there":           {fault.Fault{Effect: fault.Status}, outbound.Unclear, 0, 0},
		"unavailable":               {fault.Fault{Effect: fault.Status, HTTPStatus: 503}, outbound.Unclear, 0, 0},
		"an answer that is no JSON": {fault.Fault{Effect: fault.Garbage}, outbound.Unclear, 0, 0},
		"cut off":                   {fault.Fault{Effect: fault.Cut}, outbound.Unclear, 0, 0},
		"done, but not answered":    {fault.Fault{Effect: fault.DoneNotAnswered}, outbound.Unclear, 0, 1},
		"a gateway says no":         {fault.Fault{Effect: fault.Status, HTTPStatus: 401}, outbound.Unclear, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := inWorkspace(t)
			w.fails("chat.postMessage", c.fault)
			_, err := announceAt(t.Context(), w.service, general, sample())
			if e := wantKind(t, err, c.want); e.After != c.after {
				t.Errorf("to be tried again after %v, want %v", e.After, c.after)
			}
			if got := len(w.Messages(general)); got != c.done {
				t.Errorf("%d messages, want %d", got, c.done)
			}
			if w.Calls("chat.postMessage") != 1 {
				t.Errorf("%d calls", w.Calls("chat.postMessage"))
			}
		})
	}
}

func TestNoAnswerInTimeIsUnclear(t *testing.T) {
	w := inWorkspace(t)
	_, err := announceAt(w.hangs("chat.postMessage"), w.service, general, sample())
	wantKind(t, err, outbound.Unclear)
	if want := "chat.postMessage: no answer in time"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestALimitInOneChannelDelaysNoOther(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"told in the header": {Effect: fault.RateLimit, RetryAfterMS: 60_000, Target: general},
		"told as a code":     {Effect: fault.Refuse, Code: "ratelimited", Target: general},
	} {
		t.Run(name, func(t *testing.T) {
			w := inWorkspace(t)
			m := w.announce(sample())
			w.fails("chat.postMessage", f)
			for range 3 {
				_, err := announceAt(t.Context(), w.service, general, sample())
				if e := wantKind(t, err, outbound.Wait); e.Scope != outbound.ThePlace {
					t.Errorf("the limit reaches as far as %d", e.Scope)
				}
			}
			if got := w.Calls("chat.postMessage"); got != 2 {
				t.Errorf("%d calls, want the first and the one that was limited", got)
			}
			if _, err := announceAt(t.Context(), w.service, other, sample()); err != nil {
				t.Errorf("another channel: %v", err)
			}
			if err := w.Show(t.Context(), m, sample()); err != nil {
				t.Errorf("an edit: %v", err)
			}
		})
	}
}

func TestADeletedMessageIsGone(t *testing.T) {
	w := inWorkspace(t)
	m := w.announce(sample())
	if err := w.DeleteMessage(general, m.ID); err != nil {
		t.Fatal(err)
	}
	v := sample(reviewed("", request.Approved))
	wantKind(t, w.Show(t.Context(), m, v), outbound.Gone)
	wantKind(t, reply(t.Context(), w.service, m, v, 0), outbound.Gone)
	if found, err := findReply(t.Context(), w.service, m, v, 0); len(found) > 0 || err != nil {
		t.Errorf("a reply was found: %v, %v", found, err)
	}
	if found, err := findAt(t.Context(), w.service, general, v); len(found) > 0 || err != nil {
		t.Errorf("the announcement was found: %v, %v", found, err)
	}
}

// The engine tells what has one address once.
func TestNamesOfOneChannelHaveOneAddress(t *testing.T) {
	w := inWorkspace(t)
	for _, name := range []string{"access-requests", "#access-requests", "#Access-Requests"} {
		if got, err := w.Resolve(t.Context(), name); got != "access-requests" || err != nil {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
}

func TestWhoTheRequesterIs(t *testing.T) {
	w := inWorkspace(t, func(c *Config) {
		c.Identity.Users = map[string]string{"alice": "alice@example.com", "bob@sso.example": "U0SANDBOX02", "nobody": ""}
	})
	for user, want := range map[string]string{
		"alice": "alice@example.com", "bob@sso.example": "U0SANDBOX02", "carol@example.com": "carol@example.com",
		"dave": "", "nobody": "", "": "", "Eve <eve@example.com>": "",
	} {
		if got := w.Requester(t.Context(), request.View{User: user}); got != want {
			t.Errorf("%q is %q, want %q", user, got, want)
		}
	}
}

func TestCheckTellsWhetherTheTokenIsGood(t *testing.T) {
	w := inWorkspace(t)
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"token_revoked", "account_inactive", "token_expired"} {
		w.RefuseToken(w.Server.Token(), code)
		e := wantRefused(t, w.Check(t.Context()), outbound.TheToken)
		if e.Code != code {
			t.Errorf("got %s, want %s", e.Code, code)
		}
	}
}

func TestATokenIsReplacedUnderTheRunningService(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write(slackapi.DefaultToken)
	w := inWorkspace(t, func(c *Config) { c.Slack.Token = config.NewSecret(file) })
	w.announce(sample())
	w.RefuseToken(w.Server.Token(), "token_revoked")
	_, err := announceAt(t.Context(), w.service, general, sample())
	wantRefused(t, err, outbound.TheToken)
	w.SetScopes("xoxb-the-next", slackapi.DefaultScopes()...)
	write("xoxb-the-next")
	w.announce(sample())
}

func TestATokenThatCannotBeReadMakesNoCall(t *testing.T) {
	w := inWorkspace(t, func(c *Config) { c.Slack.Token = config.NewSecret("env:TELEPORT_SLACK_TEST_UNSET") })
	_, err := announceAt(t.Context(), w.service, general, sample())
	if e := wantKind(t, err, outbound.Retry); e.Scope != outbound.OneCall || !strings.Contains(err.Error(), "slack.token") {
		t.Errorf("%v reaches as far as %d", err, e.Scope)
	}
	if len(w.Requests()) > 0 {
		t.Error("a call was made")
	}
	t.Setenv("TELEPORT_SLACK_TEST_UNSET", slackapi.DefaultToken)
	w.announce(sample())
}
