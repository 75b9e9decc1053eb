package decision_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
)

const (
	alice, bob, carol, mallory = "alice@example.com", "bob@example.com", "carol@example.com", "mallory@example.com"
	pluginUser                 = "access-plugin"
)

var (
	errDown = errors.New("the cluster is down")
	posted  = plugindata.Message{Channel: "C1", ID: "1.1"}
)

// teleportCluster is a cluster with one request of alice's, as it judges reviews.
type teleportCluster struct {
	mu      sync.Mutex
	req     *types.AccessRequestV3
	data    map[string]string
	traits  map[string]map[string][]string // by user
	may     []string                       // who may review
	behalf  bool                           // reviews in the name of others are taken
	locked  []string                       // users and roles for which a lock is in force
	fail    map[string]error               // by call
	lose    bool                           // the answer to the next review is lost
	hangs   bool                           // a review is taken and its answer never comes
	reviews int                            // submissions that were taken
	calls   int
	slow    time.Duration
}

func newCluster(t testing.TB) *teleportCluster {
	t.Helper()
	req, err := types.NewAccessRequest("req", alice, "editor")
	if err != nil {
		t.Fatal(err)
	}
	v3 := req.(*types.AccessRequestV3)
	v3.SetCreationTime(time.Unix(1_700_000_000, 0).UTC())
	return &teleportCluster{
		req: v3, data: map[string]string{"user": alice, "roles": "editor", "messages": "C1/1.1"},
		traits: map[string]map[string][]string{alice: {"chat_id": {"UA"}}, bob: {"chat_id": {"UB"}}, carol: {"chat_id": {"UC"}}, mallory: {"chat_id": {"UM"}}},
		may:    []string{alice, bob, carol}, behalf: true, fail: map[string]error{},
	}
}

func (c *teleportCluster) enter(call string) error {
	c.calls++
	return c.fail[call]
}

func (c *teleportCluster) GetRequest(ctx context.Context, id string) (types.AccessRequest, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := c.enter("GetRequest"); err != nil || c.req == nil || id != "req" {
		return nil, err
	}
	copied := *c.req
	copied.Spec.Reviews = slices.Clone(copied.Spec.Reviews)
	return &copied, nil
}

func (c *teleportCluster) GetPluginData(context.Context, string, string, string) (map[string]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data, c.enter("GetPluginData")
}

func (c *teleportCluster) Users(_ context.Context, match func(name string, traits map[string][]string) bool) (names []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for user, traits := range c.traits {
		if match(user, traits) {
			names = append(names, user)
		}
	}
	slices.Sort(names)
	return names, c.enter("Users")
}

func (c *teleportCluster) UserRoles(_ context.Context, user string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("UserRoles"); err != nil {
		return nil, err
	}
	if _, ok := c.traits[user]; !ok && user != "" { // without a name it may answer about the caller
		return nil, trace.NotFound("user %q not found", user)
	}
	return []string{"reviewer"}, nil
}

func (c *teleportCluster) Locked(_ context.Context, user string, roles []string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.locked, func(name string) bool { return name == user || slices.Contains(roles, name) }), c.enter("Locked")
}

func (c *teleportCluster) SubmitReview(ctx context.Context, id string, r types.AccessReview) (types.AccessRequest, error) {
	time.Sleep(c.slow)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter("SubmitReview"); err != nil {
		return nil, err
	}
	marked := len(r.XXX_unrecognized) > 0
	switch {
	case r.Author != pluginUser && !(marked && c.behalf):
		return nil, trace.AccessDenied("not for others")
	case c.req == nil || id != "req":
		return nil, trace.NotFound("no such request")
	case !c.req.GetState().IsPending():
		return nil, trace.AccessDenied("already decided")
	case !slices.Contains(c.may, r.Author), r.Author == alice:
		return nil, trace.AccessDenied("user cannot review")
	case slices.ContainsFunc(c.req.GetReviews(), func(o types.AccessReview) bool { return o.Author == r.Author }):
		return nil, trace.AccessDenied("user has already reviewed this request")
	}
	c.reviews++
	c.req.SetReviews(append(c.req.GetReviews(), r))
	if c.hangs {
		c.mu.Unlock()
		<-ctx.Done()
		c.mu.Lock()
		return nil, ctx.Err()
	}
	if c.lose {
		c.lose = false
		return nil, errDown
	}
	copied := *c.req
	return &copied, nil
}

