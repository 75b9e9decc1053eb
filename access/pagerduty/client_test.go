package pagerduty

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/access/pagerduty/approval"
	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recent"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// calls are all calls that the integration makes, each by its own method.
func (r *rig) calls(t testing.TB, m plugindata.Message) map[string]func(context.Context) error {
	v := ended(request.Denied)
	return map[string]func(context.Context) error{
		opCheck: r.Check,
		opCreate: func(ctx context.Context) error {
			_, err := r.tell(ctx, "PSPAYMT", pending())
			return err
		},
		opNote: func(ctx context.Context) error { return r.below(ctx, m, firstReview, v) },
		opNotes: func(ctx context.Context) error {
			_, err := r.notes(ctx, m, func(string) bool { return true })
			return err
		},
		opIncident: func(ctx context.Context) error { return r.another(t).own(ctx, m, v.ID) },
		opResolve:  func(ctx context.Context) error { return r.Show(ctx, m, v) },
		"GET /incidents": func(ctx context.Context) error {
			_, err := r.Find(ctx, integration.Place{Address: "PSAPPRV"}, announcement, v)
			return err
		},
		"GET /services": func(ctx context.Context) error {
			_, err := r.Resolve(ctx, "Databases")
			return err
		},
		"GET /users": func(ctx context.Context) error {
			_, err := r.People(ctx, "alice@example.com")
			return err
		},
		"GET /oncalls": func(ctx context.Context) error {
			_, err := r.Shifts(ctx, "PUALICE", []string{"PEPAYMT"})
			return err
		},
		"GET /schedules": func(ctx context.Context) error {
			_, err := r.schedules(ctx, "Primary")
			return err
		},
		"GET /priorities": func(ctx context.Context) error {
			_, err := r.priorityID(ctx, "P1")
			return err
		},
	}
}

// outcome is what a failure means: its kind, and how far a refusal reaches.
type outcome struct {
	kind  outbound.Kind
	scope outbound.Scope
}

// TestEveryFailureOfEveryCallHasItsKind holds each call against each failure.
func TestEveryFailureOfEveryCallHasItsKind(t *testing.T) {
	type expect func(op string) outcome
	always := func(k outbound.Kind) expect { return func(string) outcome { return outcome{kind: k} } }
	refused := func(s outbound.Scope) expect { return func(string) outcome { return outcome{outbound.Refused, s} } }
	// What may have come after the work is unclear, unless there was no work. So is
	// every answer that is not PagerDuty's own.
	unclear := func(op string) outcome {
		if reads(op) {
			return outcome{kind: outbound.Retry}
		}
		return outcome{kind: outbound.Unclear}
	}
	denied := func(op string) outcome {
		if strings.Contains(op, "/incidents") {
			return outcome{outbound.Refused, outbound.ThePlace}
		}
		return outcome{outbound.Refused, outbound.TheMethod}
	}
	missing := func(op string) outcome {
		switch {
		case op == opNotes: // nothing stands below what is not there
			return outcome{}
		case aboutIncident(op):
			return outcome{kind: outbound.Gone}
		case op == opCreate:
			return outcome{outbound.Refused, outbound.ThePlace}
		}
		return outcome{outbound.Refused, outbound.OneCall}
	}
	refuse := func(code string) fault.Fault { return fault.Fault{Effect: fault.Refuse, Code: code} }
	page := func(status int) fault.Fault { return fault.Fault{Effect: fault.Status, HTTPStatus: status} }
	for name, tc := range map[string]struct {
		fault fault.Fault
		want  expect
		says  string
	}{
		"400 invalid input":       {refuse("2001"), refused(outbound.OneCall), "2001 Invalid Input Provided"},
		"400 no such requester":   {refuse("1008"), refused(outbound.ThePlace), "set pagerduty.user_email"},
		"400 bad From":            {refuse("1028"), refused(outbound.ThePlace), "set pagerduty.user_email"},
		"400 requester may not":   {refuse("1018"), refused(outbound.ThePlace), "let the user of pagerduty.user_email"},
		"401":                     {refuse("2006"), refused(outbound.TheToken), "set pagerduty.api_key to a valid key"},
		"402 account expired":     {refuse("2012"), refused(outbound.TheToken), "look after the PagerDuty account"},
		"402 abilities":           {refuse("2014"), refused(outbound.TheMethod), "the plan of the PagerDuty account"},
		"403":                     {refuse("2010"), denied, "2010 Access Denied (HTTP status 403); "},
		"403 account locked":      {refuse("2008"), refused(outbound.TheToken), "look after the PagerDuty account"},
		"404":                     {refuse("2100"), missing, "2100 Not Found"},
		"408":                     {refuse("2016"), unclear, "2016"},
		"409 data changed":        {refuse("1005"), always(outbound.Retry), "1005"},
		"429 with a time":         {fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 7000}, always(outbound.Wait), "to be tried again in 7s"},
		"429 without a time":      {fault.Fault{Effect: fault.RateLimit}, always(outbound.Wait), "2020 Rate Limit Exceeded"},
		"500":                     {refuse("2000"), unclear, "2000 Internal Error"},
		"policy missing":          {refuse("1014"), refused(outbound.ThePlace), "repair the PagerDuty service"},
		"service without policy":  {refuse("5002"), refused(outbound.ThePlace), "repair the PagerDuty service"},
		"401 that is not its own": {page(401), unclear, "if this stays so, PagerDuty does not know the key"},
		"402 that is not its own": {page(402), unclear, "the answer is not one of PagerDuty's"},
		"403 that is not its own": {page(403), unclear, "the answer is not one of PagerDuty's"},
		"404 that is not its own": {page(404), unclear, "the answer is not one of PagerDuty's"},
		"407 that is not its own": {page(407), unclear, "the answer is not one of PagerDuty's"},
		"413 that is not its own": {page(413), unclear, "the answer is not one of PagerDuty's"},
		"451 that is not its own": {page(451), unclear, "the answer is not one of PagerDuty's"},
		"302 that is not its own": {page(302), unclear, "the answer is not one of PagerDuty's"},
		"503 that is not its own": {page(503), unclear, "status 503"},
		"hang":                    {fault.Fault{Effect: fault.Hang}, unclear, "no answer in time"},
		"cut":                     {fault.Fault{Effect: fault.Cut}, unclear, ""},
		"200 that is not its own": {fault.Fault{Effect: fault.Garbage}, unclear, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			m := r.posted(t)
			for op, call := range r.calls(t, m) {
				r.later(t)
				f := tc.fault
				f.Method, f.Times = op, 1
				if op == opCreate || op == opNote {
					f.Times = 2 // the plain form too
				}
				if f.Effect == fault.Hang {
					f.Times = 1
				}
				r.fault(f)
				ctx := t.Context()
				if f.Effect == fault.Hang {
					ctx = r.untilHit(t)
				}
				err := call(ctx)
				r.api.Faults().Clear()
				r.fails(t, op, err, tc.want(op), tc.says)
			}
		})
	}
}

