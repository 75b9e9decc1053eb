package slack

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/access/slack/slackapi/contract"
	"teleport-plugins/lib/history"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// now makes a request one of this moment, as the messages of the sandbox are.
func now(v *request.View) { v.Created = time.Now() }

// inProcess is a workspace without a listener, and a service in front of it.
func inProcess(t *testing.T) (*slackapi.Server, *service) {
	server := slackapi.New(slackapi.Options{})
	s, _ := build(t, "http://slack.test/api/", direct{server})
	t.Cleanup(func() { contract.Keep(t, server.Requests()) })
	return server, s
}

// chatter is n messages of a person, in a channel or a thread there.
func chatter(t *testing.T, server *slackapi.Server, n int, thread string) {
	t.Helper()
	for i := range n {
		if _, err := server.PostAs("U0SANDBOX02", general, fmt.Sprint("chatter ", i), thread); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever the effect is, all of its messages are found, oldest first, and none of
// another effect, another place or another request.
func TestEveryMessageOfAnEffectIsFound(t *testing.T) {
	server, s := inProcess(t)
	ctx := t.Context()
	v := sample(now, reviewed("fine", request.Approved, request.Denied), decided(request.Approved, ""))
	m, err := announceAt(ctx, s, general, v)
	if err != nil {
		t.Fatal(err)
	}
	// A request that is gone has lost its reviews.
	gone := request.View{ID: v.ID, Created: v.Created, Status: request.Expired, Reviews: make([]request.Review, 2)}
	effects := map[integration.Effect]string{
		{Kind: integration.Announce, Index: 1}: general, reviewOf(0): general, reviewOf(1): general,
		integration.Outcome(integration.End, v.Status): general, integration.Outcome(integration.Notice, v.Status): alice,
		{Kind: integration.Pending, Index: 900}: general, {Kind: integration.Pending, Index: 901}: general, {Kind: integration.Ending, Index: 900}: alice,
	}
	for e, address := range effects {
		to := integration.Place{Address: address, Message: m}
		var want []plugindata.Message
		for n := range 3 {
			for _, view := range []request.View{v, gone} {
				if found, err := s.Find(ctx, to, e, view); err != nil || !slices.Equal(found, want) {
					t.Errorf("%s, told %d times: found %+v, %v; want %+v", e, n, found, err, want)
				}
			}
			told, err := s.Tell(ctx, to, e, v)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, told)
			chatter(t, server, 3, "")
		}
	}
	again := v
	again.Created = v.Created.Add(time.Minute) // another request of the same id
	for e, address := range effects {
		if found, err := s.Find(ctx, integration.Place{Address: address, Message: m}, e, again); len(found) > 0 || err != nil {
			t.Errorf("%s of another request was found: %+v, %v", e, found, err)
		}
	}
}

// Several pages stand before the one looked for and behind it.
func TestAnAnnouncementIsFoundAmongMany(t *testing.T) {
	server, s := inProcess(t)
	ctx := t.Context()
	v := sample(now)
	chatter(t, server, 50, "")
	want, err := announceAt(ctx, s, general, v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := announceAt(ctx, s, general, sample(now, func(v *request.View) { v.ID = "another" })); err != nil {
		t.Fatal(err)
	}
	chatter(t, server, 450, "")
	for _, address := range []string{general, "access-requests", "#access-requests"} {
		if got, err := findAt(ctx, s, address, v); err != nil || !slices.Equal(got, []plugindata.Message{want}) {
			t.Errorf("%s: %+v, %v", address, got, err)
		}
	}
	if got := server.Calls("conversations.history"); got > 9 {
		t.Errorf("%d pages were read for three searches, want three for each at most", got)
	}
}

func TestAReplyIsFoundAmongMany(t *testing.T) {
	server, s := inProcess(t)
	ctx := t.Context()
	v := sample(reviewed("", request.Approved, request.Denied))
	m, err := announceAt(ctx, s, general, v)
	if err != nil {
		t.Fatal(err)
	}
	chatter(t, server, 450, m.ID)
	if err := reply(ctx, s, m, v, 1); err != nil {
		t.Fatal(err)
	}
	for review, want := range []int{0, 1} {
		if found, err := findReply(ctx, s, m, v, review); err != nil || len(found) != want {
			t.Errorf("review %d: %+v, %v; want %d", review, found, err, want)
		}
	}
}

// A search that did not come to its end never says that there is nothing; the next
// one goes on where it stopped.
func TestASearchThatStopsEarlyIsNotTakenForNotFound(t *testing.T) {
	server, s := inProcess(t)
	v := sample(now)
	want, err := announceAt(t.Context(), s, general, v)
	if err != nil {
		t.Fatal(err)
	}
	chatter(t, server, searchPages*200+100, "")
	_, err = findAt(t.Context(), s, general, v)
	wantKind(t, err, outbound.Retry)
	if got, err := findAt(t.Context(), s, general, v); err != nil || !slices.Equal(got, []plugindata.Message{want}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// The messages of people and of other apps may carry any mark.
func TestOnlyOurOwnMessageIsFound(t *testing.T) {
	w := inWorkspace(t)
	m := w.announce(sample())
	w.service.self = account{bot: "B0ANOTHER", user: "U0ANOTHER"}
	if found, err := findAt(t.Context(), w.service, general, sample()); len(found) > 0 || err != nil {
		t.Errorf("found %+v, %v", found, err)
	}
	// A token that is no bot's knows its user alone.
	for id, want := range map[string]int{w.at(m).Author: 1, "U0ANOTHER": 0} {
		w.service.self = account{user: id}
		w.service.history = history.New(w.readHistory)
		if found, err := findAt(t.Context(), w.service, general, sample()); len(found) != want || err != nil {
			t.Errorf("as %s: found %+v, %v", id, found, err)
		}
	}
}

func TestADirectMessageIsFound(t *testing.T) {
	w := inWorkspace(t)
	v := sample(now)
	want, err := announceAt(t.Context(), w.service, alice, v)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{alice, want.Channel} {
		if got, err := findAt(t.Context(), w.service, address, v); err != nil || !slices.Equal(got, []plugindata.Message{want}) {
			t.Errorf("%s: %+v, %v; want %+v", address, got, err, want)
		}
	}
}

// Each kind of conversation has a scope of its own, and what is missing for one
// concerns no other.
func TestWithoutTheScopeToReadAPlaceIsBlind(t *testing.T) {
	places := map[string]string{"channel": general, "name": "access-requests", "direct": alice, "open": "D0SANDBOX99"}
	for lacks, blind := range map[string][]string{
		"": nil, "channels:history": {"channel", "name"}, "groups:history": {"channel", "name"},
		"channels:read": {"name"}, "groups:read": {"name"}, "im:history": {"direct", "open"}, "im:write": {"direct"},
	} {
		w := inWorkspace(t)
		scopes := slices.DeleteFunc(slackapi.DefaultScopes(), func(s string) bool { return s == lacks })
		w.SetScopes(w.Server.Token(), scopes...)
		if w.CanFind(general) {
			t.Error("before Slack has told the scopes, none is known")
		}
		for name, address := range places {
			_, err := findAt(t.Context(), w.service, address, sample(now)) // the first one asks
			if refused := outbound.KindOf(err) == outbound.Refused; err != nil && name != "open" && refused != slices.Contains(blind, name) {
				t.Errorf("without %q: a look-up in a %s: %v", lacks, name, err)
			}
			if got, want := w.CanFind(address), !slices.Contains(blind, name); got != want {
				t.Errorf("without %q: a %s can be looked at: %v", lacks, name, got)
			}
		}
		if n := w.Server.Counts()["auth.test"]; n != 1 {
			t.Errorf("without %q: asked %d times who we are", lacks, n)
		}
	}
}

func TestALookUpThatIsRefusedSaysSo(t *testing.T) {
	w := inWorkspace(t)
	v := sample(reviewed("", request.Approved))
	m := w.announce(v)
	w.SetScopes(w.Server.Token(), "chat:write")
	for _, address := range []string{general, "#access-requests", alice} {
		_, err := findAt(t.Context(), w.service, address, v)
		if e := wantRefused(t, err, outbound.ThePlace); !strings.Contains(e.Hint, "add the scope") {
			t.Errorf("%s: the hint is %q", address, e.Hint)
		}
	}
	_, err := findReply(t.Context(), w.service, m, v, 0)
	wantRefused(t, err, outbound.ThePlace)
	w.SetScopes(w.Server.Token(), slackapi.DefaultScopes()...)
	_, err = findAt(t.Context(), w.service, "no-such-channel", v)
	wantRefused(t, err, outbound.ThePlace)
}

// What cannot be looked at for now must not be posted again.
func TestASearchThatFailsForNowIsNotTakenForNotFound(t *testing.T) {
	for method, to := range map[string]integration.Place{
		"conversations.history": {Address: general}, "conversations.list": {Address: "#general"},
		"conversations.open": {Address: alice}, "auth.test": {Address: general},
		"conversations.replies": {Address: general, Message: anyMessage},
	} {
		for effect, want := range map[fault.Effect]outbound.Kind{
			fault.Status: outbound.Retry, fault.RateLimit: outbound.Wait, fault.Garbage: outbound.Retry, fault.Cut: outbound.Retry,
		} {
			t.Run(method+" "+string(effect), func(t *testing.T) {
				w := inWorkspace(t)
				w.fails(method, fault.Fault{Effect: effect})
				e := announce
				if method == "conversations.replies" {
					e = reviewOf(0)
				}
				_, err := w.Find(t.Context(), to, e, sample(reviewed("", request.Denied)))
				wantKind(t, err, want)
			})
		}
	}
}

func TestCheckNotesWhatIsMissingForLookingUp(t *testing.T) {
	w := inWorkspace(t)
	var name, text string
	w.note = func(n, t string) { name, text = n, t }
	for _, c := range []struct {
		lacks []string
		want  string
	}{
		{nil, ""},
		{[]string{"groups:history"}, "off in channels: a crash or a lost answer may double one message in each; add to the Slack app the scope groups:history"},
		{[]string{"im:write", "im:history"}, "off in direct messages: a crash or a lost answer may double one message in each; add to the Slack app the scope im:history, im:write"},
		{[]string{"channels:history", "im:history"}, "off: a crash or a lost answer may double one message in each; add to the Slack app the scope channels:history, im:history"},
		{nil, ""},
	} {
		scopes := slices.DeleteFunc(slackapi.DefaultScopes(), func(s string) bool { return slices.Contains(c.lacks, s) })
		w.SetScopes(w.Server.Token(), scopes...)
		if err := w.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if name != "looking messages up" || text != c.want {
			t.Errorf("without %q: noted %q of %q", c.lacks, text, name)
		}
	}
}