// counting counts presses by what came of them.
type counting struct {
	mu sync.Mutex
	by map[decision.Kind]int
}

func (c *counting) Pressed(kind decision.Kind, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[kind]++
}

type rig struct {
	*teleportCluster
	decision.Desk
	options decision.Options
	policy  decision.Policy
	version string // of the cluster
	counted *counting
	log     *observer.ObservedLogs
	n       int
}

func newRig(t testing.TB, change ...func(*rig)) *rig {
	t.Helper()
	core, log := observer.New(zap.DebugLevel)
	r := &rig{teleportCluster: newCluster(t), counted: &counting{by: map[decision.Kind]int{}}, log: log}
	r.version = "18.11.0"
	r.policy.Settings = decision.DefaultSettings()
	r.policy.Enabled, r.policy.Trait = true, "chat_id"
	for _, f := range change {
		f(r)
	}
	r.options = decision.Options{
		Plugin: "board", Title: "Chat", Policy: r.policy, Cluster: r.teleportCluster, Codec: plugindata.Messages{},
		Author: func() string { return pluginUser }, Version: func() string { return r.version },
		State: func(string) {}, Observer: r.counted, Log: zap.New(core),
	}
	r.Desk = decision.New(r.options)
	return r
}

// by is a press of a person, with the id "U" and the initial of the user.
func (r *rig) by(id string, verdict request.Status, change ...func(*decision.Press)) decision.Answer {
	r.n++
	p := decision.Press{
		ID: fmt.Sprint(r.n), Request: "req", Message: posted, Team: "T1", Verdict: verdict, PersonID: id,
		Person: func(context.Context) (decision.Person, error) { return decision.Person{Name: id}, nil },
	}
	for _, f := range change {
		f(&p)
	}
	return r.Press(context.Background(), p)
}

func person(who decision.Person, err error) func(*decision.Press) {
	return func(p *decision.Press) {
		p.Person = func(context.Context) (decision.Person, error) { return who, err }
	}
}

func withEmail(address string) func(*decision.Press) {
	return person(decision.Person{Email: address}, nil)
}

func TestAPressBecomesAReviewInThePersonsName(t *testing.T) {
	r := newRig(t)
	got := r.by("UB", request.Approved, func(p *decision.Press) { p.Reason = "fine" })
	if got.Kind != decision.Done || !strings.Contains(got.Text, "You approved") {
		t.Errorf("%+v", got)
	}
	reviews := r.req.GetReviews()
	if len(reviews) != 1 || reviews[0].Author != bob || !reviews[0].ProposedState.IsApproved() || reviews[0].Reason != "fine" {
		t.Errorf("%+v", reviews)
	}
	line := r.log.FilterMessage("A press became a review").All()
	if len(line) != 1 {
		t.Fatal(r.log.All())
	}
	for key, want := range map[string]string{"person": "UB", "teleport_user": bob, "identified_by": "trait", "request_id": "req", "channel": "C1", "message": "1.1", "team": "T1", "verdict": "APPROVED"} {
		if got := line[0].ContextMap()[key]; got != want {
			t.Errorf("evidence: %s is %v", key, got)
		}
	}
	if r.counted.by[decision.Done] != 1 {
		t.Error(r.counted.by)
	}
}

func email(domains ...string) func(*rig) {
	return func(r *rig) { r.policy.Trait, r.policy.EmailMatch, r.policy.EmailDomains = "", true, domains }
}

func users(m map[string]string) func(*rig) {
	return func(r *rig) { r.policy.Trait, r.policy.Identity, r.policy.Users = "", decision.ByUsers, m }
}

func asPlugin(table recipient.Table) func(*rig) {
	return func(r *rig) {
		r.policy.SubmitAs, r.policy.Reviewers = decision.AsPlugin, table
		r.may = append(r.may, pluginUser)
	}
}

func failing(call string) func(*rig) { return func(r *rig) { r.fail[call] = errDown } }

// doubt is a record in which it is not known whether an effect has happened.
func doubt(effect string) map[string]string {
	return map[string]string{"deliveries": `{"deliveries":[{"recipient":"C1","doubt":{"` + effect + `":{"tries":1}}}]}`}
}

