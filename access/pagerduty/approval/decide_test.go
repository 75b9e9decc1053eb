package approval_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"teleport-plugins/access/pagerduty/approval"
	"teleport-plugins/lib/config"
)

// world is what PagerDuty would say.
type world struct {
	people    []approval.Person
	services  map[string]approval.Service
	shifts    []approval.Shift
	incidents []approval.Incident
	fails     string // the question that cannot be answered
	asked     []string
}

var errUnreachable = errors.New("unreachable")

func (w *world) ask(what string) error {
	if w.fails == what {
		return errUnreachable
	}
	return nil
}

func (w *world) People(context.Context, string) ([]approval.Person, error) {
	return w.people, w.ask("people")
}

func (w *world) Service(_ context.Context, name string) (approval.Service, bool, error) {
	s, ok := w.services[name]
	return s, ok, w.ask("services")
}

func (w *world) Shifts(context.Context, string, []string) ([]approval.Shift, error) {
	w.asked = append(w.asked, "shifts")
	return w.shifts, w.ask("shifts")
}

func (w *world) OpenIncidents(context.Context, []string) ([]approval.Incident, error) {
	w.asked = append(w.asked, "incidents")
	return w.incidents, w.ask("incidents")
}

var (
	dana     = approval.Person{ID: "D", Name: "Dana", Email: "dana@example.com"}
	payments = approval.Service{ID: "S1", Name: "Payments", Policy: "E1"}
	search   = approval.Service{ID: "S2", Name: "Search", Policy: "E2"}
)

// ordinary is a world in which Dana is on call for payments at the first level,
// and for search at the third, and has an open incident of payments.
func ordinary() *world {
	return &world{
		people:   []approval.Person{dana},
		services: map[string]approval.Service{"Payments": payments, "Search": search, "Bare": {ID: "S3", Name: "Bare"}},
		shifts: []approval.Shift{
			{Policy: "E1", Level: 1, ScheduleID: "R1", Schedule: "Primary"},
			{Policy: "E2", Level: 3, ScheduleID: "R2", Schedule: "Whole Team"},
		},
		incidents: []approval.Incident{{ID: "Q1", Service: "S1", People: []string{"D"}}},
	}
}

func rules(change func(*approval.Rules)) approval.Rules {
	r := approval.Default()
	if change != nil {
		change(&r)
	}
	return r
}

func request(roles, services []string) approval.Request {
	return approval.Request{Email: "dana@example.com", Roles: roles, Services: services}
}

