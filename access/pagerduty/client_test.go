package pagerduty

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/sandbox/pagerdutyapi"
)

// calls are all calls that the integration makes, each by its own method.
func (r *rig) calls(m plugindata.Message) map[string]func(context.Context) error {
	v := ended(message.Denied)
	return map[string]func(context.Context) error{
		"GET /abilities": r.Check,
		"POST /incidents": func(ctx context.Context) error {
			_, err := r.Post(ctx, "PSPAYMT", pending())
			return err
		},
		"POST /incidents/{id}/notes": func(ctx context.Context) error { return r.Reply(ctx, m, v, 0) },
		"GET /incidents/{id}/notes": func(ctx context.Context) error {
			_, err := r.FindReply(ctx, m, v, 0)
			return err
		},
		"PUT /incidents": func(ctx context.Context) error { return r.Edit(ctx, m, v) },
		"GET /incidents": func(ctx context.Context) error {
			_, err := r.OpenIncidents(ctx, []string{"PSPAYMT"})
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
			_, err := r.client.priority(ctx, "P1")
			return err
		},
	}
}

// TestEveryFailureOfEveryCallHasItsKind holds each call against each failure.
func TestEveryFailureOfEveryCallHasItsKind(t *testing.T) {
	const (
		read   = "GET "
		create = "POST /incidents"
	)
	type expect func(op string) outbound.Kind
	always := func(k outbound.Kind) expect { return func(string) outbound.Kind { return k } }
	// A failure that may have come after the work is unclear, unless there was
	// no work.
	after := func(op string) outbound.Kind {
		if strings.HasPrefix(op, read) {
			return outbound.Retry
		}
		return outbound.Unclear
	}
	denied := func(op string) outbound.Kind {
		switch {
		case op == "GET /incidents/{id}/notes": // counts as not there
			return ""
		case strings.HasPrefix(op, read) && op != opCheck:
			return outbound.Permanent
		}
		return outbound.Credentials
	}
	missing := func(op string) outbound.Kind {
		if strings.Contains(op, "{id}") {
			return outbound.Gone
		}
		return outbound.Permanent
	}
	invalid := func(op string) outbound.Kind {
		if op == "GET /incidents/{id}/notes" {
			return ""
		}
		return outbound.Permanent
	}
	for name, tc := range map[string]struct {
		fault fault.Fault
		want  expect
		says  string
	}{
		"400 invalid input":       {fault.Fault{Effect: fault.Refuse, Code: "2001"}, invalid, "2001 Invalid Input Provided"},
		"400 no such requester":   {fault.Fault{Effect: fault.Refuse, Code: "1008"}, always(outbound.Credentials), "set pagerduty.user_email"},
		"400 bad From":            {fault.Fault{Effect: fault.Refuse, Code: "1028"}, always(outbound.Credentials), "set pagerduty.user_email"},
		"401":                     {fault.Fault{Effect: fault.Refuse, Code: "2006"}, always(outbound.Credentials), "set pagerduty.api_key to a valid key"},
		"401 without a body":      {fault.Fault{Effect: fault.Status, HTTPStatus: 401}, always(outbound.Credentials), "set pagerduty.api_key to a valid key"},
		"402 abilities":           {fault.Fault{Effect: fault.Refuse, Code: "2014"}, always(outbound.Credentials), "look after the PagerDuty account"},
		"402 without a body":      {fault.Fault{Effect: fault.Status, HTTPStatus: 402}, always(outbound.Credentials), "status 402"},
		"403":                     {fault.Fault{Effect: fault.Refuse, Code: "2010"}, denied, "2010 Access Denied (HTTP status 403); "},
		"403 without a body":      {fault.Fault{Effect: fault.Status, HTTPStatus: 403}, denied, "status 403"},
		"404":                     {fault.Fault{Effect: fault.Refuse, Code: "2100"}, missing, "2100 Not Found"},
		"404 without a body":      {fault.Fault{Effect: fault.Status, HTTPStatus: 404}, missing, "status 404"},
		"408":                     {fault.Fault{Effect: fault.Refuse, Code: "2016"}, after, "2016"},
		"409 data changed":        {fault.Fault{Effect: fault.Refuse, Code: "1005"}, always(outbound.Retry), "1005"},
		"429 with a time":         {fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 7000}, always(outbound.Wait), "to be tried again in 7s"},
		"429 without a time":      {fault.Fault{Effect: fault.RateLimit}, always(outbound.Wait), "2020 Rate Limit Exceeded"},
		"500":                     {fault.Fault{Effect: fault.Refuse, Code: "2000"}, after, "2000 Internal Error"},
		"503 without a body":      {fault.Fault{Effect: fault.Status, HTTPStatus: 503}, after, "status 503"},
		"hang":                    {fault.Fault{Effect: fault.Hang}, after, "no answer in time"},
		"cut":                     {fault.Fault{Effect: fault.Cut}, after, ""},
		"wrong JSON":              {fault.Fault{Effect: fault.Garbage}, after, ""},
		"policy missing":          {fault.Fault{Effect: fault.Refuse, Code: "1014"}, invalid, "1014"},
		"service without policy":  {fault.Fault{Effect: fault.Refuse, Code: "5002"}, invalid, "5002"},
		"an error nobody expects": {fault.Fault{Effect: fault.Status, HTTPStatus: 418}, invalid, "status 418"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			m := r.posted(t)
			for op, call := range r.calls(m) {
				r.later(t)
				f := tc.fault
				f.Method, f.Times = op, 1
				r.fault(f)
				ctx := t.Context()
				if f.Effect == fault.Hang {
					ctx = r.untilHit(t)
				}
				err := call(ctx)
				r.api.Faults().Clear()
				if want := tc.want(op); want == "" {
					if err != nil {
						t.Errorf("%s: %v", op, err)
					}
					continue
				} else if got := outbound.KindOf(err); err == nil || got != want {
					t.Errorf("%s: kind %q, want %q: %v", op, got, want, err)
					continue
				}
				keepsSecrets(t, err.Error())
				if !strings.HasPrefix(err.Error(), op) || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%s: the sentence is %q, without %q", op, err, tc.says)
				}
				if strings.Contains(err.Error(), "alice@") || strings.Contains(err.Error(), "http://") {
					t.Errorf("%s: the sentence shows the address of the call: %q", op, err)
				}
			}
		})
	}
}