// Each of these presses must become no review, whatever else is right.
func TestWhatIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		rig   func(*rig)
		who   string
		press func(*decision.Press)
		want  decision.Kind
	}{
		"by the requester":                     {who: "UA", want: decision.Refused},
		"by the requester under another name":  {rig: func(r *rig) { r.policy.Identity = ""; users(map[string]string{"UX": bob})(r) }, who: "UX", press: withEmail(alice), want: decision.Refused},
		"by nobody that Teleport knows":        {who: "UZ", want: decision.Refused},
		"by one who may not review":            {who: "UM", want: decision.Refused},
		"by one whose id several users have":   {rig: func(r *rig) { r.traits[carol]["chat_id"] = []string{"UC", "UB"} }, who: "UB", want: decision.Refused},
		"by a guest":                           {who: "UB", press: person(decision.Person{Outsider: "a guest"}, nil), want: decision.Refused},
		"by whom the service cannot name now":  {who: "UB", press: person(decision.Person{}, errDown), want: decision.TryAgain},
		"by nobody":                            {who: "", want: decision.Refused},
		"of no verdict":                        {who: "UB", press: func(p *decision.Press) { p.Verdict = request.Promoted }, want: decision.Refused},
		"on another message":                   {who: "UB", press: func(p *decision.Press) { p.Message.ID = "2.2" }, want: decision.Refused},
		"on another channel's message":         {who: "UB", press: func(p *decision.Press) { p.Message.Channel = "C2" }, want: decision.Refused},
		"on no message":                        {who: "UB", press: func(p *decision.Press) { p.Message = plugindata.Message{} }, want: decision.Refused},
		"on a message that is being posted":    {rig: func(r *rig) { r.data = map[string]string{"claim": "me.1"} }, who: "UB", want: decision.TryAgain},
		"on a message whose post is in doubt":  {rig: func(r *rig) { r.data = doubt("announce.0") }, who: "UB", want: decision.TryAgain},
		"on a message, a reply being in doubt": {rig: func(r *rig) { r.data = doubt("review.0") }, who: "UB", want: decision.Refused},
		"on a message that nobody recorded":    {rig: func(r *rig) { r.data = nil }, who: "UB", want: decision.Refused},
		"on the record of an earlier request":  {rig: func(r *rig) { r.data["deliveries"] = `{"request":7,"deliveries":[]}` }, who: "UB", want: decision.Refused},
		"on a garbled record":                  {rig: func(r *rig) { r.data["deliveries"] = "{" }, who: "UB", want: decision.Refused},
		"about a request that is gone":         {rig: func(r *rig) { r.req = nil }, who: "UB", want: decision.Already},
		"about a decided request":              {rig: func(r *rig) { _ = r.req.SetState(types.RequestState_DENIED) }, who: "UB", want: decision.Already},
		"about a promoted request":             {rig: func(r *rig) { _ = r.req.SetState(types.RequestState_PROMOTED) }, who: "UB", want: decision.Already},
		"about a long-term request":            {rig: func(r *rig) { r.req.Spec.XXX_unrecognized = []byte{0xc0, 0x01, 2} }, who: "UB", want: decision.Refused},
		"about a role that is left to others":  {rig: func(r *rig) { r.policy.Roles = []string{"view*"} }, who: "UB", want: decision.Refused},
		"where no role may be decided":         {rig: func(r *rig) { r.policy.Roles = nil }, who: "UB", want: decision.Refused},
		"where roles are blank":                {rig: func(r *rig) { r.policy.Roles = []string{"", " "} }, who: "UB", want: decision.Refused},
		"of several roles, one of them closed": {rig: func(r *rig) { r.policy.Roles = []string{"edit*"}; r.req.SetRoles([]string{"editor", "admin"}) }, who: "UB", want: decision.Refused},
		"with no source":                       {rig: func(r *rig) { r.policy.Trait = "" }, who: "UB", want: decision.Refused},
		"with a blank trait":                   {rig: func(r *rig) { r.policy.Trait, r.policy.Identity = "  ", decision.ByTrait }, who: "UB", want: decision.Refused},
		"when the trait cannot be looked up":   {rig: failing("Users"), who: "UB", want: decision.TryAgain},
		"when a miss would be e-mail's turn":   {rig: func(r *rig) { email("example.com")(r); r.policy.Trait = "chat_id" }, who: "UZ", press: withEmail(bob), want: decision.Refused},
		"when a failure would be e-mail's turn": {rig: func(r *rig) {
			email("example.com")(r)
			r.policy.Trait, r.policy.Identity = "chat_id", decision.ByTraitThenEmail
			r.fail["Users"] = errDown
		}, who: "UB", press: withEmail(bob), want: decision.TryAgain},
		"by e-mail without domains":       {rig: email(), who: "UB", press: withEmail(bob), want: decision.Refused},
		"by e-mail with blank domains":    {rig: email("", " ", "@"), who: "UB", press: withEmail(bob), want: decision.Refused},
		"by e-mail of another domain":     {rig: email("example.org"), who: "UB", press: withEmail(bob), want: decision.Refused},
		"by e-mail of a longer domain":    {rig: email("example.com"), who: "UB", press: withEmail("bob@example.com.evil.test"), want: decision.Refused},
		"by e-mail that is not confirmed": {rig: email("example.com"), who: "UB", press: withEmail(""), want: decision.Refused},
		"by e-mail of no Teleport user":   {rig: email("example.com"), who: "UB", press: withEmail("zoe@example.com"), want: decision.Refused},
		"by e-mail where that is off": {rig: func(r *rig) {
			email("example.com")(r)
			r.policy.EmailMatch, r.policy.Identity = false, decision.ByEmail
		}, who: "UB", press: withEmail(bob), want: decision.Refused},
		"by a table without the person":     {rig: users(map[string]string{"UC": carol}), who: "UB", want: decision.Refused},
		"by a table with a blank user":      {rig: users(map[string]string{"UB": " "}), who: "UB", want: decision.Refused},
		"by an empty table":                 {rig: users(nil), who: "UB", want: decision.Refused},
		"by a table with an unknown user":   {rig: users(map[string]string{"UB": "zoe"}), who: "UB", want: decision.Refused},
		"when the user cannot be looked up": {rig: failing("UserRoles"), who: "UB", want: decision.TryAgain},
		"by somebody who is locked":         {rig: func(r *rig) { r.locked = []string{bob} }, who: "UB", want: decision.Refused},
		"by somebody whose role is locked":  {rig: func(r *rig) { r.locked = []string{"reviewer"} }, who: "UB", want: decision.Refused},
		"when locks cannot be looked up":    {rig: failing("Locked"), who: "UB", want: decision.TryAgain},
		"as the plugin, where it may not look for locks": {rig: func(r *rig) {
			asPlugin(recipient.Table{"*": {bob}})(r)
			r.fail["Locked"] = trace.AccessDenied("no")
		}, who: "UB", want: decision.TryAgain},
		"when the request cannot be read":  {rig: failing("GetRequest"), who: "UB", want: decision.TryAgain},
		"when the record cannot be read":   {rig: failing("GetPluginData"), who: "UB", want: decision.TryAgain},
		"when the review cannot be sent":   {rig: failing("SubmitReview"), who: "UB", want: decision.TryAgain},
		"by an old cluster":                {rig: func(r *rig) { r.behalf, r.version = false, "17.2.0" }, who: "UB", want: decision.Refused},
		"as the plugin, by one not listed": {rig: asPlugin(recipient.Table{"*": {carol}}), who: "UB", want: decision.Refused},
		"as the plugin, for another role":  {rig: asPlugin(recipient.Table{"viewer": {bob}}), who: "UB", want: decision.Refused},
		"as the plugin, by an empty list":  {rig: asPlugin(recipient.Table{"editor": {}}), who: "UB", want: decision.Refused},
		"as the plugin, by no Teleport user": {
			rig: func(r *rig) {
				asPlugin(recipient.Table{"*": {"zoe"}})(r)
				users(map[string]string{"UB": "zoe"})(r)
			}, who: "UB", want: decision.Refused,
		},
		"as the plugin, without a list":   {rig: asPlugin(nil), who: "UB", want: decision.Refused},
		"as the plugin, by the requester": {rig: asPlugin(recipient.Table{"*": {alice}}), who: "UA", want: decision.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rigs []func(*rig)
			if c.rig != nil {
				rigs = append(rigs, c.rig)
			}
			r := newRig(t, rigs...)
			press := c.press
			if press == nil {
				press = func(*decision.Press) {}
			}
			got := r.by(c.who, request.Approved, press)
			if got.Kind != c.want || got.Text == "" {
				t.Errorf("answered %+v, want %s", got, c.want)
			}
			if r.reviews > 0 {
				t.Error("a review was submitted")
			}
			if r.log.FilterField(zap.String("outcome", string(c.want))).Len() != 1 {
				t.Errorf("logged %v", r.log.All())
			}
			if strings.Contains(got.Text, errDown.Error()) {
				t.Errorf("the person is shown an error of the machinery: %q", got.Text)
			}
		})
	}
}