// fails checks what came of a call.
func (r *rig) fails(t *testing.T, op string, err error, want outcome, says string) {
	t.Helper()
	var e *outbound.Error
	switch {
	case want.kind == "":
		if err != nil {
			t.Errorf("%s: %v", op, err)
		}
		return
	case !errors.As(err, &e) || e.Kind != want.kind || e.Scope != want.scope:
		t.Errorf("%s: want %v: %+v", op, want, err)
		return
	}
	if e.Kind == outbound.Refused && e.Hint == "" {
		t.Errorf("%s: no word on what to do: %v", op, err)
	}
	keepsSecrets(t, err.Error())
	if !strings.HasPrefix(err.Error(), op) || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: the sentence is %q, without %q", op, err, says)
	}
	if strings.Contains(err.Error(), "alice@") || strings.Contains(err.Error(), "http://") {
		t.Errorf("%s: the sentence shows the address of the call: %q", op, err)
	}
}

// TestOnlyPagerDutysOwnErrorObjectIsAVerdict: JSON alone is not.
func TestOnlyPagerDutysOwnErrorObjectIsAVerdict(t *testing.T) {
	for _, body := range []string{`{}`, `{"error":"no"}`, `{"error":{}}`, `{"error":{"message":"matching dedup key"}}`, `{"code":2100}`, `[]`, ``} {
		for _, status := range []int{400, 401, 403, 404, 410, 500} {
			r := newRigWith(t, "", pagerdutyapi.Options{}, answering{status, body})
			_, err := r.tell(t.Context(), "PSAPPRV", pending())
			wantKind(t, err, outbound.Unclear)
			if outbound.Answered(err) {
				t.Errorf("%d %s counts as an answer: %v", status, body, err)
			}
			wantKind(t, r.Check(t.Context()), outbound.Retry)
		}
	}
}

func TestARateLimitHoldsBackFurtherCallsOfItsKind(t *testing.T) {
	r := newRig(t, "")
	r.fault(fault.Fault{Method: "POST /incidents", Effect: fault.RateLimit, RetryAfterMS: 60_000, Times: 1})
	_, err := r.tell(t.Context(), "PSAPPRV", pending())
	wantKind(t, err, outbound.Wait)
	_, err = r.tell(t.Context(), "PSPAYMT", pending())
	wantKind(t, err, outbound.Wait)
	if after := outbound.AfterOf(err); after < 50*time.Second || after > time.Minute {
		t.Errorf("to be tried again in %v", after)
	}
	if n := r.api.Calls("POST /incidents"); n != 1 {
		t.Errorf("%d calls reached PagerDuty", n)
	}
	if err := r.Check(t.Context()); err != nil {
		t.Errorf("another kind of call: %v", err)
	}
}

