package pagerduty

import (
	"errors"
	"strings"
	"testing"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/request"
)

func TestIdentity(t *testing.T) {
	all := "user_email_trait = \"mail\"\nuser_email_suffix = \"@suffix.example.com\"\n[pagerduty.users]\ncarla = \"table@example.com\"\n\"dan@example.com\" = \"dan@pagerduty.example.com\"\n"
	for name, tc := range map[string]struct {
		config, user string
		traits       map[string][]string
		email, why   string
	}{
		"an address":                     {"", "dan@example.com", nil, "dan@example.com", ""},
		"no address":                     {"", "dan", nil, "", "is not an e-mail address"},
		"an address with a name":         {"", "Dan <dan@example.com>", nil, "", "is not an e-mail address"},
		"table before all":               {all, "carla", map[string][]string{"mail": {"trait@example.com"}}, "table@example.com", ""},
		"table before the name":          {all, "dan@example.com", nil, "dan@pagerduty.example.com", ""},
		"trait before the name":          {all, "eve@example.com", map[string][]string{"mail": {"trait@example.com"}}, "trait@example.com", ""},
		"name where there is no trait":   {all, "eve@example.com", nil, "eve@example.com", ""},
		"no trait that is an address":    {all, "eve@example.com", map[string][]string{"mail": {"eve"}}, "eve@example.com", ""},
		"today's section":                {"[identity]\ntrait = \"mail\"\n[identity.users]\ncarla = \"new@example.com\"\n", "carla", nil, "new@example.com", ""},
		"trait before suffix":            {all, "eve", map[string][]string{"mail": {"trait@example.com"}}, "trait@example.com", ""},
		"the same trait twice":           {all, "eve", map[string][]string{"mail": {"t@example.com", "t@example.com"}}, "t@example.com", ""},
		"suffix where there is no trait": {all, "eve", map[string][]string{"other": {"x@example.com"}}, "eve@suffix.example.com", ""},
		"two traits":                     {all, "eve", map[string][]string{"mail": {"a@example.com", "b@example.com"}}, "", `the trait "mail": has 2 values for "eve"`},
		"a name that breaks the suffix":  {"user_email_suffix = \"@example.com\"", "a b", nil, "", "is not an e-mail address"},
		"a name with another address":    {"user_email_suffix = \"@example.com\"", "mallory@evil.example.com,x", nil, "", "is not an e-mail address"},
		"a look-alike":                   {"", "\u212Aarl@example.com", nil, "", `the address "\u212aarl@example.com" holds characters that stand for others`},
		"a look-alike trait":             {all, "eve", map[string][]string{"mail": {"e\u0301@example.com"}}, "", "holds characters that stand for others"},
		"a look-alike before the suffix": {"user_email_suffix = \"@example.com\"", "\u212Aarl", nil, "", "has capital letters, which addresses do not keep apart"},
		"a name in another script":       {"", "zoë@example.com", nil, "zoë@example.com", ""},
		"a table is exact":               {all, "Carla", nil, "", "has capital letters, which addresses do not keep apart"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.config)
			r.traits = tc.traits
			email, why, err := r.oncall.email(t.Context(), tc.user)
			if err != nil || email != tc.email || (why == "") != (tc.why == "") || !strings.Contains(why, tc.why) {
				t.Errorf("got %q, %q, %v; want %q, %q", email, why, err, tc.email, tc.why)
			}
		})
	}
	t.Run("traits that cannot be read", func(t *testing.T) {
		r := newRig(t, all)
		r.denied = errors.New("denied")
		if _, err := r.oncall.Decide(t.Context(), func() request.View { v := fromAlice(); v.User = "eve"; return v }(), integration.Told{}); !errors.Is(err, r.denied) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a user without an address is left to people", func(t *testing.T) {
		r := newRig(t, "")
		v := fromAlice()
		v.User = "alice"
		if d, err := r.oncall.Decide(t.Context(), v, integration.Told{}); err != nil || approves(d) || d.Evidence == "" || r.api.Calls("GET /users") != 0 {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestTheAddressMustBeTheSame(t *testing.T) {
	r := newRig(t, "")
	r.api.AddUser(pagerdutyapi.User{ID: "PUX", Name: "Malice", Email: "malalice@example.com"})
	r.api.AddUser(pagerdutyapi.User{ID: "PUY", Name: "alice@example.com", Email: "y@example.com"})
	for user, want := range map[string]string{"ALICE@Example.com": "PUALICE", "lice@example.com": "", "alice@example.co": ""} {
		list, err := r.People(t.Context(), user)
		if err != nil || want == "" && len(list) > 0 || want != "" && (len(list) != 1 || list[0].ID != want) {
			t.Errorf("%s: %+v, %v", user, list, err)
		}
	}
	// The KELVIN SIGN folds to a k, and the ligature to nothing of the kind.
	r.api.AddUser(pagerdutyapi.User{ID: "PUK", Name: "Karl", Email: "karl@example.com"})
	for _, user := range []string{"\u212Aarl@example.com", "karl@e\uFF58ample.com"} {
		v := fromAlice()
		v.User = user
		if list, err := r.People(t.Context(), user); err != nil || len(list) > 0 {
			t.Errorf("%s: %+v, %v", user, list, err)
		}
		if d, err := r.oncall.Decide(t.Context(), v, integration.Told{}); err != nil || approves(d) {
			t.Errorf("%s: %+v, %v", user, d, err)
		}
	}
	r.api.AddUser(pagerdutyapi.User{ID: "PUZ", Name: "Alice Again", Email: "Alice@example.com"})
	if d, err := r.oncall.Decide(t.Context(), fromAlice(), integration.Told{}); err != nil || approves(d) || !strings.Contains(d.Evidence, "2 users at PagerDuty") {
		t.Errorf("%+v, %v", d, err)
	}
}
