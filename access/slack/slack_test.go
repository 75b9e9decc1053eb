package slack

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/sandbox/slackapi"
	"teleport-plugins/lib/sandbox/slackapi/contract"
)

// A request as it goes by: announced, reviewed, decided, told to the requester.
// The calls are held against Slack's published descriptions.
func TestAWholeRequest(t *testing.T) {
	w := inWorkspace(t)
	ctx := t.Context()
	v := request(reviewed("looks good", message.Approved))
	m := w.announce(request())
	if m.Channel != general || w.at(m).Edits != 0 {
		t.Errorf("announced at %+v", m)
	}
	if err := w.Reply(ctx, m, v, 0); err != nil {
		t.Fatal(err)
	}
	decided(message.Approved, "fine")(&v)
	if err := w.Edit(ctx, m, v); err != nil {
		t.Fatal(err)
	}
	dm, err := w.Resolve(ctx, w.Requester(v))
	if err != nil || dm != alice {
		t.Fatalf("the requester is %q, %v", dm, err)
	}
	if err := w.Notice(ctx, dm, v); err != nil {
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
	v := request(reviewed("", message.Denied))
	m := w.announce(v)
	_, _, findErr := w.Find(ctx, "#access-requests", v)
	_, _, dmErr := w.Find(ctx, alice, v)
	_, replyErr := w.FindReply(ctx, m, v, 0)
	_, resolveErr := w.Resolve(ctx, "alice@example.com")
	for _, err := range []error{
		w.Check(ctx), w.Edit(ctx, m, v), w.Reply(ctx, m, v, 0), w.Notice(ctx, alice, v), findErr, dmErr, replyErr, resolveErr,
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if faults := w.Inspect(ctx); len(faults) > 0 {
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
		m, err := w.Post(t.Context(), address, request())
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
		"not authorized":            {fault.Fault{Effect: fault.Status, HTTPStatus: 401}, outbound.Credentials, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := inWorkspace(t)
			w.fails("chat.postMessage", c.fault)
			_, err := w.Post(t.Context(), general, request())
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
	_, err := w.Post(w.hangs("chat.postMessage"), general, request())
	wantKind(t, err, outbound.Unclear)
	if want := "chat.postMessage: no answer in time: context deadline exceeded"; err.Error() != want {
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
			m := w.announce(request())
			w.fails("chat.postMessage", f)
			for range 3 {
				_, err := w.Post(t.Context(), general, request())
				wantKind(t, err, outbound.Wait)
			}
			if got := w.Calls("chat.postMessage"); got != 2 {
				t.Errorf("%d calls, want the first and the one that was limited", got)
			}
			if _, err := w.Post(t.Context(), other, request()); err != nil {
				t.Errorf("another channel: %v", err)
			}
			if err := w.Edit(t.Context(), m, request()); err != nil {
				t.Errorf("an edit: %v", err)
			}
		})
	}
}

// respond answers every call with the same body.
func respond(body string) direct {
	return direct{http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })}
}

// Slack's library takes an answer for success that holds no error, even if it
// holds nothing else.
func TestAnAnswerThatSaysNothingIsNoSuccess(t *testing.T) {
	v := request(reviewed("", message.Approved))
	m := plugindata.Message{Channel: general, ID: "1.000001"}
	calls := map[string]func(context.Context, *service) error{
		"Post":                     func(ctx context.Context, s *service) error { _, err := s.Post(ctx, general, v); return err },
		"Edit":                     func(ctx context.Context, s *service) error { return s.Edit(ctx, m, v) },
		"Reply":                    func(ctx context.Context, s *service) error { return s.Reply(ctx, m, v, 0) },
		"Notice":                   func(ctx context.Context, s *service) error { return s.Notice(ctx, alice, v) },
		"Check":                    func(ctx context.Context, s *service) error { return s.Check(ctx) },
		"Resolve":                  func(ctx context.Context, s *service) error { _, err := s.Resolve(ctx, "a@example.org"); return err },
		"Find":                     func(ctx context.Context, s *service) error { _, _, err := s.Find(ctx, general, v); return err },
		"Find in a direct message": func(ctx context.Context, s *service) error { _, _, err := s.Find(ctx, alice, v); return err },
		"FindReply":                func(ctx context.Context, s *service) error { _, err := s.FindReply(ctx, m, v, 0); return err },
	}
	for _, body := range []string{`{"ok":false}`, `{"ok":false,"error":""}`, `{}`, `null`, ``, `[]`, `"no"`, `{"ok":true`} {
		for name, call := range calls {
			t.Run(name+" "+body, func(t *testing.T) {
				s, _ := build(t, "http://slack.test/api/", respond(body))
				wantKind(t, call(t.Context(), s), outbound.Unclear)
			})
		}
	}
}

