package slack

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// desk answers every press alike, and keeps what it was asked.
type desk struct {
	mu      sync.Mutex
	presses []decision.Press
	persons []decision.Person
	faults  []string
	hold    chan struct{} // presses wait until it is closed, if there is one
}

func (d *desk) Press(ctx context.Context, p decision.Press) decision.Answer {
	who, err := p.Person(ctx)
	d.mu.Lock()
	d.presses, d.persons = append(d.presses, p), append(d.persons, who)
	hold := d.hold
	d.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if err != nil {
		return decision.Answer{Kind: decision.TryAgain, Text: "who? " + err.Error()}
	}
	return decision.Answer{Kind: decision.Done, Text: "You have decided."}
}

func (d *desk) Heard(fault string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, fault)
}

func (d *desk) heard() (fault string, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.faults) == 0 {
		return "", false
	}
	return d.faults[len(d.faults)-1], true
}

func (d *desk) taken() []decision.Press {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.presses)
}

// listening is a workspace in which the plugin hears what is pressed.
type listening struct {
	*workspace
	desk  *desk
	m     plugindata.Message
	stop  context.CancelFunc
	ended chan error
}

func decidable(v *request.View) { v.Decidable = true }

func listen(t *testing.T, change ...func(*Config)) *listening {
	t.Helper()
	w := inWorkspace(t, append([]func(*Config){func(c *Config) {
		c.Review.Enabled, c.Review.AppToken = true, config.NewSecret(slackapi.DefaultAppToken)
	}}, change...)...)
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := &listening{workspace: w, desk: &desk{}, m: w.announce(sample(decidable)), ended: make(chan error, 1)}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.ended <- w.Listen(ctx, l.desk)
	}()
	t.Cleanup(func() {
		stop()
		<-done // answers under way are given first
	})
	l.until(func() bool { fault, known := l.desk.heard(); return known && fault == "" })
	return l
}

// until waits for what is to come soon.
func (l *listening) until(done func() bool) {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			select {
			case err := <-l.ended:
				l.t.Fatalf("listening has ended: %v", err)
			default:
			}
			l.t.Fatalf("it did not come to that; heard %q, logged %v", l.desk.faults, l.logged.All())
		}
	}
}

func (l *listening) press(p slackapi.Press) slackapi.Outcome {
	l.t.Helper()
	p.Channel, p.TS = l.m.Channel, l.m.ID
	out, err := l.Server.Press(l.t.Context(), p)
	if err != nil {
		l.t.Fatal(err)
	}
	if !out.Acked {
		l.t.Error("the press was not acknowledged in time")
	}
	return out
}

// saw waits until a person alone has seen something with the text.
func (l *listening) saw(user, text string) {
	l.t.Helper()
	l.until(func() bool {
		return slices.ContainsFunc(l.Saw(user), func(s string) bool { return strings.Contains(s, text) })
	})
}

const bob = "U0SANDBOX02"

func TestAPressIsDecidedAndAnsweredToThePersonAlone(t *testing.T) {
	l := listen(t)
	for _, action := range []string{approveID, denyID} {
		l.press(slackapi.Press{User: bob, Action: action})
	}
	l.until(func() bool { return len(l.desk.taken()) == 2 })
	l.saw(bob, "You have decided.")
	verdicts := map[request.Status]bool{}
	for _, p := range l.desk.taken() {
		verdicts[p.Verdict] = true
		if p.Request != sample().ID || p.Message != l.m || p.PersonID != bob || p.Reason != "" || p.ID == "" {
			t.Errorf("the desk was asked about %+v", p)
		}
	}
	if !verdicts[request.Approved] || !verdicts[request.Denied] {
		t.Errorf("verdicts %v", verdicts)
	}
	if seen := l.Saw(alice); len(seen) > 0 {
		t.Errorf("somebody else saw %q", seen)
	}
}

func TestAReasonIsAskedForByPolicy(t *testing.T) {
	l := listen(t, func(c *Config) { c.Review.Reason = decision.ReasonDeny })
	l.press(slackapi.Press{User: bob, Action: approveID})
	l.until(func() bool { return len(l.desk.taken()) == 1 })
	l.press(slackapi.Press{User: bob, Action: denyID})
	l.until(func() bool { _, ok := l.Modal(bob); return ok })
	if n := len(l.desk.taken()); n != 1 {
		t.Fatalf("%d presses reached the desk before the reason", n)
	}
	if view, _ := l.Modal(bob); strings.Contains(view.PrivateMetadata, sample().Reason) {
		t.Error("the dialog holds what the requester wrote")
	}
	if out, err := l.Submit(t.Context(), slackapi.Submission{User: bob, Values: map[string]string{reasonBlock: "  not now "}}); err != nil || !out.Acked {
		t.Fatal(out, err)
	}
	l.until(func() bool { return len(l.desk.taken()) == 2 })
	if p := l.desk.taken()[1]; p.Verdict != request.Denied || p.Reason != "not now" || p.Message != l.m || p.PersonID != bob {
		t.Errorf("the desk was asked about %+v", p)
	}
	l.until(func() bool { return len(l.Saw(bob)) == 2 })
}

