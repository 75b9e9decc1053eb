package decision_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gravitational/trace"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/recipient"
)

// hearing is a service that says what it has to say, and fails or listens.
type hearing struct {
	says []string
	err  error
}

func (h hearing) Listen(ctx context.Context, d decision.Desk) error {
	for _, fault := range h.says {
		d.Heard(fault)
	}
	if h.err != nil {
		return h.err
	}
	<-ctx.Done()
	return nil
}

// Each line that is wanted is found, and no FAIL beside it.
func TestCheck(t *testing.T) {
	byUsers := users(map[string]string{"UB": bob, "UZ": "zoe"})
	for name, c := range map[string]struct {
		rig      func(*rig)
		listener hearing
		want     []string
	}{
		"all is well": {want: []string{
			`^ok +presses in Chat$`, `^ok +look up who people are`, `^ok +submit reviews in the name of others`,
		}},
		"no connection":                       {listener: hearing{says: []string{"no route to Chat"}}, want: []string{`^FAIL  presses in Chat.*no route to Chat`}},
		"nothing said":                        {listener: hearing{says: []string{}}, want: []string{`^FAIL  presses in Chat.*do not reach`}},
		"a refusal":                           {listener: hearing{err: errors.New("switched off")}, want: []string{`^FAIL  presses in Chat.*switched off`}},
		"a connection that is lost and found": {listener: hearing{says: []string{"lost", ""}}, want: []string{`^ok +presses`}},
		"the plugin runs": {
			listener: hearing{err: fmt.Errorf("listening: %w", &net.OpError{Op: "listen", Err: syscall.EADDRINUSE})},
			want:     []string{`^note  presses in Chat: listening.*in use.*while the plugin itself runs`, `^ok +submit`},
		},
		"an old cluster": {rig: func(r *rig) { r.version = "17.2.0" }, want: []string{`^FAIL.*17\.2\.0.*18\.11\.0.*submit_as`}},
		"nobody has the trait": {rig: func(r *rig) { r.policy.Trait = "chat_uid" }, want: []string{
			`^note  no Teleport user has the trait "chat_uid"`, `^note  submit.*not tried`,
		}},
		"users may not be listed":      {rig: func(r *rig) { r.fail["Users"] = trace.AccessDenied("no") }, want: []string{`^FAIL.*user: list, read`}},
		"no rule to submit":            {rig: func(r *rig) { r.behalf = false }, want: []string{`^FAIL  submit.*submit_for_users.*not for others`}},
		"somebody is mapped to nobody": {rig: users(map[string]string{"UB": bob, "UC": "", "UA": " " + alice + " "}), want: []string{`^ok +look up`, `^ok +submit`}},
		"the first may review nothing, and the last may": {rig: func(r *rig) {
			for i := range 20 {
				r.traits[fmt.Sprintf("aa%02d", i)] = map[string][]string{"chat_id": {fmt.Sprint(i)}}
			}
			r.may = []string{mallory}
		}, want: []string{`^ok +submit`}},
		"by trait, then by e-mail": {rig: func(r *rig) {
			email("example.com")(r)
			r.policy.Trait, r.policy.Identity = "chat_uid", decision.ByTraitThenEmail
		}, want: []string{`^ok +submit`}},
		"locks may not be read": {rig: func(r *rig) { r.fail["Locked"] = trace.AccessDenied("no") }, want: []string{
			`^note  look for locks.*the plugin may not read locks`, `^ok +submit`,
		}},
		"one of the people may review nothing":  {rig: func(r *rig) { r.may = []string{carol} }, want: []string{`^ok +submit`}},
		"the cluster is away":                   {rig: failing("SubmitReview"), want: []string{`^FAIL  submit.*down`}},
		"a table names one whom nobody knows":   {rig: byUsers, want: []string{`^note.*know zoe of .review.users`, `^ok +submit`}},
		"users may not be read":                 {rig: func(r *rig) { byUsers(r); r.fail["UserRoles"] = trace.AccessDenied("no") }, want: []string{`^FAIL.*user: list, read`}},
		"by e-mail":                             {rig: email("example.com"), want: []string{`^ok +submit`}},
		"by e-mail of a domain that nobody has": {rig: email("example.org"), want: []string{`^note  no Teleport user has a name in one of the email_domains`}},
		"as the plugin": {rig: asPlugin(recipient.Table{"*": {bob, "zoe"}}), want: []string{
			`^note.*counts as one review`, `^note.*know zoe of .review.reviewers`, `^ok +look for locks`, `^ok +submit reviews in the plugin's name`,
		}},
		"as the plugin, which may not look for locks": {rig: func(r *rig) {
			asPlugin(recipient.Table{"*": {bob}})(r)
			r.fail["Locked"] = trace.AccessDenied("no")
		}, want: []string{`^FAIL  look for locks .lock: list, read`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var changes []func(*rig)
				if c.rig != nil {
					changes = append(changes, c.rig)
				}
				r := newRig(t, changes...)
				if c.listener.says == nil && c.listener.err == nil {
					c.listener.says = []string{""}
				}
				var got []string
				run := &check.Run{Limit: 10 * time.Second, Tell: func(l check.Line) { got = append(got, l.String()) }}
				run.Do(t.Context(), decision.Legs(r.options, c.listener, "connection")...)
				fails := false
				for _, want := range c.want {
					fails = fails || strings.HasPrefix(want, "^FAIL")
					if !regexp.MustCompile("(?m)" + want).MatchString(strings.Join(got, "\n")) {
						t.Errorf("no line %q", want)
					}
				}
				if name == "an old cluster" && strings.Contains(strings.Join(got, "\n"), "submit reviews") {
					t.Error("more was tried than an old cluster can take")
				}
				if failed := strings.Contains(strings.Join(got, "\n"), "FAIL"); failed != fails {
					t.Errorf("a line FAIL: %v, want %v", failed, fails)
				}
				if r.reviews > 0 {
					t.Error("a check reviewed a request")
				}
				if t.Failed() {
					t.Log(strings.Join(got, "\n"))
				}
			})
		})
	}
}
