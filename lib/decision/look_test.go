package decision_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gravitational/trace"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/request"
)

// What is said beforehand of a user is what becomes of a press: it counts as the user's
// where both lines say so, and nowhere else.
func TestWhatIsSaidOfAUserIsWhatBecomesOfAPress(t *testing.T) {
	for name, c := range map[string]struct {
		rig  func(*rig)
		user string
		id   string
		ok   bool
		says string
	}{
		"by trait":                     {user: bob, id: "UB", ok: true, says: `known by the Chat id UB, from the trait "chat_id"`},
		"without the trait":            {rig: func(r *rig) { r.traits[bob] = nil }, user: bob, id: "UB", says: `not known: the user has no trait "chat_id" now`},
		"an id that two have":          {rig: func(r *rig) { r.traits[carol] = map[string][]string{"chat_id": {"UB"}} }, user: bob, id: "UB", says: "is that of several users: " + bob},
		"traits that cannot be read":   {rig: func(r *rig) { r.fail["Users"] = trace.AccessDenied("no") }, user: bob, id: "UB", says: "cannot be read: no"},
		"by the table":                 {rig: users(map[string]string{"U7": " " + bob}), user: bob, id: "U7", ok: true, says: "known by the Chat id U7, which is mapped to the user"},
		"not in the table":             {rig: users(map[string]string{"U7": carol}), user: bob, id: "UB", says: "not known: no id is mapped to the user"},
		"by e-mail":                    {rig: email("example.com"), user: bob, id: "U7", ok: true, says: "known by the address bob@example.com, if Chat shows it of the person"},
		"of another domain":            {rig: email("example.org"), user: bob, id: "U7", says: "not known: the user's name is not an address in one of the email_domains"},
		"a user who is locked":         {rig: func(r *rig) { r.locked = []string{bob} }, user: bob, id: "UB", says: "a lock is in force for the user"},
		"a user whom there is no more": {rig: users(map[string]string{"U7": "zoe"}), user: "zoe", id: "U7", says: "no such Teleport user"},
	} {
		t.Run(name, func(t *testing.T) {
			change := c.rig
			if change == nil {
				change = func(*rig) {}
			}
			r := newRig(t, change)
			steps := decision.Look(t.Context(), r.options, c.user)
			ok, text := true, ""
			for _, s := range steps {
				ok, text = ok && s.Found, text+s.Source+": "+s.Says+"\n"
			}
			if ok != c.ok || !strings.Contains(text, c.says) {
				t.Errorf("found %v, want %v and %q:\n%s", ok, c.ok, c.says, text)
			}
			answer := r.by(c.id, request.Approved, withEmail(c.user))
			reviews := r.req.GetReviews()
			counted := len(reviews) == 1 && reviews[0].Author == c.user
			if counted != c.ok {
				t.Errorf("a press becomes %+v, with reviews %+v", answer, reviews)
			}
		})
	}
}

// reviewed is a config with both sections, of a service whose ids begin with U.
type reviewed struct {
	Identity identity.Section  `toml:"identity"`
	Review   decision.Settings `toml:"review"`
	trait    string
}

func (r *reviewed) Validate(f *config.Faults) {
	r.Review.Adopt(f, r.Identity, &r.trait, func(text string) (string, bool) { return text, strings.HasPrefix(text, "U") })
}

func TestPeopleOfTheSectionIdentity(t *testing.T) {
	const on = "\n[review]\nenabled = true\n"
	for text, want := range map[string]struct {
		trait, user string // of the id U1
		fault       string
	}{
		"[identity]\ntrait = \"chat\"" + on:                                                          {trait: "chat"},
		"[identity]\ntrait = \"chat\"\n[identity.users]\nann = \"U1\"" + on:                          {fault: `review.identity: both identity.trait and [identity.users] say who a person is, and somebody who presses may be two users; set it to "trait" or "users"`},
		"[identity.users]\nann = \"U1\"\nbob = \"bob@example.org\"" + on:                             {user: "ann"},
		"[identity.users]\nann = \"U1\"\nbob = \"U1\"" + on:                                          {fault: "identity.users.bob: it is the same person as ann, so that buttons cannot tell which user presses; name one of the two in [review.users]"},
		"[identity.users]\nann = \"U1\"\nbob = \"U1\"" + on + "[review.users]\nU1 = \"bob\"":         {user: "bob"},
		"[identity]\ntrait = \"chat\"" + on + "[review.users]\nU1 = \"bob\"":                         {user: "bob"},
		"[identity]\ntrait = \"chat\"\n[identity.users]\nann = \"U1\"" + on + "identity = \"users\"": {user: "ann"},
		"[identity]\ntrait = \"chat\"" + on + "allow_email_username_match = true":                    {},
		"[identity]\ntrait = \"chat\"\n[review]\nenabled = false":                                    {},
	} {
		path := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := reviewed{Review: decision.DefaultSettings()}
		_, err := config.Load(path, &r)
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		if r.trait != want.trait && want.fault == "" || r.Review.Users["U1"] != want.user && want.fault == "" || !strings.HasSuffix(fault, want.fault) || (fault == "") != (want.fault == "") {
			t.Errorf("%s\ngives the trait %q, the users %v, %q", text, r.trait, r.Review.Users, fault)
		}
	}
}