func TestADialogOfAnotherPersonIsRefused(t *testing.T) {
	l := listen(t, func(c *Config) { c.Review.Reason = decision.ReasonAlways })
	l.press(slackapi.Press{User: bob, Action: approveID})
	l.until(func() bool { _, ok := l.Modal(bob); return ok })
	view, _ := l.Modal(bob)
	if _, err := l.Submit(t.Context(), slackapi.Submission{User: alice, View: view.ID, Values: map[string]string{reasonBlock: "mine"}, Anyway: true}); err != nil {
		t.Fatal(err)
	}
	l.until(func() bool { return l.logged.FilterMessageSnippet("did not open for this person").Len() == 1 })
	if n := len(l.desk.taken()); n != 0 {
		t.Errorf("%d presses reached the desk", n)
	}
}

func TestADialogThatComesTooLateIsExplained(t *testing.T) {
	l := listen(t, func(c *Config) { c.Review.Reason = decision.ReasonAlways })
	if _, err := l.Server.Press(t.Context(), slackapi.Press{User: bob, Channel: l.m.Channel, TS: l.m.ID, Action: approveID, Late: 3100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	l.saw(bob, "Please press again")
}

func TestSlackSaysWhoDecidesNothing(t *testing.T) {
	l := listen(t)
	for name, want := range map[string]string{"guest": "a guest", "gone": "deactivated", "bot": "a bot", "stranger": "of another workspace", "member": ""} {
		u := slackapi.User{ID: "U0" + strings.ToUpper(name), Name: name}
		switch name {
		case "guest":
			u.Restricted = true
		case "gone":
			u.Deleted = true
		case "bot":
			u.Bot = true
		case "stranger":
			u.Team = "T0ELSEWHERE"
		}
		l.AddUser(u)
		who, err := l.whois(t.Context(), u.ID)
		if err != nil || who.Outsider != want {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	if who, err := l.whois(t.Context(), bob); err != nil || who.Email != "bob@example.com" || who.Outsider != "" {
		t.Errorf("%+v, %v", who, err)
	}
	if _, err := l.whois(t.Context(), "U0NOBODY"); err == nil {
		t.Error("nobody is somebody")
	}
}

// While the token was refused nothing could be learnt of our own workspace: a press
// that comes when it is accepted again is not put off for that.
func TestAPressIsRecognisedRightAfterTheTokenIsAcceptedAgain(t *testing.T) {
	l := listen(t)
	l.service.mu.Lock()
	l.service.self = account{}
	l.service.mu.Unlock()
	if who, err := l.whois(t.Context(), bob); err != nil || who.Outsider != "" {
		t.Errorf("%+v, %v", who, err)
	}
}

// Whatever ends a connection, another one takes its place, and presses arrive.
func TestTheConnectionIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		disturb func(*listening)
		gap     bool // there may be no connection for a while
	}{
		"cut":               {func(l *listening) { l.CutSockets() }, true},
		"closed":            {func(l *listening) { l.CloseSockets(1001) }, true},
		"refresh_requested": {func(l *listening) { l.Disconnect(slackapi.RefreshRequested) }, false},
		"warning":           {func(l *listening) { l.Disconnect(slackapi.Warning) }, true},
		"nonsense": {func(l *listening) {
			l.SendFrame(`{"type":"interactive","payload":7}`)
			l.SendFrame("no JSON")
			l.SendFrame(`{"type":"news","envelope_id":7}`)
			l.CutSockets()
		}, true},
		"silence before hello": {func(l *listening) { l.SilenceNext(1); l.CutSockets() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t)
			c.disturb(l)
			l.until(func() bool { s := l.Sockets(); return s.Greeted >= 2 && s.Open >= 1 })
			if !c.gap {
				l.until(func() bool { return l.Sockets().Open == 1 && l.Sockets().CloseFrames == 1 })
			}
			l.press(slackapi.Press{User: bob, Action: approveID})
			l.saw(bob, "You have decided.")
		})
	}
}

// Every way is taken and none says so: nobody hears the same more than once on each.
func TestAnAnswerIsNotRepeatedEndlessly(t *testing.T) {
	l := listen(t)
	for _, method := range []string{"response_url", "chat.postEphemeral", "chat.postMessage"} {
		l.Faults().Add(fault.Fault{Method: method, Effect: fault.DoneNotAnswered})
	}
	l.press(slackapi.Press{User: bob, Action: approveID})
	l.until(func() bool { return len(l.logged.FilterMessageSnippet("could not be told").All()) == 1 })
	if saw, direct := l.Saw(bob), l.Messages(l.OpenDM(bob)); len(saw) != 2 || len(direct) != 1 {
		t.Errorf("saw %q alone, and %d direct messages", saw, len(direct))
	}
}

// A connection that ends soon after each hello is none on which presses come.
func TestConnectionsThatDoNotHoldAreACondition(t *testing.T) {
	w := inWorkspace(t, func(c *Config) {
		c.Review.Enabled, c.Review.AppToken = true, config.NewSecret(slackapi.DefaultAppToken)
	})
	d := &desk{}
	k := &link{listener: w.listener(d), lost: time.Now().Add(-patience)}
	defer k.drop()
	if err := k.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.CutSockets()
	err := k.attend(t.Context())
	k.pause(t.Context(), err)
	if fault, _ := d.heard(); !strings.Contains(fault, "no connection") {
		t.Errorf("after connections that did not hold: %q", fault)
	}
	if err := k.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if fault, _ := d.heard(); fault == "" {
		t.Error("a hello alone makes it well")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.attend(ctx) }()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if fault, _ := d.heard(); fault == "" {
			break
		}
	}
	stop()
	<-ended
	if fault, _ := d.heard(); fault != "" {
		t.Errorf("after one that held: %q", fault)
	}
}

