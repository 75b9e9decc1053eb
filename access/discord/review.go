package discord

import (
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/identity"
)

// Review is the section [review].
type Review struct {
	decision.Settings
	Trait string `toml:"discord_user_id_trait" doc:"trait of Teleport users that holds their Discord user ids"`
}

// traitKey is the key of the trait.
const traitKey = "discord_user_id_trait"

// validate checks the section, whose people may be those of [identity], and that people
// are named by their ids.
func (r *Review) validate(f *config.Faults, root *config.Faults, who identity.Section) {
	r.Adopt(root, who, &r.Trait, func(text string) (string, bool) { return text, isID(text) })
	r.Settings.Validate(f, traitKey, r.Trait)
	for id := range r.Users {
		if !isID(id) {
			f.Add("users."+id, "this is not a Discord user id", `write the digits of the id in quotes, and the Teleport user behind the sign "="`)
		}
	}
	if !r.Enabled {
		return
	}
	const noEmail, instead = "Discord shows nobody's e-mail address to a bot", "set " + traitKey + " or [review.users]"
	switch source := r.Source(r.Trait); {
	case source == decision.ByEmail || source == decision.ByTraitThenEmail:
		f.Add("identity", noEmail, instead)
	case source == decision.ByUsers && r.EmailMatch:
		f.Warn("allow_email_username_match", noEmail, "remove it")
	}
}

// policy is what people may decide in Discord.
func (r *Review) policy() *decision.Policy {
	return &decision.Policy{Settings: r.Settings, Trait: r.Trait}
}