func TestDecisions(t *testing.T) {
	level := func(n int) func(*approval.Rules) { return func(r *approval.Rules) { r.MaxEscalationLevel = n } }
	schedules := func(s ...string) func(*approval.Rules) { return func(r *approval.Rules) { r.Schedules = s } }
	roles := func(s ...string) func(*approval.Rules) { return func(r *approval.Rules) { r.Roles = s } }
	incident := func(r *approval.Rules) { r.RequireOpenIncident = true }
	both := func(a, b func(*approval.Rules)) func(*approval.Rules) { return func(r *approval.Rules) { a(r); b(r) } }
	onPayments := `Dana <dana@example.com> is on call: "Payments" at level 1 through the schedule "Primary"`
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)

	for name, tc := range map[string]struct {
		rules    func(*approval.Rules)
		world    func(*world)
		roles    []string
		services []string
		want     string // beginning of the evidence
		approve  bool
		reason   string
	}{
		"on call, no rules":               {approve: true, want: onPayments, reason: "Dana <dana@example.com> is on call in PagerDuty for: Payments"},
		"on call for one of two services": {services: []string{"Payments", "Nowhere"}, approve: true, want: onPayments},
		"on call for two services": {
			services: []string{"Payments", "Search"}, approve: true,
			want:   onPayments + `; "Search" at level 3 through the schedule "Whole Team"`,
			reason: "Dana <dana@example.com> is on call in PagerDuty for: Payments, Search",
		},
		"not on call": {
			world: func(w *world) { w.shifts = nil },
			want:  `Dana <dana@example.com> is not on call by the rules: no shift now for "Payments"`,
		},
		"on call for something else": {
			world: func(w *world) { w.shifts = w.shifts[1:] },
			want:  `Dana <dana@example.com> is not on call by the rules: no shift now for "Payments"`,
		},
		"a shift that is over": {
			world: func(w *world) { w.shifts[0].End = past },
			want:  `Dana <dana@example.com> is not on call by the rules: "Payments" at level 1 through the schedule "Primary" (it is over)`,
		},
		"a shift to come": {
			world: func(w *world) { w.shifts[0].Start = future },
			want:  `Dana <dana@example.com> is not on call by the rules: "Payments" at level 1 through the schedule "Primary" (it has not begun)`,
		},
		"within a shift":        {world: func(w *world) { w.shifts[0].Start, w.shifts[0].End = past, future }, approve: true, want: onPayments},
		"nobody of the address": {world: func(w *world) { w.people = nil }, want: `no user at PagerDuty has the address "dana@example.com"`},
		"two of the address":    {world: func(w *world) { w.people = append(w.people, dana) }, want: `2 users at PagerDuty have the address "dana@example.com"`},
		"no such service":       {services: []string{"Nowhere"}, want: `PagerDuty has none of the services "Nowhere"`},
		"no policy":             {services: []string{"Bare"}, want: "none of the services has an escalation policy"},
		"a shift without policy does not fit a service without policy": {
			services: []string{"Bare", "Search"},
			world:    func(w *world) { w.shifts = []approval.Shift{{Level: 1}} },
			want:     `Dana <dana@example.com> is not on call by the rules: no shift now for "Bare", "Search"`,
		},

		"role allowed":               {rules: roles("prod-*"), roles: []string{"prod-db"}, approve: true, want: onPayments},
		"roles allowed":              {rules: roles("prod-*", "dba"), roles: []string{"dba", "prod-db"}, approve: true, want: onPayments},
		"one role outside":           {rules: roles("prod-*"), roles: []string{"prod-db", "admin"}, want: `the role "admin" is not among the roles`},
		"role is not a prefix":       {rules: roles("prod"), roles: []string{"prod-db"}, want: `the role "prod-db" is not among the roles`},
		"dots are not patterns":      {rules: roles("a.c"), roles: []string{"abc"}, want: `the role "abc" is not among the roles`},
		"no role but a rule":         {rules: roles("*"), roles: []string{}, want: "the request names no role"},
		"level allowed":              {rules: level(1), approve: true, want: onPayments},
		"level refused":              {rules: level(2), services: []string{"Search"}, want: `Dana <dana@example.com> is not on call by the rules: "Search" at level 3 through the schedule "Whole Team" (only levels up to 2 may be approved)`},
		"level unknown":              {rules: level(2), world: func(w *world) { w.shifts[0].Level = 0 }, want: `Dana <dana@example.com> is not on call by the rules: "Payments" at level 0`},
		"level of one of two":        {rules: level(1), services: []string{"Payments", "Search"}, approve: true, want: onPayments, reason: "Dana <dana@example.com> is on call in PagerDuty for: Payments"},
		"schedule allowed by name":   {rules: schedules("primary"), approve: true, want: onPayments},
		"schedule allowed by id":     {rules: schedules("R1"), approve: true, want: onPayments},
		"schedule refused":           {rules: schedules("Primary"), services: []string{"Search"}, want: `Dana <dana@example.com> is not on call by the rules: "Search" at level 3 through the schedule "Whole Team" (not through a schedule`},
		"on call by name, not rota":  {rules: schedules("Primary", ""), world: func(w *world) { w.shifts[0].ScheduleID, w.shifts[0].Schedule = "", "" }, want: `Dana <dana@example.com> is not on call by the rules: "Payments" at level 1 by name (not through a schedule`},
		"incident":                   {rules: incident, approve: true, want: onPayments + ", and has the open incident Q1"},
		"no incident":                {rules: incident, world: func(w *world) { w.incidents = nil }, want: `Dana <dana@example.com> is on call ("Payments" at level 1 through the schedule "Primary"), but has no open incident`},
		"somebody else's incident":   {rules: incident, world: func(w *world) { w.incidents[0].People = []string{"X"} }, want: `Dana <dana@example.com> is on call ("Payments"`},
		"another service's incident": {rules: incident, world: func(w *world) { w.incidents[0].Service = "S9" }, want: `Dana <dana@example.com> is on call ("Payments"`},

		"role and level":                  {rules: both(roles("prod-*"), level(1)), roles: []string{"prod-db"}, approve: true, want: onPayments},
		"role yes, level no":              {rules: both(roles("prod-*"), level(1)), roles: []string{"prod-db"}, services: []string{"Search"}, want: "Dana <dana@example.com> is not on call by the rules"},
		"role no, level yes":              {rules: both(roles("prod-*"), level(1)), roles: []string{"x"}, want: `the role "x"`},
		"role and schedule":               {rules: both(roles("*"), schedules("R1")), approve: true, want: onPayments},
		"role yes, schedule no":           {rules: both(roles("*"), schedules("R9")), want: "Dana <dana@example.com> is not on call by the rules"},
		"role no, schedule yes":           {rules: both(roles("y"), schedules("R1")), want: `the role "access" is not among the roles`},
		"role and incident":               {rules: both(roles("*"), incident), approve: true, want: onPayments + ", and has"},
		"role no, incident yes":           {rules: both(roles("y"), incident), want: `the role "access"`},
		"role yes, incident no":           {rules: both(roles("*"), incident), world: func(w *world) { w.incidents = nil }, want: `Dana <dana@example.com> is on call ("Payments" at level 1 through the schedule "Primary"), but has no open incident`},
		"level and schedule":              {rules: both(level(1), schedules("R1")), approve: true, want: onPayments},
		"level yes, schedule no":          {rules: both(level(1), schedules("R9")), want: `Dana <dana@example.com> is not on call by the rules: "Payments" at level 1 through the schedule "Primary" (not through a schedule`},
		"level no, schedule yes":          {rules: both(level(1), schedules("R2")), services: []string{"Search"}, want: `Dana <dana@example.com> is not on call by the rules: "Search" at level 3 through the schedule "Whole Team" (only levels up to 1 may be approved)`},
		"level and schedule of different": {rules: both(level(1), schedules("R2")), services: []string{"Payments", "Search"}, want: "Dana <dana@example.com> is not on call by the rules"},
		"level and incident":              {rules: both(level(1), incident), approve: true, want: onPayments + ", and has"},
		"level yes, incident no":          {rules: both(level(1), incident), world: func(w *world) { w.incidents = nil }, want: `Dana <dana@example.com> is on call ("Payments"`},
		"level no, incident yes":          {rules: both(level(1), incident), services: []string{"Search"}, world: func(w *world) { w.incidents[0].Service = "S2" }, want: `Dana <dana@example.com> is not on call by the rules: "Search" at level 3 through the schedule "Whole Team" (only levels up to 1 may be approved)`},
		"schedule and incident":           {rules: both(schedules("R1"), incident), approve: true, want: onPayments + ", and has"},
		"schedule yes, incident no":       {rules: both(schedules("R1"), incident), world: func(w *world) { w.incidents = nil }, want: `Dana <dana@example.com> is on call ("Payments" at level 1 through the schedule "Primary"), but has no open incident`},
		"schedule no, incident yes":       {rules: both(schedules("R9"), incident), want: "Dana <dana@example.com> is not on call by the rules"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ordinary()
			if tc.world != nil {
				tc.world(w)
			}
			if tc.roles == nil {
				tc.roles = []string{"access"}
			}
			if tc.services == nil {
				tc.services = []string{"Payments"}
			}
			got, err := rules(tc.rules).Decide(t.Context(), w, request(tc.roles, tc.services))
			if err != nil {
				t.Fatal(err)
			}
			if got.Approve != tc.approve || !strings.HasPrefix(got.Evidence, tc.want) {
				t.Errorf("got %v: %s\nwant %v: %s…", got.Approve, got.Evidence, tc.approve, tc.want)
			}
			if tc.approve && got.Reason == "" || !tc.approve && got.Reason != "" {
				t.Errorf("reason %q", got.Reason)
			}
			if tc.reason != "" && got.Reason != tc.reason {
				t.Errorf("reason %q, want %q", got.Reason, tc.reason)
			}
		})
	}
}

