package recipient_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
)

func TestRecipientsOfARequest(t *testing.T) {
	mapped := &identity.People{
		Section: identity.Section{Users: map[string]string{"alice": "U1"}},
		Known:   func(text string) (string, bool) { return text, text == "U1" || identity.IsEmail(text) },
	}
	for name, c := range map[string]struct {
		table     recipient.Names
		roles     []string
		reviewers []string
		people    *identity.People
		want      []string
		warnings  int
	}{
		"of the roles":                {table: recipient.Names{"a", "b"}, roles: []string{"r"}, want: []string{"a", "b"}},
		"each once":                   {table: recipient.Names{"a", "b", "a"}, roles: []string{"r"}, want: []string{"a", "b"}},
		"of no roles at all":          {table: recipient.Names{"a"}, want: []string{"a"}},
		"nobody":                      {roles: []string{"r"}},
		"suggested reviewers follow":  {table: recipient.Names{"a"}, roles: []string{"r"}, reviewers: []string{"b@example.org"}, want: []string{"a", "b@example.org"}},
		"a reviewer is among them":    {table: recipient.Names{"b@example.org"}, roles: []string{"r"}, reviewers: []string{"b@example.org"}, want: []string{"b@example.org"}},
		"reviewers alone":             {reviewers: []string{"b@example.org"}, want: []string{"b@example.org"}},
		"no address":                  {reviewers: []string{"bob", "general"}, warnings: 2},
		"an address with a name":      {reviewers: []string{"Bob <b@example.org>"}, warnings: 1},
		"two addresses":               {reviewers: []string{"a@example.org, b@example.org"}, warnings: 1},
		"mapped without an address":   {reviewers: []string{"alice", "bob"}, people: mapped, want: []string{"U1"}, warnings: 1},
		"two users who are one":       {reviewers: []string{"alice", "alice"}, people: mapped, want: []string{"U1"}},
		"an address that is unmapped": {reviewers: []string{"b@example.org"}, people: mapped, want: []string{"b@example.org"}},
	} {
		t.Run(name, func(t *testing.T) {
			core, logged := observer.New(zap.WarnLevel)
			router := recipient.Static{Table: recipient.Table{recipient.Anyone: c.table}, Log: zap.New(core), People: c.people}
			got := router.Recipients(t.Context(), request.View{ID: "req", Roles: c.roles, SuggestedReviewers: c.reviewers}).Recipients()
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if logged.Len() != c.warnings {
				t.Errorf("%d warnings, want %d: %v", logged.Len(), c.warnings, logged.All())
			}
		})
	}
}

func TestWhySomebodyIsARecipient(t *testing.T) {
	router := recipient.Static{Log: zap.NewNop(), Table: recipient.Table{"db-*": {"dba", "b@example.org"}, "*": {"all"}}}
	got := router.Recipients(t.Context(), request.View{
		Roles: []string{"db-admin", "dev"}, SuggestedReviewers: []string{"b@example.org", "bob"},
	})
	want := integration.Choices{
		{Recipient: "dba", Why: `[role_to_recipients] "db-*"`},
		{Recipient: "b@example.org", Why: `[role_to_recipients] "db-*"; the suggested reviewer "b@example.org"`},
		{Recipient: "all", Why: `[role_to_recipients] "*"`, Default: true},
		{Why: `the suggested reviewer "bob" cannot be told: the name itself: "bob" is not an e-mail address`},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// A requester may suggest as many reviewers as they like, and one again and again: each
// is told once, for reasons that do not grow.
func TestManySuggestions(t *testing.T) {
	const many = 100_000
	var suggested []string
	for i := range many {
		suggested = append(suggested, "b@example.org", fmt.Sprintf("u%d@example.org", i), "nobody")
	}
	router := recipient.Static{Log: zap.NewNop(), Table: recipient.Table{"*": {"b@example.org"}}}
	got := router.Recipients(t.Context(), request.View{SuggestedReviewers: suggested})
	if n := len(got.Recipients()); n != many+1 {
		t.Errorf("%d recipients", n)
	}
	if want := `[role_to_recipients] "*"; the suggested reviewer "b@example.org"`; got[0].Why != want {
		t.Errorf("one is told because %.200s", got[0].Why)
	}
}

func TestALongSuggestionIsNotLoggedWhole(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	router := recipient.Static{Table: nil, Log: zap.New(core)}
	router.Recipients(t.Context(), request.View{SuggestedReviewers: []string{strings.Repeat("x", 5000)}})
	if got := logged.All()[0].ContextMap()["reviewer"].(string); len(got) > 100 {
		t.Errorf("%d characters were logged", len(got))
	}
}

// named is a router that names the same recipients for everything.
type named []string

func (n named) Recipients(context.Context, request.View) integration.Choices {
	return integration.Choose("named", n...)
}

func TestTheFirstRouterThatNamesAnybodyCounts(t *testing.T) {
	for name, c := range map[string]struct {
		routers recipient.First
		want    []string
	}{
		"none":               {nil, nil},
		"none names any":     {recipient.First{named{}, named{}}, nil},
		"the first":          {recipient.First{named{"a"}, named{"b"}}, []string{"a"}},
		"the second":         {recipient.First{named{}, named{"b"}}, []string{"b"}},
		"never both at once": {recipient.First{named{}, named{"b"}, named{"c"}}, []string{"b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.routers.Recipients(t.Context(), request.View{}).Recipients(); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A web address may hold a secret: it is neither told nor shown, and does not stand in the way
// of others.
func TestWebAddressesAreLeftOut(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	hook := "https://hooks.example.com/services/SECRET"
	safe := func(names ...string) recipient.Named {
		return recipient.Named{Router: named(names), Log: zap.New(core)}
	}
	for name, c := range map[string]struct {
		routers recipient.First
		want    []string
		warned  int
	}{
		"beside others":                      {recipient.First{safe("a", hook, "b")}, []string{"a", "b"}, 1},
		"alone, so that the next one counts": {recipient.First{safe(hook), safe("b")}, []string{"b"}, 1},
		"none of them":                       {recipient.First{safe("a"), safe("b")}, []string{"a"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.routers.Recipients(t.Context(), request.View{ID: "r1"}).Recipients()
			all := logs.TakeAll()
			if !slices.Equal(got, c.want) || len(all) != c.warned {
				t.Errorf("got %q and %d warnings, want %q and %d", got, len(all), c.want, c.warned)
			}
			for _, line := range all {
				if strings.Contains(fmt.Sprint(line.Message, line.ContextMap()), "SECRET") || line.ContextMap()["request_id"] != "r1" {
					t.Errorf("logged %v", line)
				}
			}
		})
	}
}

func TestConfiguredAreThoseThatTheTableNames(t *testing.T) {
	router := recipient.Static{Table: recipient.Table{recipient.Anyone: {"b", "a"}, "prod": {"c", "a"}}}
	if got, want := router.Configured(), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
