package slack

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// What Slack refuses of a form is left out, and nothing else: the mark, by which the
// message is found again, stays where the blocks are refused, and the blocks where
// the mark is.
func TestARefusedFormIsSentWithoutWhatWasRefused(t *testing.T) {
	for code, want := range map[string]struct{ blocks, mark bool }{
		"invalid_blocks":                 {false, true},
		"msg_blocks_too_long":            {false, true},
		"invalid_metadata_format":        {true, false},
		"invalid_metadata_schema":        {true, false},
		"metadata_too_large":             {true, false},
		"metadata_must_be_sent_from_app": {true, false},
		"invalid_arguments":              {false, false},
	} {
		t.Run(code, func(t *testing.T) {
			w := inWorkspace(t)
			v := sample(reviewed("", request.Approved))
			refuse := func() { w.fails("chat.postMessage", fault.Fault{Effect: fault.Refuse, Code: code, Times: 1}) }
			refuse()
			m := w.announce(v)
			got := w.at(m)
			if (len(got.Blocks) > 0) != want.blocks || (len(got.Metadata) > 0) != want.mark || got.Text != fallback(v) {
				t.Errorf("announced is %+v", got)
			}
			refuse()
			if err := reply(t.Context(), w.service, m, v, 0); err != nil {
				t.Error(err)
			}
			refuse()
			if err := tellRequester(t.Context(), w.service, alice, v); err != nil {
				t.Error(err)
			}
			if got := w.logged.FilterMessageSnippet("refused the form").Len(); got != 3 {
				t.Errorf("%d of 3 refusals were logged", got)
			}
			found, err := findAt(t.Context(), w.service, general, v)
			if err != nil || (len(found) == 1) != (want.blocks || want.mark) {
				t.Errorf("found again are %+v, %v", found, err)
			}
		})
	}
}

// A form of which all is refused is given up, with the code.
func TestAFormThatIsRefusedWhateverItHoldsIsRefused(t *testing.T) {
	w := inWorkspace(t)
	w.fails("chat.postMessage", fault.Fault{Effect: fault.Refuse, Code: "invalid_arguments"})
	_, err := announceAt(t.Context(), w.service, general, sample())
	if e := wantRefused(t, err, outbound.OneCall); e.Code != "invalid_arguments" || w.Calls("chat.postMessage") != 2 {
		t.Errorf("got %v after %d calls", e, w.Calls("chat.postMessage"))
	}
}

// The blocks that a message had would hide its new plain text.
func TestAMessageThatBecomesPlainLosesItsBlocks(t *testing.T) {
	w := inWorkspace(t)
	m := w.announce(sample())
	v := sample(decided(request.Denied, "no"))
	w.fails("chat.update", fault.Fault{Effect: fault.Refuse, Code: "invalid_blocks", Times: 1})
	if err := w.Show(t.Context(), m, v); err != nil {
		t.Fatal(err)
	}
	if got := w.at(m); string(got.Blocks) != "" && string(got.Blocks) != "[]" || !strings.Contains(got.Rendered.Text, "DENIED") {
		t.Errorf("the message is %+v", got)
	}
}