func TestARefusedFormIsSentAsPlainText(t *testing.T) {
	for _, code := range []string{"invalid_blocks", "msg_blocks_too_long", "invalid_arguments"} {
		t.Run(code, func(t *testing.T) {
			w := inWorkspace(t)
			v := request(reviewed("", message.Approved))
			once := fault.Fault{Effect: fault.Refuse, Code: code, Times: 1}
			w.fails("chat.postMessage", once)
			m := w.announce(v)
			if got := w.at(m); len(got.Blocks) > 0 || got.Text != fallback(v) {
				t.Errorf("announced is %+v", got)
			}
			w.fails("chat.postMessage", once)
			if err := w.Reply(t.Context(), m, v, 0); err != nil {
				t.Error(err)
			}
			w.fails("chat.postMessage", once)
			if err := w.Notice(t.Context(), alice, v); err != nil {
				t.Error(err)
			}
			if got := w.logged.FilterMessageSnippet("refused the form").Len(); got != 3 {
				t.Errorf("%d of 3 refusals were logged", got)
			}
			if _, found, err := w.Find(t.Context(), general, v); !found || err != nil {
				t.Errorf("the plain announcement is not found again: %v", err)
			}
		})
	}
}

// The blocks that a message had would hide its new plain text.
func TestAnEditToPlainTextTakesTheBlocksAway(t *testing.T) {
	w := inWorkspace(t)
	m := w.announce(request())
	v := request(decided(message.Denied, "no"))
	w.fails("chat.update", fault.Fault{Effect: fault.Refuse, Code: "invalid_blocks", Times: 1})
	if err := w.Edit(t.Context(), m, v); err != nil {
		t.Fatal(err)
	}
	if got := w.at(m); string(got.Blocks) != "" && string(got.Blocks) != "[]" || !strings.Contains(got.Rendered.Text, "DENIED") {
		t.Errorf("the message is %+v", got)
	}
}

func TestADeletedMessageIsGone(t *testing.T) {
	w := inWorkspace(t)
	m := w.announce(request())
	if err := w.DeleteMessage(general, m.ID); err != nil {
		t.Fatal(err)
	}
	v := request(reviewed("", message.Approved))
	wantKind(t, w.Edit(t.Context(), m, v), outbound.Gone)
	wantKind(t, w.Reply(t.Context(), m, v, 0), outbound.Gone)
	if found, err := w.FindReply(t.Context(), m, v, 0); found || err != nil {
		t.Errorf("a reply was found: %v, %v", found, err)
	}
	if _, found, err := w.Find(t.Context(), general, v); found || err != nil {
		t.Errorf("the announcement was found: %v, %v", found, err)
	}
}