func TestNobodyIsApprovedWhenPagerDutyCannotBeAsked(t *testing.T) {
	r := rules(func(r *approval.Rules) { r.RequireOpenIncident = true })
	for _, what := range []string{"people", "services", "shifts", "incidents"} {
		w := ordinary()
		w.fails = what
		got, err := r.Decide(t.Context(), w, request(nil, []string{"Payments"}))
		if !errors.Is(err, errUnreachable) || got.Approve {
			t.Errorf("%s: got %+v, %v", what, got, err)
		}
	}
}

func TestARoleOutsideCostsNoQuestion(t *testing.T) {
	w := ordinary()
	w.fails = "people"
	r := rules(func(r *approval.Rules) { r.Roles = []string{"a"} })
	if _, err := r.Decide(t.Context(), w, request([]string{"b"}, []string{"Payments"})); err != nil || len(w.asked) > 0 {
		t.Errorf("PagerDuty was asked: %v, %v", w.asked, err)
	}
}

func TestReviewerReason(t *testing.T) {
	r := rules(func(r *approval.Rules) {
		r.ReviewerReason = "{{.User}}/{{.Email}}/{{.Services}}/{{range .Roles}}<{{.}}>{{end}}"
	})
	got, err := r.Decide(t.Context(), ordinary(), request([]string{"a", "b"}, []string{"Search", "Payments"}))
	if want := "Dana/dana@example.com/Search, Payments/<a><b>"; err != nil || got.Reason != want {
		t.Errorf("got %q, %v; want %q", got.Reason, err, want)
	}
}

