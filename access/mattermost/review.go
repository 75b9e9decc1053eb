package mattermost

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/hook"
	"teleport-plugins/lib/identity"
)

// Review is the section [review].
type Review struct {
	decision.Settings
	hook.Endpoint
	Trait  string        `toml:"mattermost_user_id_trait" doc:"trait of a Teleport user that holds the Mattermost user id of the person"`
	URL    string        `toml:"url" doc:"web address under which the Mattermost server reaches listen"`
	Secret config.Secret `toml:"secret" doc:"secret of the plugin's own, the same for all replicas, by which it knows its buttons again: the secret itself, the path of a file that holds it, or env:NAME"`
}

// leastSecret is how long the secret must be, in bytes.
const leastSecret = 16

// validate checks the section, whose people may be those of [identity].
func (r *Review) validate(f *config.Faults, root *config.Faults, who identity.Section) {
	r.Adopt(root, who, &r.Trait, func(text string) (string, bool) { return text, isID(text) })
	r.Settings.Validate(f, "mattermost_user_id_trait", r.Trait)
	if !r.Enabled {
		return
	}
	if source := r.Source(r.Trait); source == decision.ByEmail || source == decision.ByTraitThenEmail {
		f.Warn("allow_email_username_match", "Mattermost tells a bot of nobody that the e-mail address is verified, so that nobody is recognised by it", "set mattermost_user_id_trait, or list the people in [review.users]")
	}
	r.Check(f)
	f.WebAddress("url", r.URL, "https://plugin.example.com:3000/")
	if _, err := r.secret(); !r.Secret.IsSet() || errors.Is(err, errShort) {
		f.Add("secret", "it is missing or short, and anybody could press", "set one of 16 characters or more, as openssl rand -hex 32 makes it")
	}
	for id := range r.Users {
		if !isID(id) {
			f.In("users").Add(id, "this is not a Mattermost user id", "write the 26 letters and digits that the System Console or mmctl shows")
		}
	}
}

var errShort = errors.New("it is too short")

// secret is read each time, so that it can be replaced.
func (r *Review) secret() (string, error) {
	secret, err := r.Secret.Read()
	if err == nil && len(secret) < leastSecret {
		err = errShort
	}
	if err != nil {
		return "", fmt.Errorf("review.secret: %w", err)
	}
	return secret, nil
}

// whois asks Mattermost who somebody is, now.
func (s *service) whois(ctx context.Context, id string) (decision.Person, error) {
	var who user
	if err := s.do(ctx, call{route: userByID, args: []string{id}}, &who); err != nil {
		return decision.Person{}, err
	}
	p := decision.Person{Name: who.Name}
	switch {
	case who.ID != id:
		return p, errForeign
	case who.Deleted != 0:
		p.Outsider = "deactivated"
	case who.Bot:
		p.Outsider = "a bot"
	case slices.Contains(strings.Fields(who.Roles), "system_guest"):
		p.Outsider = "a guest"
	case who.Remote != "":
		p.Outsider = "of another server"
	}
	if who.Verified {
		p.Email = who.Email
	}
	return p, nil
}
