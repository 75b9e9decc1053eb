package slack

import (
	"strings"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/hook"
	"teleport-plugins/lib/identity"
)

// Review is the section [review].
type Review struct {
	decision.Settings
	AppToken config.Secret `toml:"app_token" doc:"app-level token (xapp-…) with the scope connections:write, for Socket Mode: the token itself, the path of a file that holds it, or env:NAME"`
	Trait    string        `toml:"slack_user_id_trait" doc:"trait of a Teleport user that holds the Slack user id of the person"`
	// Endpoint is the other way, by HTTP.
	hook.Endpoint
	SigningSecret config.Secret `toml:"signing_secret" doc:"the app's signing secret, by which Slack is known at listen"`
}

// validate checks the section, whose people may be those of [identity].
func (r *Review) validate(f *config.Faults, root *config.Faults, who identity.Section) {
	r.Adopt(root, who, &r.Trait, func(text string) (string, bool) { return text, isUser(text) })
	r.Settings.Validate(f, "slack_user_id_trait", r.Trait)
	if !r.Enabled {
		return
	}
	if r.Listen != "" {
		r.validateHook(f)
		return
	}
	if r.SigningSecret.IsSet() || r.CertFile != "" || r.KeyFile != "" {
		f.Warn("signing_secret", "it and listen_cert are not used without listen", "remove them, or set listen")
	}
	const app = "set the app-level token that Slack shows under Basic Information; it begins with xapp-"
	token, err := r.AppToken.Read()
	switch {
	case !r.AppToken.IsSet():
		f.Add("app_token", "there is no token", app)
	case err != nil: // the config says so
	case strings.HasPrefix(token, "xoxb-"):
		f.Add("app_token", "this is a bot token", app)
	case !strings.HasPrefix(token, "xapp-"):
		f.Warn("app_token", "this does not look like an app-level token", app)
	}
}

func (r *Review) validateHook(f *config.Faults) {
	r.Check(f)
	secret, err := r.SigningSecret.Read()
	if !r.SigningSecret.IsSet() || err == nil && strings.TrimSpace(secret) == "" {
		f.Add("signing_secret", "there is none, and anybody could press", "set the signing secret that Slack shows under Basic Information")
	}
	if r.AppToken.IsSet() {
		f.Warn("app_token", "it is not used beside listen", "remove one of the two")
	}
}