func TestEverySourceRecognisesAPerson(t *testing.T) {
	for name, c := range map[string]struct {
		rig   func(*rig)
		who   string
		press func(*decision.Press)
	}{
		"trait": {func(*rig) {}, "UB", func(*decision.Press) {}},
		"users": {func(r *rig) { r.policy.Trait, r.policy.Users = "", map[string]string{"U7": bob} }, "U7", func(*decision.Press) {}},
		"email": {func(r *rig) {
			r.policy.Trait, r.policy.EmailMatch, r.policy.EmailDomains = "", true, []string{"@Example.com"}
		}, "U7", withEmail(bob)},
		"trait-then-email": {func(r *rig) {
			r.policy.Identity, r.policy.EmailMatch, r.policy.EmailDomains = decision.ByTraitThenEmail, true, []string{"example.com"}
		}, "U7", withEmail(bob)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.rig)
			if got := r.by(c.who, request.Denied, c.press); got.Kind != decision.Done {
				t.Fatalf("%+v", got)
			}
			if reviews := r.req.GetReviews(); len(reviews) != 1 || reviews[0].Author != bob || !reviews[0].ProposedState.IsDenied() {
				t.Errorf("%+v", reviews)
			}
		})
	}
}

func TestAReviewAsThePluginSaysWhoPressed(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.policy.SubmitAs, r.policy.Reviewers = decision.AsPlugin, recipient.Table{"*": {bob, carol}}
		r.may, r.behalf = []string{pluginUser}, false
	})
	if got := r.by("UB", request.Approved, func(p *decision.Press) { p.Reason = "fine" }); got.Kind != decision.Done {
		t.Fatalf("%+v", got)
	}
	review := r.req.GetReviews()[0]
	if review.Author != pluginUser || review.Reason != "bob@example.com in Chat (UB): fine" || len(review.XXX_unrecognized) > 0 {
		t.Errorf("%+v", review)
	}
	if got := r.by("UC", request.Denied); got.Kind != decision.Already || !strings.Contains(got.Text, "was not submitted") {
		t.Errorf("the other one hears %+v", got)
	}
	if r.reviews != 1 {
		t.Errorf("%d reviews", r.reviews)
	}
}