func TestARateLimitHoldsBackFurtherCallsOfItsKind(t *testing.T) {
	r := newRig(t, "")
	r.fault(fault.Fault{Method: "POST /incidents", Effect: fault.RateLimit, RetryAfterMS: 60_000, Times: 1})
	_, err := r.Post(t.Context(), "PSAPPRV", pending())
	wantKind(t, err, outbound.Wait)
	_, err = r.Post(t.Context(), "PSPAYMT", pending())
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
	_, err := r.Post(t.Context(), "PSAPPRV", pending())
	wantKind(t, err, outbound.Credentials)
	if !strings.Contains(err.Error(), "not read-only") {
		t.Errorf("the sentence does not say what to do: %v", err)
	}
}

func TestAnUnknownSenderIsForTheOperator(t *testing.T) {
	r := newRigWith(t, "", pagerdutyapi.Options{Users: []pagerdutyapi.User{{ID: "X", Email: "x@example.com"}}}, nil)
	_, err := r.Post(t.Context(), "PSAPPRV", pending())
	wantKind(t, err, outbound.Credentials)
	r.UserEmail = ""
	_, err = r.Post(t.Context(), "PSAPPRV", pending())
	wantKind(t, err, outbound.Credentials)
}

func TestAServiceThatIsGoneIsPermanent(t *testing.T) {
	r := newRig(t, "")
	r.api.RemoveService("PSAPPRV")
	_, err := r.Post(t.Context(), "PSAPPRV", pending())
	wantKind(t, err, outbound.Permanent)
}

func TestAnUnreachablePagerDutyIsTriedAgain(t *testing.T) {
	r := newRig(t, "")
	if err := r.api.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Post(t.Context(), "PSAPPRV", pending())
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
	wantKind(t, r.Check(t.Context()), outbound.Credentials)
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
			Section: Section{UserEmail: "a@example.com"}, ids: make(map[string]known), log: zap.NewNop(),
		}
		ctx := t.Context()
		if m, err := s.open(ctx, "S", pending()); err == nil && m.ID == "" {
			t.Error("an incident without an id")
		}
		if people, err := s.People(ctx, "a@example.com"); err == nil {
			for _, p := range people {
				if p.ID == "" || !strings.EqualFold(p.Email, "a@example.com") {
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
		_ = s.Edit(ctx, plugindata.Message{Channel: "S", ID: "Q"}, ended(message.Denied))
	})
}

var _ http.RoundTripper = answering{}