func TestWhatCannotBeEditedIsToldInItsThread(t *testing.T) {
	for name, forbid := range map[string]func(*workspace, plugindata.Message){
		"the time for edits is over": func(w *workspace, _ plugindata.Message) { w.CloseEditWindow(true) },
		"another app's message": func(w *workspace, _ plugindata.Message) {
			w.fails("chat.update", fault.Fault{Effect: fault.Refuse, Code: "cant_update_message"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := inWorkspace(t)
			m := w.announce(request())
			forbid(w, m)
			if err := w.Edit(t.Context(), m, request(decided(message.Denied, "no"))); err != nil {
				t.Fatal(err)
			}
			got := w.Messages(general)
			if len(got) != 2 || got[1].ThreadTS != m.ID || !strings.Contains(got[1].Rendered.Text, "DENIED") || !strings.Contains(got[1].Text, "DENIED") {
				t.Errorf("in the channel is %+v", got)
			}
		})
	}
}

func TestResolveAsksOnlyForAddresses(t *testing.T) {
	w := inWorkspace(t)
	for name, want := range map[string]string{
		"alice@example.com": alice, general: general, "#general": "#general", "U0SANDBOX02": "U0SANDBOX02",
	} {
		if got, err := w.Resolve(t.Context(), name); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	if w.Calls("users.lookupByEmail") != 1 {
		t.Errorf("%d look-ups", w.Calls("users.lookupByEmail"))
	}
	_, err := w.Resolve(t.Context(), "nobody@example.com")
	wantKind(t, err, outbound.Permanent)
}

func TestAnAddressIsLookedUpAgainAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := slackapi.New(slackapi.Options{})
		s, _ := build(t, "http://slack.test/api/", direct{server})
		look := func() {
			t.Helper()
			if id, err := s.Resolve(t.Context(), "alice@example.com"); err != nil || id != alice {
				t.Fatalf("%q, %v", id, err)
			}
		}
		look()
		time.Sleep(directoryAge - time.Second)
		look()
		if got := server.Calls("users.lookupByEmail"); got != 1 {
			t.Errorf("%d look-ups within %v", got, directoryAge)
		}
		time.Sleep(2 * time.Second)
		look()
		if got := server.Calls("users.lookupByEmail"); got != 2 {
			t.Errorf("%d look-ups after %v", got, directoryAge)
		}
	})
}

// Only those who are named by address need the scope for it.
func TestAMissingScopeForAddressesIsNoFaultOfTheToken(t *testing.T) {
	w := inWorkspace(t)
	w.SetScopes(w.Server.Token(), "chat:write")
	_, err := w.Resolve(t.Context(), "alice@example.com")
	e := wantKind(t, err, outbound.Permanent)
	if !strings.Contains(e.Hint, "users:read.email") {
		t.Errorf("the hint is %q", e.Hint)
	}
	if _, err := w.Post(t.Context(), general, request()); err != nil {
		t.Error(err)
	}
}