// TestRulesOnlyNarrow adds a rule to any rules, in any world: what is refused
// without it is refused with it.
func TestRulesOnlyNarrow(t *testing.T) {
	approved := 0
	narrows := func(seed uint64) bool {
		rnd := rand.New(rand.NewPCG(seed, 1))
		w, before := anyWorld(rnd), anyRules(rnd)
		after := before
		switch rnd.IntN(7) {
		case 4:
			if after.MaxDuration == 0 || after.MaxDuration > config.Duration(time.Hour) {
				after.MaxDuration = config.Duration(time.Hour)
			}
		case 5:
			if after.MaxStartDelay == 0 || after.MaxStartDelay > config.Duration(time.Minute) {
				after.MaxStartDelay = config.Duration(time.Minute)
			}
		case 6:
			after.SingleRole = true
		case 0:
			after.RequireOpenIncident = true
		case 1:
			if after.MaxEscalationLevel == 0 || after.MaxEscalationLevel > 1 {
				after.MaxEscalationLevel = 1
			}
		case 2:
			if len(after.Schedules) == 0 {
				after.Schedules = someOf(rnd, "R1", "R2", "R3")
			}
		case 3:
			if len(after.Roles) == 0 {
				after.Roles = someOf(rnd, "a*", "b", "*")
			}
		}
		req := request(someOf(rnd, "a1", "a2", "b"), someOf(rnd, "Payments", "Search", "Bare", "Nowhere"))
		req.Length = time.Duration(rnd.IntN(3)) * time.Hour
		if rnd.IntN(2) == 0 {
			req.Start = time.Now().Add(time.Duration(rnd.IntN(3)) * time.Hour)
		}
		without, err1 := before.Decide(context.Background(), w, req)
		with, err2 := after.Decide(context.Background(), w, req)
		if without.Approve {
			approved++
		}
		return err1 == nil && err2 == nil && (without.Approve || !with.Approve) && without.Evidence != "" && with.Evidence != ""
	}
	if err := quick.Check(narrows, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
	if approved < 100 {
		t.Errorf("only %d of the worlds approve anything; the test proves nothing", approved)
	}
}

func someOf(rnd *rand.Rand, list ...string) []string {
	var out []string
	for _, s := range list {
		if rnd.IntN(2) == 0 {
			out = append(out, s)
		}
	}
	return out
}

func anyRules(rnd *rand.Rand) approval.Rules {
	return rules(func(r *approval.Rules) {
		r.MaxEscalationLevel = rnd.IntN(4)
		r.RequireOpenIncident = rnd.IntN(4) == 0
		r.SingleRole = rnd.IntN(4) == 0
		if rnd.IntN(3) == 0 {
			r.MaxDuration = config.Duration(2 * time.Hour)
		}
		if rnd.IntN(3) == 0 {
			r.MaxStartDelay = config.Duration(time.Hour)
		}
		if rnd.IntN(3) == 0 {
			r.Schedules = someOf(rnd, "R1", "R2", "R3")
		}
		if rnd.IntN(3) == 0 {
			r.Roles = someOf(rnd, "a*", "b", "*")
		}
	})
}

func anyWorld(rnd *rand.Rand) *world {
	w := ordinary()
	w.people = w.people[:min(rnd.IntN(8), 1)]
	w.shifts, w.incidents = nil, nil
	for range rnd.IntN(4) {
		s := approval.Shift{Policy: []string{"E1", "E2", ""}[rnd.IntN(3)], Level: rnd.IntN(4), ScheduleID: []string{"R1", "R2", ""}[rnd.IntN(3)]}
		if rnd.IntN(4) == 0 {
			s.End = time.Now().Add(time.Duration(rnd.IntN(3)-1) * time.Hour)
		}
		w.shifts = append(w.shifts, s)
	}
	for range rnd.IntN(3) {
		w.incidents = append(w.incidents, approval.Incident{
			ID: "Q", Service: []string{"S1", "S2", "S9"}[rnd.IntN(3)], People: someOf(rnd, "D", "X"),
		})
	}
	return w
}

func FuzzRolePatterns(f *testing.F) {
	f.Add("prod-*", "prod-db")
	f.Add("*a*", "\n")
	f.Add("[", "(")
	f.Fuzz(func(t *testing.T, pattern, role string) {
		if pattern == "" {
			return
		}
		r := rules(func(r *approval.Rules) { r.Roles = []string{pattern} })
		got, err := r.Decide(t.Context(), ordinary(), request([]string{role}, []string{"Payments"}))
		if err != nil {
			t.Fatal(err)
		}
		// Without a star a pattern is a name, and nothing but it is allowed.
		if !strings.Contains(pattern, "*") && got.Approve && pattern != role {
			t.Errorf("the pattern %q allows the role %q", pattern, role)
		}
		for _, part := range strings.Split(pattern, "*") {
			if got.Approve && !strings.Contains(role, part) {
				t.Errorf("the pattern %q allows the role %q", pattern, role)
			}
		}
		if !slices.Contains([]string{"*", role}, pattern) {
			return
		}
		if !got.Approve && !strings.ContainsRune(role, '\uFFFD') && strings.ToValidUTF8(role, "") == role {
			t.Errorf("the pattern %q refuses the role %q", pattern, role)
		}
	})
}
