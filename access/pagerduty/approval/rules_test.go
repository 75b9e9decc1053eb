package approval_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"teleport-plugins/access/pagerduty/approval"
	"teleport-plugins/lib/config"
)

// load reads rules as they stand in a config.
func load(t *testing.T, text string) (approval.Rules, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := struct {
		AutoApprove approval.Rules `toml:"auto_approve"`
	}{approval.Default()}
	_, err := config.Load(path, &c)
	return c.AutoApprove, err
}

func TestRulesAreReadFromTheConfig(t *testing.T) {
	for text, want := range map[string]string{
		"":                                                "",
		"auto_approve = true":                             "",
		"auto_approve = false":                            "",
		"auto_approve = \"yes\"":                          "this is neither a table nor true or false",
		"auto_approve.rolles = [\"a\"]":                   "rolles",
		"auto_approve.max_escalation_level = -1":          "the level is negative",
		"auto_approve.max_escalation_level = 0":           "",
		"auto_approve.max_duration = \"-1s\"":             "the time is negative",
		"auto_approve.max_duration = \"0s\"":              "",
		"auto_approve.max_start_delay = \"-1s\"":          "the time is negative",
		"auto_approve.max_start_delay = \"0s\"":           "",
		"auto_approve.roles = []":                         "the list is empty",
		"auto_approve.roles = [\"a\"]":                    "",
		"auto_approve.roles = [\"a\", \" \"]":             "the list holds an empty name",
		"auto_approve.schedules = []":                     "the list is empty",
		"auto_approve.schedules = [\"\"]":                 "the list holds an empty name",
		"auto_approve.reviewer_reason = \"\"":             "",
		"auto_approve.reviewer_reason = \"{{\"":           "the template does not work",
		"auto_approve.reviewer_reason = \"{{.Nothing}}\"": "the template does not work",
		"auto_approve.reviewer_reason = \"{{.User}}{{.Email}}{{.Services}}{{.Roles}}\"": "",
	} {
		t.Run(text, func(t *testing.T) {
			r, err := load(t, text)
			switch {
			case want == "" && err != nil:
				t.Error(err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("got %v, want %q", err, want)
			case want == "" && r.Enabled == strings.HasSuffix(text, "false"):
				t.Errorf("enabled: %v", r.Enabled)
			case want == "" && r.ReviewerReason == "":
				t.Error("the review has no text")
			}
		})
	}
}

func TestALimitAllowsWhatIsNotBeyondIt(t *testing.T) {
	const hour = time.Hour
	longest := func(d time.Duration) approval.Rules {
		return rules(func(r *approval.Rules) { r.MaxDuration = config.Duration(d) })
	}
	latest := func(d time.Duration) approval.Rules {
		return rules(func(r *approval.Rules) { r.MaxStartDelay = config.Duration(d) })
	}
	single := rules(func(r *approval.Rules) { r.SingleRole = true })
	for name, c := range map[string]struct {
		rules         approval.Rules
		length, delay time.Duration
		roles         []string
		against       string
	}{
		"any length, unknown":           {rules: longest(0)},
		"any length, long":              {rules: longest(0), length: 1000 * hour},
		"the longest":                   {rules: longest(hour), length: hour},
		"the shortest":                  {rules: longest(hour), length: 1},
		"longer":                        {rules: longest(hour), length: hour + 1, against: "access for 1 hour is asked for, and at most 1 hour may be approved"},
		"of unknown length":             {rules: longest(hour), against: "it is not known how long"},
		"of a length that cannot be":    {rules: longest(hour), length: -1, against: "it is not known how long"},
		"the least limit is one":        {rules: longest(1), length: 2, against: "access for"},
		"the least limit, unknown":      {rules: longest(1), against: "it is not known how long"},
		"any start, much later":         {rules: latest(0), delay: 1000 * hour},
		"the latest start":              {rules: latest(hour), delay: hour},
		"a later start":                 {rules: latest(hour), delay: hour + 1, against: "the access begins later than 1 hour from now"},
		"the least delay is one":        {rules: latest(1), delay: 2, against: "the access begins later than"},
		"a single role":                 {rules: single, roles: []string{"a"}},
		"two where one is allowed":      {rules: single, roles: []string{"a", "b"}, against: "the request is for 2 roles"},
		"none where one is allowed":     {rules: single, roles: []string{}, against: "the request is for 0 roles"},
		"no role, and no rule on roles": {rules: rules(nil), roles: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.roles == nil {
					c.roles = []string{"access"}
				}
				req := request(c.roles, []string{"Payments"})
				req.Length, req.Start = c.length, time.Now().Add(c.delay)
				got, err := c.rules.Decide(t.Context(), ordinary(), req)
				if err != nil || got.Approve != (c.against == "") || !strings.HasPrefix(got.Evidence, c.against) {
					t.Errorf("%v: %s, %v; want %q", got.Approve, got.Evidence, err, c.against)
				}
			})
		})
	}
}

func TestAShiftLastsFromItsStartToBeforeItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		start, end time.Duration // from now; zero for none
		approve    bool
	}{
		"begins now":        {0, time.Hour, true},
		"begins in no time": {1, time.Hour, false},
		"ends now":          {-time.Hour, 0, false},
		"ends in no time":   {-time.Hour, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := ordinary()
				w.shifts[0].Start, w.shifts[0].End = time.Now().Add(c.start), time.Now().Add(c.end)
				got, err := rules(nil).Decide(t.Context(), w, request(nil, []string{"Payments"}))
				if err != nil || got.Approve != c.approve {
					t.Errorf("%v: %s, %v", got.Approve, got.Evidence, err)
				}
			})
		})
	}
}

func TestTextsAreCutToWhatRecordsAndReviewsMayHold(t *testing.T) {
	w := ordinary()
	w.people[0].Name, w.shifts[0].Schedule = strings.Repeat("n", 2000), strings.Repeat("s", 2000)
	for name, c := range map[string]struct {
		services []string
		reason   int
	}{"approved": {[]string{"Payments"}, 1000}, "refused": {[]string{"Search", "Nowhere"}, 0}} {
		t.Run(name, func(t *testing.T) {
			r := rules(func(r *approval.Rules) { r.MaxEscalationLevel = 1 })
			got, err := r.Decide(t.Context(), w, request(nil, c.services))
			if err != nil || utf8.RuneCountInString(got.Evidence) != 800 || utf8.RuneCountInString(got.Reason) != c.reason {
				t.Errorf("evidence of %d, reason of %d characters, %v", utf8.RuneCountInString(got.Evidence), utf8.RuneCountInString(got.Reason), err)
			}
		})
	}
}

func TestWhatCouldNotBeAskedInTimeIsNoAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := rules(nil).Decide(ctx, ordinary(), request(nil, []string{"Payments"}))
	if !errors.Is(err, context.Canceled) || got.Approve {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestServicesAreNamedOnceEach(t *testing.T) {
	w := ordinary()
	w.services["Pay"] = payments // the same one by another name
	w.shifts = append(w.shifts, w.shifts[0])
	got, err := rules(nil).Decide(t.Context(), w, request(nil, []string{"Payments", "Pay", "Payments"}))
	if want := "is on call in PagerDuty for: Payments"; err != nil || !strings.HasSuffix(got.Reason, want) {
		t.Errorf("got %q, %v", got.Reason, err)
	}
}
