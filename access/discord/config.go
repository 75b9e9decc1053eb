package discord

import (
	_ "embed" // for the example config
	"fmt"
	"strings"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
)

// defaultAPI is the base address of Discord's REST API.
const defaultAPI = "https://discord.com/api/"

//go:embed example.toml
var example string

// Config is the config of teleport-discord.
type Config struct {
	plugin.Base
	Discord          Section          `toml:"discord"`
	RoleToRecipients recipient.Table  `toml:"role_to_recipients" doc:"requested role, or a pattern of roles, to channels (id or server/channel) and users (user:id); \"*\" stands for every other role"`
	Reminders        plugin.Reminders `toml:"access_list_reminders"`
	Review           Review           `toml:"review"`
}

// Section is the section [discord].
type Section struct {
	Token  config.Secret      `toml:"token" doc:"bot token: the token itself, the path of a file that holds it, or env:NAME"`
	CAFile config.Authorities `toml:"ca_file" doc:"path of a file with certificate authorities to trust beside the system's, in PEM form"`
	// APIURL ends in a slash after Load.
	APIURL string `toml:"api_url" alias:"apiurl" doc:"base address of the Discord API"`
	// Users is [identity.users] in older configs.
	Users map[string]string `toml:"users" deprecated:"write it as [identity.users]" doc:"the same as [identity.users], for notifications alone"`
}

// Integration describes teleport-discord to the program that runs it.
func Integration() plugin.Integration {
	return plugin.Integration{
		Name: "discord", Title: "Discord", Example: example, UserAgent: userAgent,
		New: func() plugin.Settings {
			return &Config{Base: plugin.DefaultBase(), Discord: Section{APIURL: defaultAPI}, Reminders: plugin.DefaultReminders(), Review: Review{Settings: decision.DefaultSettings()}}
		},
	}
}

// Validate checks what concerns several sections.
func (c *Config) Validate(f *config.Faults) {
	c.Review.validate(f.In("review"), f, c.Identity)
	id := func(text string) (string, bool) { return text, isID(text) }
	c.Identity.AliasUsers(f, "discord", c.Discord.Users, id, func(at *config.Faults, user string) {
		at.Add(user, "this is not a Discord user id", `write its digits in quotes; "Copy User ID" in Discord's developer mode gives them`)
	})
	c.RoleToRecipients.Require(f.In("role_to_recipients"))
}

// Validate checks the token, the API's address and the user ids.
func (s *Section) Validate(f *config.Faults) {
	if !s.Token.IsSet() {
		f.Add("token", "there is no token", "set the token that the Discord developer portal shows on the page Bot")
	} else if token, err := s.Token.Read(); err == nil && strings.ContainsAny(token, " \t\r\n") {
		f.Add("token", "the token holds white space", `write it alone, without the word "Bot"`)
	}
	f.WebAddress("api_url", s.APIURL, defaultAPI)
	if !strings.HasSuffix(s.APIURL, "/") {
		s.APIURL += "/"
	}
}

// Build makes the service.
func (c *Config) Build(d plugin.Deps) (plugin.Parts, error) {
	if err := d.Transport.Trust(c.Discord.CAFile.Certificates()); err != nil {
		return plugin.Parts{}, fmt.Errorf("discord.ca_file: %w", err)
	}
	s := newService(c.Discord, &identity.People{Section: c.Identity, Traits: d.Traits, Known: known}, d)
	s.asks, s.listens = c.Review.AsksReason, c.Review.Enabled
	return plugin.Parts{
		Service: s,
		People:  s.people,
		Router:  recipient.Static{Table: c.RoleToRecipients, Log: d.Log, People: s.people},
		Codec:   plugindata.Messages{}, Reminders: &c.Reminders, Decisions: c.Review.policy(),
	}, nil
}