// Slack goes on to use a connection that it has warned about: what comes there while the
// next one takes its place is acknowledged, and it is not ours to end it.
func TestAWarnedConnectionIsHeardToItsEnd(t *testing.T) {
	l := listen(t)
	l.Disconnect(slackapi.Warning)
	var all sync.WaitGroup
	l.until(func() bool { // a press every few milliseconds until the next one is there
		all.Go(func() { l.press(slackapi.Press{User: bob, Action: approveID}) })
		return l.Sockets().Greeted == 2
	})
	all.Wait()
	for range 10 {
		l.press(slackapi.Press{User: bob, Action: approveID}) // to either, in turn
	}
	if s := l.Sockets(); s.Open != 2 || s.CloseFrames != 0 || s.Missed != 0 {
		t.Errorf("after the warning: %+v", s)
	}
	l.stop()
	if err := <-l.ended; err != nil {
		t.Error(err)
	}
	l.until(func() bool { s := l.Sockets(); return s.Open == 0 && s.CloseFrames == 2 }) // Slack hears of it
}

func TestWhatAPersonMustCorrectEndsListening(t *testing.T) {
	t.Run("Socket Mode is switched off", func(t *testing.T) {
		l := listen(t)
		l.SwitchSocketMode(false)
		if err := <-l.ended; err == nil || !strings.Contains(err.Error(), "switch it on") {
			t.Error(err)
		}
	})
	t.Run("the token is no app-level token", func(t *testing.T) {
		w := inWorkspace(t, func(c *Config) {
			c.Review.Enabled, c.Review.AppToken = true, config.NewSecret(slackapi.DefaultToken)
		})
		err := w.Listen(t.Context(), &desk{})
		if outbound.KindOf(err) != outbound.Refused || !strings.Contains(err.Error(), "not_allowed_token_type") {
			t.Error(err)
		}
	})
}

func TestWhatWasPressedBeforeTheEndIsFinished(t *testing.T) {
	l := listen(t)
	hold := make(chan struct{})
	l.desk.hold = hold
	l.press(slackapi.Press{User: bob, Action: approveID})
	l.until(func() bool { return len(l.desk.taken()) == 1 })
	l.stop()
	select {
	case err := <-l.ended:
		t.Fatalf("listening ended before the press was answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(hold)
	if err := <-l.ended; err != nil {
		t.Error(err)
	}
	if seen := l.Saw(bob); len(seen) != 1 || seen[0] != "You have decided." {
		t.Errorf("the person saw %q", seen)
	}
	if s := l.Sockets(); s.CloseFrames != 1 || s.Open != 0 {
		t.Errorf("after the end: %+v", s)
	}
}

// An answer finds its way though the first ones are closed.
func TestAnAnswerHasThreeWays(t *testing.T) {
	l := listen(t)
	at := pointer{decision.Dialog{Channel: l.m.Channel, Person: bob}, "https://hooks.slack.com.evil.example/actions/1"}
	l.listener(l.desk).answer(t.Context(), at, "first")
	l.saw(bob, "first")
	at.Channel = "C0NOWHERE01"
	l.listener(l.desk).answer(t.Context(), at, "second <@U0SANDBOX01> *bold*")
	dm := l.OpenDM(bob)
	l.until(func() bool { return len(l.Messages(dm)) == 1 })
	if text := l.Messages(dm)[0].Text; strings.Contains(text, "<@") {
		t.Errorf("a text pings: %q", text)
	}
}

// Slack fails for a while, whichever way the answer takes: the person hears it later.
func TestAnAnswerIsTriedAgain(t *testing.T) {
	down := fault.Fault{Effect: fault.Status, HTTPStatus: 503, Times: 1}
	limit := fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 500, Times: 1}
	forbidden := fault.Fault{Effect: fault.Refuse, Code: "missing_scope"}
	for name, faults := range map[string][3]fault.Fault{
		"it is down":                                 {down, down, down},
		"it says too many calls":                     {limit, limit, limit},
		"it is down, and forbids the last way":       {down, down, forbidden},
		"it is down, and allows the first way alone": {down, forbidden, forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			for i, method := range []string{"response_url", "chat.postEphemeral", "chat.postMessage"} {
				faults[i].Method = method
				l.Faults().Add(faults[i])
			}
			l.press(slackapi.Press{User: bob, Action: approveID})
			l.saw(bob, "You have decided")
		})
	}
}