func TestWhoTheRequesterIs(t *testing.T) {
	w := inWorkspace(t, func(c *Config) {
		c.Slack.Users = map[string]string{"alice": "alice@example.com", "bob@sso.example": "U0SANDBOX02", "nobody": ""}
	})
	for user, want := range map[string]string{
		"alice": "alice@example.com", "bob@sso.example": "U0SANDBOX02", "carol@example.com": "carol@example.com",
		"dave": "", "nobody": "", "": "", "Eve <eve@example.com>": "",
	} {
		if got := w.Requester(message.View{User: user}); got != want {
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
		e := wantKind(t, w.Check(t.Context()), outbound.Credentials)
		if e.Code != code {
			t.Errorf("got %s, want %s", e.Code, code)
		}
	}
}

func TestCheckNotesWhatIsMissingForLookingUp(t *testing.T) {
	w := inWorkspace(t)
	var name, text string
	w.note = func(n, t string) { name, text = n, t }
	for _, c := range []struct{ lacks, want string }{{"", ""}, {"groups:history", "the scope groups:history"}, {"", ""}} {
		scopes := slices.DeleteFunc(slackapi.DefaultScopes(), func(s string) bool { return s == c.lacks })
		w.SetScopes(w.Server.Token(), scopes...)
		if err := w.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if name != "looking messages up" || !strings.HasSuffix(text, c.want) || (text == "") != (c.want == "") {
			t.Errorf("without %q: noted %q of %q", c.lacks, text, name)
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
	w.announce(request())
	w.RefuseToken(w.Server.Token(), "token_revoked")
	_, err := w.Post(t.Context(), general, request())
	wantKind(t, err, outbound.Credentials)
	w.SetScopes("xoxb-the-next", slackapi.DefaultScopes()...)
	write("xoxb-the-next")
	w.announce(request())
}

func TestATokenThatCannotBeReadMakesNoCall(t *testing.T) {
	w := inWorkspace(t, func(c *Config) { c.Slack.Token = config.NewSecret("env:TELEPORT_SLACK_TEST_UNSET") })
	_, err := w.Post(t.Context(), general, request())
	wantKind(t, err, outbound.Credentials)
	if len(w.Requests()) > 0 {
		t.Error("a call was made")
	}
	t.Setenv("TELEPORT_SLACK_TEST_UNSET", slackapi.DefaultToken)
	w.announce(request())
}

// other announcements fill several pages before and behind the one looked for.
func TestAnAnnouncementIsFoundAmongMany(t *testing.T) {
	server := slackapi.New(slackapi.Options{})
	s, _ := build(t, "http://slack.test/api/", direct{server})
	ctx := t.Context()
	v := request(func(v *message.View) { v.Created = time.Now() })
	fill := func(n int) {
		for i := range n {
			if _, err := server.PostAs("U0SANDBOX02", general, fmt.Sprint("chatter ", i), ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(50)
	want, err := s.Post(ctx, general, v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Post(ctx, general, request(func(v *message.View) { v.ID = "another" })); err != nil {
		t.Fatal(err)
	}
	fill(450)
	for _, address := range []string{general, "access-requests", "#access-requests"} {
		if got, found, err := s.Find(ctx, address, v); err != nil || !found || got != want {
			t.Errorf("%s: %+v, %v, %v", address, got, found, err)
		}
	}
	if got := server.Calls("conversations.history"); got != 9 {
		t.Errorf("%d pages were read for three searches, want 9", got)
	}
	again := v
	again.Created = v.Created.Add(time.Minute) // another request of the same id
	if _, found, err := s.Find(ctx, general, again); found || err != nil {
		t.Errorf("found another request's announcement: %v", err)
	}
	if _, found, err := s.Find(ctx, "no-such-channel", v); found || err != nil {
		t.Errorf("found in a channel that does not exist: %v", err)
	}
	keepsContract(t, server)
}

func TestAReplyIsFoundAmongMany(t *testing.T) {
	server := slackapi.New(slackapi.Options{})
	s, _ := build(t, "http://slack.test/api/", direct{server})
	ctx := t.Context()
	v := request(reviewed("", message.Approved, message.Denied))
	m, err := s.Post(ctx, general, v)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 250 {
		if _, err := server.PostAs("U0SANDBOX02", general, fmt.Sprint("chatter ", i), m.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Reply(ctx, m, v, 1); err != nil {
		t.Fatal(err)
	}
	for review, want := range []bool{false, true} {
		if found, err := s.FindReply(ctx, m, v, review); err != nil || found != want {
			t.Errorf("review %d: %v, %v; want %v", review, found, err, want)
		}
	}
	keepsContract(t, server)
}

func TestADirectMessageIsFound(t *testing.T) {
	w := inWorkspace(t)
	v := request(func(v *message.View) { v.Created = time.Now() })
	want, err := w.Post(t.Context(), alice, v)
	if err != nil {
		t.Fatal(err)
	}
	if got, found, err := w.Find(t.Context(), alice, v); err != nil || !found || got != want {
		t.Errorf("%+v, %v, %v; want %+v", got, found, err, want)
	}
}

// The messages of people and other apps may carry any metadata.
func TestOnlyOurOwnMessageIsFound(t *testing.T) {
	w := inWorkspace(t)
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.announce(request())
	w.service.bot = "B0ANOTHER"
	if _, found, err := w.Find(t.Context(), general, request()); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestWithoutTheScopeToReadNothingIsFound(t *testing.T) {
	w := inWorkspace(t)
	v := request(reviewed("", message.Approved))
	m := w.announce(v)
	if err := w.Reply(t.Context(), m, v, 0); err != nil {
		t.Fatal(err)
	}
	w.SetScopes(w.Server.Token(), "chat:write")
	for _, address := range []string{general, "#access-requests", alice} {
		if _, found, err := w.Find(t.Context(), address, v); found || err != nil {
			t.Errorf("%s: found %v, %v", address, found, err)
		}
	}
	if found, err := w.FindReply(t.Context(), m, v, 0); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

// What cannot be looked at for now must not be posted again.
func TestASearchThatFailsForNowIsNotTakenForNotFound(t *testing.T) {
	for method, find := range map[string]func(context.Context, *workspace) error{
		"conversations.history": func(ctx context.Context, w *workspace) error {
			_, _, err := w.Find(ctx, general, request())
			return err
		},
		"conversations.list": func(ctx context.Context, w *workspace) error {
			_, _, err := w.Find(ctx, "#general", request())
			return err
		},
		"conversations.open": func(ctx context.Context, w *workspace) error { _, _, err := w.Find(ctx, alice, request()); return err },
		"conversations.replies": func(ctx context.Context, w *workspace) error {
			_, err := w.FindReply(ctx, plugindata.Message{Channel: general, ID: "1.000001"}, request(reviewed("", message.Denied)), 0)
			return err
		},
	} {
		for effect, want := range map[fault.Effect]outbound.Kind{
			fault.Status: outbound.Unclear, fault.RateLimit: outbound.Wait, fault.Garbage: outbound.Unclear,
		} {
			t.Run(method+" "+string(effect), func(t *testing.T) {
				w := inWorkspace(t)
				w.fails(method, fault.Fault{Effect: effect})
				wantKind(t, find(t.Context(), w), want)
			})
		}
	}
}

func TestInspectSaysWhatToMend(t *testing.T) {
	w := inWorkspace(t, func(c *Config) {
		c.RoleToRecipients = config.Recipients{
			config.Anyone: {general, "C0SANDBOX04", "C0ARCHIVED1", "C0NOWHERE01", "alice@example.com", "nobody@example.com"},
			"prod":        {"by-name", alice, general},
		}
	})
	w.AddChannel(slackapi.Channel{ID: "C0ARCHIVED1", Name: "old", Archived: true})
	w.SetScopes(w.Server.Token(), "channels:read", "users:read", "users:read.email")
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the Slack app lacks the scope chat:write, without which nothing can be posted; add it under OAuth & Permissions and install the app again",
		"the channel C0ARCHIVED1 (#old) is archived; name another one",
		"the channel C0NOWHERE01 does not exist or is private; invite the app to it with /invite",
		"the app is no member of the channel C0SANDBOX04 (#general); invite it there with /invite",
		"the recipient nobody@example.com cannot be told: users.lookupByEmail: users_not_found; no active member of the workspace has this address",
	}
	if got := w.Inspect(t.Context()); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatCannotBeInspectedIsNoFault(t *testing.T) {
	w := inWorkspace(t)
	w.SetScopes(w.Server.Token(), "chat:write", "users:read.email")
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.Inspect(t.Context()); len(got) > 0 {
		t.Errorf("without the scope to look: %q", got)
	}
	w.SetScopes(w.Server.Token(), slackapi.DefaultScopes()...)
	w.fails("", fault.Fault{Effect: fault.Status})
	if got := w.Inspect(t.Context()); len(got) > 0 {
		t.Errorf("while Slack is down: %q", got)
	}
}

func TestIDsAreToldFromNames(t *testing.T) {
	for s, want := range map[string]bool{
		general: true, alice: true, "C024BE91L": true, "W0123456789": true, "D0123456789": true, "G0123456789": true,
		"": false, "C1": false, "general": false, "#general": false, "CHANNEL-ONE": false, "Canteen99": false, "T0123456789": false,
	} {
		if got := isID(s); got != want {
			t.Errorf("isID(%q) = %v", s, got)
		}
	}
}