func TestReadOnlyKeys(t *testing.T) {
	r := newRigWith(t, "", pagerdutyapi.Options{Keys: []pagerdutyapi.Key{{Token: pagerdutyapi.DefaultKey, ReadOnly: true}}}, nil)
	if err := r.Check(t.Context()); err != nil {
		t.Errorf("a read-only key passes the check: %v", err)
	}
	_, err := r.tell(t.Context(), "PSAPPRV", pending())
	wantRefusal(t, err, outbound.ThePlace)
	if !strings.Contains(err.Error(), "not read-only") {
		t.Errorf("the sentence does not say what to do: %v", err)
	}
}

func TestAnUnknownSenderIsForTheOperator(t *testing.T) {
	r := newRigWith(t, "", pagerdutyapi.Options{Users: []pagerdutyapi.User{{ID: "X", Email: "x@example.com"}}}, nil)
	_, err := r.tell(t.Context(), "PSAPPRV", pending())
	wantRefusal(t, err, outbound.ThePlace)
	r.UserEmail = ""
	_, err = r.tell(t.Context(), "PSAPPRV", pending())
	wantRefusal(t, err, outbound.ThePlace)
}

func TestAServiceThatIsGoneConcernsItsPlace(t *testing.T) {
	r := newRig(t, "")
	r.api.RemoveService("PSAPPRV")
	_, err := r.tell(t.Context(), "PSAPPRV", pending())
	wantRefusal(t, err, outbound.ThePlace)
}

func TestAnUnreachablePagerDutyIsTriedAgain(t *testing.T) {
	r := newRig(t, "")
	if err := r.api.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := r.tell(t.Context(), "PSAPPRV", pending())
	wantKind(t, err, outbound.Retry)
	_, err = r.People(t.Context(), "alice@example.com")
	wantKind(t, err, outbound.Retry)
	if strings.Contains(err.Error(), "alice") {
		t.Errorf("the sentence shows the query: %v", err)
	}
}

func TestAMissingKeyIsToldWithoutACall(t *testing.T) {
	r := newRig(t, "")
	r.key = config.NewSecret("env:TELEPORT_PLUGINS_NO_SUCH_KEY")
	wantKind(t, r.Check(t.Context()), outbound.Retry) // only PagerDuty judges the key
	if n := len(r.api.Requests()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// FuzzAnswers feeds any answer to each call: none panics, and none makes an
// incident, a person or a shift of what names none.
func FuzzAnswers(f *testing.F) {
	f.Add(200, `{"incident":{"id":""},"incidents":[{}],"users":[{}],"oncalls":[{}],"services":[{}],"notes":[{}]}`)
	f.Add(400, `{"error":{"code":2001,"message":"x","errors":["matching dedup key"]}}`)
	f.Add(500, `{"error":[]}`)
	f.Add(200, `null`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 100 || status > 999 {
			return
		}
		transport := outbound.NewTransport(outbound.Options{Base: answering{status, body}})
		s := &service{
			client:  &client{key: config.NewSecret("k"), endpoint: "http://x", transport: transport, http: transport.Client()},
			Section: Section{UserEmail: "a@example.com"}, log: zap.NewNop(), owned: recent.New[ownership, struct{}](1),
		}
		ctx := t.Context()
		if m, err := s.announce(ctx, "S", pending()); err == nil && m.ID == "" {
			t.Error("an incident without an id")
		}
		if people, err := s.People(ctx, "a@example.com"); err == nil {
			for _, p := range people {
				if p.ID == "" || !approval.Same(p.Email, "a@example.com") {
					t.Errorf("a person %+v", p)
				}
			}
		}
		if shifts, err := s.Shifts(ctx, "P", []string{"E"}); err == nil {
			for _, shift := range shifts {
				if shift.Policy != "E" || shift.Level < 0 {
					t.Errorf("a shift %+v", shift)
				}
			}
		}
		if found, ok, err := s.Service(ctx, "S"); err == nil && ok && (found.ID == "" || !strings.EqualFold(found.Name, "S")) {
			t.Errorf("a service %+v", found)
		}
		q, v := plugindata.Message{Channel: "S", ID: "Q"}, ended(request.Denied)
		_ = s.Show(ctx, q, v)
		_, _ = s.Find(ctx, integration.Place{Address: "S", Message: q}, end(v), v)
		if list, err := s.Find(ctx, integration.Place{Address: "S"}, announcement, v); err == nil {
			for _, m := range list {
				if m.ID == "" {
					t.Error("found an incident without an id")
				}
			}
		}
	})
}

var _ http.RoundTripper = answering{}