// Another effect tells the end below it; to show only shows.
func TestAMessageThatCannotBeEditedIsFixed(t *testing.T) {
	for name, forbid := range map[string]func(*workspace){
		"the time for edits is over": func(w *workspace) { w.CloseEditWindow(true) },
		"another app's message": func(w *workspace) {
			w.fails("chat.update", fault.Fault{Effect: fault.Refuse, Code: "cant_update_message"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := inWorkspace(t)
			m := w.announce(sample())
			forbid(w)
			v := sample(decided(request.Denied, "no"))
			wantKind(t, w.Show(t.Context(), m, v), outbound.Fixed)
			if got := w.Messages(general); len(got) != 1 {
				t.Fatalf("in the channel is %+v", got)
			}
			if err := end(t.Context(), w.service, m, v); err != nil {
				t.Fatal(err)
			}
			got := w.Messages(general)
			if len(got) != 2 || got[1].ThreadTS != m.ID || !strings.Contains(got[1].Rendered.Text, "DENIED") || !strings.Contains(got[1].Text, "DENIED") {
				t.Errorf("in the channel is %+v", got)
			}
		})
	}
}

// Each effect makes one message, whatever was told before.
func TestEachEffectIsOneMessage(t *testing.T) {
	w := inWorkspace(t)
	v := sample(reviewed("", request.Approved), decided(request.Approved, ""))
	m := w.announce(v)
	below := integration.Place{Address: general, Message: m}
	for _, e := range []integration.Effect{
		announce,
		{Kind: integration.Announce, Index: 1},
		reviewOf(0),
		integration.Outcome(integration.End, v.Status), integration.Outcome(integration.Notice, v.Status),
		{Kind: integration.Pending, Index: 900},
		{Kind: integration.Ending, Index: 900},
	} {
		before := len(w.Messages(general))
		if w.Tells(e.Kind) != (e.Kind != integration.End) { // the message shows the end itself
			t.Errorf("%s is told: %v", e, w.Tells(e.Kind))
		}
		if _, err := w.Tell(t.Context(), below, e, v); err != nil {
			t.Errorf("%s: %v", e, err)
		}
		if got := len(w.Messages(general)) - before; got != 1 {
			t.Errorf("%s makes %d messages", e, got)
		}
	}
}

func TestAReviewThatTheRequestHasNotIsNotTold(t *testing.T) {
	w := inWorkspace(t)
	m := w.announce(sample())
	for _, review := range []int{-1, 0, 7} {
		wantKind(t, reply(t.Context(), w.service, m, sample(), review), outbound.Retry)
	}
	if got := w.Messages(general); len(got) != 1 {
		t.Errorf("in the channel is %+v", got)
	}
}

func TestResolve(t *testing.T) {
	w := inWorkspace(t)
	for name, want := range map[string]string{
		"alice@example.com": alice, general: general, "U0SANDBOX02": "U0SANDBOX02",
		"general": "general", "#general": "general", "#General": "general",
	} {
		if got, err := w.Resolve(t.Context(), name); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	if w.Calls("users.lookupByEmail") != 1 {
		t.Errorf("%d look-ups", w.Calls("users.lookupByEmail"))
	}
	_, err := w.Resolve(t.Context(), "nobody@example.com")
	wantRefused(t, err, outbound.ThePlace)
}

// Only those who are named by address need the scope for it.
func TestAMissingScopeForAddressesIsNoFaultOfTheToken(t *testing.T) {
	w := inWorkspace(t)
	w.SetScopes(w.Server.Token(), "chat:write")
	_, err := w.Resolve(t.Context(), "alice@example.com")
	e := wantRefused(t, err, outbound.TheMethod)
	if !strings.Contains(e.Hint, "users:read.email") {
		t.Errorf("the hint is %q", e.Hint)
	}
	if _, err := announceAt(t.Context(), w.service, general, sample()); err != nil {
		t.Error(err)
	}
}

// Proxies look for the token in the header, and a body can end up in a log.
func TestTheTokenIsInTheHeaderAlone(t *testing.T) {
	w := inWorkspace(t)
	v := sample(reviewed("", request.Approved))
	var seen int
	s, _ := build(t, w.URL(), roundTrip(func(r *http.Request) (*http.Response, error) {
		seen++
		body := bodyOf(t, r)
		if r.Header.Get("Authorization") != "Bearer "+w.Server.Token() || r.URL.RawQuery != "" || strings.Contains(body, w.Server.Token()) {
			t.Errorf("%s: header %q, query %q, body %q", r.URL.Path, r.Header, r.URL.RawQuery, body)
		}
		if form, err := url.ParseQuery(body); err != nil || form.Has("token") {
			t.Errorf("%s: %q, %v", r.URL.Path, body, err)
		}
		return http.DefaultTransport.RoundTrip(r)
	}))
	everyCall(t, s, func(name string, err error) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}, v)
	if seen < 9 {
		t.Errorf("only %d calls were looked at", seen)
	}
}

// A view that goes to many places is written once, and anew when any part of it has
// changed.
func TestAViewIsWrittenOnce(t *testing.T) {
	var d service
	v := sample(manyRoles(30))
	first := d.content(announce, v).blocks[1]
	later := integration.Effect{Kind: integration.Announce, Index: 1}
	if again := d.content(later, sample(manyRoles(30))).blocks[1]; again != first {
		t.Error("the same view was written again")
	}
	changed := sample(manyRoles(30))
	changed.Logins = map[string][]string{"role-001": {"admin"}}
	if slices.Equal(textsOf(d.content(announce, changed).blocks[1]), textsOf(first)) {
		t.Error("a view with other logins was not written anew")
	}
}

var anyMessage = plugindata.Message{Channel: general, ID: "1.000001"}

// A reminder is a reply that the channel sees too, unless the config wants it quiet.
func TestRemindersAreSeenInTheChannel(t *testing.T) {
	w := inWorkspace(t)
	v := sample(now)
	to := integration.Place{Address: general, Message: w.announce(v)}
	for _, quiet := range []bool{false, true} {
		w.quiet = quiet
		m, err := w.Tell(t.Context(), to, integration.Effect{Kind: integration.Pending, Index: 900}, v)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.at(m); got.ThreadTS != to.Message.ID || got.Broadcast == quiet {
			t.Errorf("quiet %v: %+v", quiet, got)
		}
	}
	if err := reply(t.Context(), w.service, to.Message, sample(now, reviewed("", request.Approved)), 0); err != nil {
		t.Fatal(err)
	}
	if all := w.Messages(general); all[len(all)-1].Broadcast {
		t.Error("a review is seen in the channel")
	}
}