// Where the cluster judges the person, a plugin that may not read locks goes on.
func TestLocksAreLeftToTheCluster(t *testing.T) {
	r := newRig(t)
	r.fail["Locked"] = trace.AccessDenied("no")
	if got := r.by("UB", request.Approved); got.Kind != decision.Done {
		t.Errorf("%+v", got)
	}
}

// The time of a press is over when the answer is given up; what became of it is looked
// up all the same.
func TestALostAnswerIsLookedUpThoughTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.hangs = true
		began := time.Now()
		if got := r.by("UB", request.Approved); got.Kind != decision.Done {
			t.Errorf("%+v", got)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestALostAnswerIsLookedUp(t *testing.T) {
	r := newRig(t)
	r.lose = true
	if got := r.by("UB", request.Approved); got.Kind != decision.Done {
		t.Errorf("%+v", got)
	}
	if got := r.by("UB", request.Approved); got.Kind != decision.Already {
		t.Errorf("the same press again: %+v", got)
	}
	if got := r.by("UB", request.Denied); got.Kind != decision.Already || !strings.Contains(got.Text, "already approved") {
		t.Errorf("the opposite: %+v", got)
	}
	if r.reviews != 1 {
		t.Errorf("%d reviews", r.reviews)
	}
}

func TestTheSamePressTwiceHasOneAnswer(t *testing.T) {
	r := newRig(t)
	same := func(p *decision.Press) { p.ID = "same" }
	first, second := r.by("UB", request.Approved, same), r.by("UB", request.Approved, same)
	if first != second || first.Kind != decision.Done || r.reviews != 1 || r.counted.by[decision.Done] != 1 {
		t.Errorf("%+v, %+v, %d reviews, counted %v", first, second, r.reviews, r.counted.by)
	}
}

func TestOppositePressesAtOnceAreOneReview(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.slow = time.Second
		var both sync.WaitGroup
		answers := make([]decision.Answer, 2)
		for i, verdict := range []request.Status{request.Approved, request.Denied} {
			p := decision.Press{
				ID: fmt.Sprint("p", i), Request: "req", Message: posted, Verdict: verdict, PersonID: "UB",
				Person: func(context.Context) (decision.Person, error) { return decision.Person{}, nil },
			}
			both.Go(func() { answers[i] = r.Press(t.Context(), p) })
			time.Sleep(10 * time.Millisecond)
		}
		both.Wait()
		if answers[0].Kind != decision.Done || answers[1].Kind != decision.TryAgain || !strings.Contains(answers[1].Text, "still in work") {
			t.Errorf("%+v", answers)
		}
		if r.reviews != 1 {
			t.Errorf("%d reviews", r.reviews)
		}
	})
}

func TestAFloodOfOnePersonStopsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for range 30 {
			r.by("UM", request.Approved)
		}
		before := r.calls
		if got := r.by("UM", request.Approved); got.Kind != decision.TryAgain || r.calls != before {
			t.Errorf("%+v, %d further calls", got, r.calls-before)
		}
		if got := r.by("UB", request.Approved); got.Kind != decision.Done {
			t.Errorf("%+v", got)
		}
		time.Sleep(2 * time.Minute)
		if got := r.by("UM", request.Approved); got.Kind != decision.Refused {
			t.Errorf("after a while: %+v", got)
		}
	})
}

func TestAClusterThatDoesNotAnswerIsToldInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		began := time.Now()
		got := r.by("UB", request.Approved, func(p *decision.Press) {
			p.Person = func(ctx context.Context) (decision.Person, error) {
				<-ctx.Done()
				return decision.Person{}, context.Cause(ctx)
			}
		})
		if took := time.Since(began); got.Kind != decision.TryAgain || took > 10*time.Second {
			t.Errorf("%+v after %v", got, took)
		}
	})
}

// Whatever is pressed by whomever, over two replicas, no review is submitted for
// somebody whom the cluster would not let review, nor twice, and every person hears
// something.
func TestNoPressGoesBeyondWhatTheClusterAllows(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		a := newRig(t, func(r *rig) {
			if rng.IntN(3) == 0 {
				r.policy.Identity, r.policy.EmailMatch, r.policy.EmailDomains = decision.ByTraitThenEmail, true, []string{"example.com"}
			}
		})
		b := newRig(t, func(r *rig) { r.policy = a.policy; r.teleportCluster = a.teleportCluster })
		var all sync.WaitGroup
		var mu sync.Mutex
		heard, pressed := 0, 0
		for i := range 40 {
			replica := []*rig{a, b}[rng.IntN(2)]
			p := decision.Press{
				ID: fmt.Sprint(rng.IntN(30)), Request: []string{"req", "req", "req", "other"}[rng.IntN(4)],
				Message:  []plugindata.Message{posted, posted, posted, {Channel: "C9", ID: "9"}}[rng.IntN(4)],
				Verdict:  []request.Status{request.Approved, request.Denied, request.Pending}[rng.IntN(3)],
				PersonID: []string{"UA", "UB", "UC", "UM", "UZ"}[rng.IntN(5)],
			}
			who := decision.Person{
				Email:    []string{"", alice, bob, "carol@evil.test"}[rng.IntN(4)],
				Outsider: []string{"", "", "", "a guest"}[rng.IntN(4)],
			}
			p.Person = func(context.Context) (decision.Person, error) { return who, nil }
			if i == 20 {
				a.mu.Lock()
				a.lose = true
				a.mu.Unlock()
			}
			pressed++
			all.Go(func() {
				if got := replica.Press(context.Background(), p); got.Text != "" {
					mu.Lock()
					heard++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if heard != pressed {
			t.Fatalf("seed %d: %d of %d heard what came of it", seed, heard, pressed)
		}
		authors := map[string]int{}
		for _, review := range a.req.GetReviews() {
			if authors[review.Author]++; authors[review.Author] > 1 || review.Author != bob && review.Author != carol {
				t.Fatalf("seed %d: %+v", seed, a.req.GetReviews())
			}
		}
	}
}