func TestAnAddressThatIsNoneOfSlacksIsNotCalled(t *testing.T) {
	w := inWorkspace(t, func(c *Config) { c.Slack.APIURL = defaultAPI })
	for address, good := range map[string]bool{
		"https://hooks.slack.com/actions/T1/2/3": true, "https://hooks.slack-gov.com/actions/1": true,
		"http://hooks.slack.com/actions/1": false, "https://hooks.slack.com.evil.example/": false, "https://evil.example/hooks.slack.com": false,
		"https://hooks.slack.com@evil.example/": false, "https://hooks.slack.com:444/": false, "": false, "://": false, "https://slack.com/api/chat.delete": false,
	} {
		if err := w.isSlack(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestOffMeansNoButtonAndNoConnection(t *testing.T) {
	w := inWorkspace(t)
	m := w.announce(sample())
	got, _ := w.Message(m.Channel, m.ID)
	if strings.Contains(string(mustJSON(t, got)), blockID) {
		t.Error("there is a button")
	}
	if n := w.Calls("apps.connections.open"); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestButtonsVanishWithTheEnd(t *testing.T) {
	l := listen(t)
	before, _ := l.Message(l.m.Channel, l.m.ID)
	if !strings.Contains(string(mustJSON(t, before)), approveID) {
		t.Fatal("there is no button")
	}
	if err := l.Show(t.Context(), l.m, sample(decided(request.Approved, ""))); err != nil {
		t.Fatal(err)
	}
	after, _ := l.Message(l.m.Channel, l.m.ID)
	if strings.Contains(string(mustJSON(t, after)), blockID) {
		t.Error("the buttons are still there")
	}
}

// freeAddress is an address at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close() //nolint:errcheck // nobody used it
	return free.Addr().String()
}

// secret is that of the app in tests of the way by HTTP.
const secret = "8f742231b10e8888abcd99yyyzzz85a5"

func TestPressesByHTTP(t *testing.T) {
	address := freeAddress(t)
	l := listen(t, func(c *Config) { c.Review.Listen, c.Review.SigningSecret = address, config.NewSecret(secret) })
	l.SendTo("http://"+address+"/anything", secret)
	l.until(func() bool { c, err := net.Dial("tcp", address); return err == nil && c.Close() == nil })
	l.press(slackapi.Press{User: bob, Action: approveID})
	l.saw(bob, "You have decided.")
	if n := l.Calls("apps.connections.open"); n != 0 {
		t.Errorf("%d connections of Socket Mode", n)
	}

	now := strconv.FormatInt(time.Now().Unix(), 10)
	old := strconv.FormatInt(time.Now().Add(-6*time.Minute).Unix(), 10)
	body := url.Values{"payload": {`{"type":"block_actions"}`}}.Encode()
	for name, c := range map[string]struct {
		stamp, signature, body string
		want                   int
	}{
		"signed":           {now, slackapi.Sign(secret, now, []byte(body)), body, 200},
		"not signed":       {"", "", body, 401},
		"another secret":   {now, slackapi.Sign("x", now, []byte(body)), body, 401},
		"no secret":        {now, slackapi.Sign("", now, []byte(body)), body, 401},
		"another body":     {now, slackapi.Sign(secret, now, []byte(body)), body + "x", 401},
		"too old":          {old, slackapi.Sign(secret, old, []byte(body)), body, 401},
		"ssl_check":        {now, "", "ssl_check=1", 401},
		"without payload":  {now, slackapi.Sign(secret, now, []byte("a=b")), "a=b", 400},
		"a broken payload": {now, slackapi.Sign(secret, now, []byte("payload=7")), "payload=7", 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Slack-Request-Timestamp", c.stamp)
		req.Header.Set("X-Slack-Signature", c.signature)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: status %d, want %d", name, resp.StatusCode, c.want)
		}
	}
	if n := len(l.desk.taken()); n != 1 {
		t.Errorf("%d presses reached the desk", n)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
