package slack

import (
	_ "embed" // for the example config
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/history"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
)

// defaultAPI is the base address of Slack's Web API.
const defaultAPI = "https://slack.com/api/"

//go:embed example.toml
var example string

// Config is the config of teleport-slack.
type Config struct {
	plugin.Base
	Slack            Section          `toml:"slack"`
	RoleToRecipients recipient.Table  `toml:"role_to_recipients" doc:"requested role, or a pattern of roles, to channels, e-mail addresses or Slack ids; \"*\" stands for every other role"`
	Reminders        plugin.Reminders `toml:"access_list_reminders"`
	Review           Review           `toml:"review"`
}

// Section is the section [slack].
type Section struct {
	Token  config.Secret      `toml:"token" doc:"bot token (xoxb-…): the token itself, the path of a file that holds it, or env:NAME"`
	CAFile config.Authorities `toml:"ca_file" doc:"path of a file with certificate authorities to trust beside the system's, in PEM form"`
	// APIURL ends in a slash after Load.
	APIURL    string `toml:"api_url" alias:"apiurl" doc:"base address of the Slack Web API"`
	Broadcast bool   `toml:"broadcast_reminders" default:"true" doc:"show reminders of [reminders] in the channel too, and not in the thread alone, where only those who follow it see them"`
	// Recipients is the only routing that the oldest plugins knew.
	Recipients []string `toml:"recipients" deprecated:"write them as \"*\" = [...] in [role_to_recipients]" doc:"recipients of every request"`
	// Channel is what the very first plugin had in place of Recipients.
	Channel string `toml:"channel" deprecated:"write it as \"*\" = \"...\" in [role_to_recipients]" doc:"recipient of every request"`
	// Users is [identity.users] in older configs.
	Users map[string]string `toml:"users" deprecated:"write it as [identity.users]" doc:"the same as [identity.users], for notifications alone"`
}

// Integration describes teleport-slack to the program that runs it.
func Integration() plugin.Integration {
	return plugin.Integration{
		Name: "slack", Title: "Slack", Example: example,
		New: func() plugin.Settings {
			return &Config{Base: plugin.DefaultBase(), Slack: Section{APIURL: defaultAPI, Broadcast: true}, Reminders: plugin.DefaultReminders(), Review: Review{Settings: decision.DefaultSettings()}}
		},
	}
}

// Validate checks what concerns several sections, and takes over old configs. Those that name
// nobody at all worked once: suggested reviewers are told.
func (c *Config) Validate(f *config.Faults) {
	c.Review.validate(f.In("review"), f, c.Identity)
	c.Identity.AliasUsers(f, "slack", c.Slack.Users, known, func(at *config.Faults, user string) {
		at.Warn(user, "this is neither an e-mail address nor the id of a Slack user, so the user is not told", "write one of the two")
	})
	c.validateRouting(f)
}

func (c *Config) validateRouting(f *config.Faults) {
	for key, names := range map[string][]string{"recipients": c.Slack.Recipients, "channel": {c.Slack.Channel}} {
		if slices.ContainsFunc(names, message.IsWebAddress) {
			f.In("slack").Add(key, "a recipient is a web address, which may hold a secret", "name a channel or a person")
		}
	}
	old := slices.DeleteFunc(append(slices.Clone(c.Slack.Recipients), c.Slack.Channel), func(name string) bool { return name == "" })
	routing := f.In("role_to_recipients")
	switch {
	case len(old) == 0 && len(c.RoleToRecipients) == 0 && !f.Has("role_to_recipients"):
		routing.Warn("", "the table is missing, so that only suggested reviewers are told", `add it with at least "*" = ["recipient"]`)
		return
	case len(old) > 0 && len(c.RoleToRecipients) == 0:
		c.RoleToRecipients = recipient.Table{recipient.Anyone: old}
		return
	}
	for _, key := range []string{"recipients", "channel"} {
		if len(old) > 0 && f.In("slack").Has(key) {
			f.In("slack").Warn(key, "it has no effect beside [role_to_recipients]", "remove it")
		}
	}
	c.RoleToRecipients.Require(routing)
}

// Validate checks the token's kind and the API's address.
func (s *Section) Validate(f *config.Faults) {
	s.validateToken(f)
	f.WebAddress("api_url", s.APIURL, defaultAPI)
	if !strings.HasSuffix(s.APIURL, "/") {
		s.APIURL += "/"
	}
}

func (s *Section) validateToken(f *config.Faults) {
	const bot = "set the bot token, which begins with xoxb-"
	token, err := s.Token.Read()
	switch {
	case !s.Token.IsSet():
		f.Add("token", "there is no token", "set the bot token that Slack shows under OAuth & Permissions")
	case err != nil: // the config says so
	case strings.HasPrefix(token, "xapp-"):
		f.Add("token", "this is an app-level token", bot)
	case strings.HasPrefix(token, "xoxp-"):
		f.Warn("token", "this is a user token; messages are sent in that user's name", bot)
	case !strings.HasPrefix(token, "xox"):
		f.Warn("token", "this does not look like a bot token", bot)
	}
}

// Build makes the service.
func (c *Config) Build(d plugin.Deps) (plugin.Parts, error) {
	if err := d.Transport.Trust(c.Slack.CAFile.Certificates()); err != nil {
		return plugin.Parts{}, fmt.Errorf("slack.ca_file: %w", err)
	}
	s := &service{
		client: client{token: c.Slack.Token, tokenKey: "slack.token", transport: d.Transport, http: d.Transport.Client()},
		log:    d.Log, note: d.Note, rooms: rooms{turn: make(chan struct{}, 1)},
		people: &identity.People{Section: c.Identity, Traits: d.Traits, Known: known},
	}
	s.app = client{token: c.Review.AppToken, tokenKey: "review.app_token", transport: d.Transport, http: d.Transport.Client()}
	s.app.api = slack.New("", slack.OptionAPIURL(c.Slack.APIURL), slack.OptionHTTPClient(&s.app))
	s.review, s.address, s.quiet = c.Review, c.Slack.APIURL, !c.Slack.Broadcast
	s.api = slack.New("", slack.OptionAPIURL(c.Slack.APIURL), slack.OptionHTTPClient(&s.client))
	s.history = history.New(s.readHistory)
	router := recipient.Static{Table: c.RoleToRecipients, Log: d.Log, People: s.people}
	s.configured = router.Configured()
	return plugin.Parts{
		Service: s, People: s.people, Router: router,
		Codec: plugindata.Messages{}, Reminders: &c.Reminders,
		Decisions: &decision.Policy{Settings: c.Review.Settings, Trait: c.Review.Trait},
	}, nil
}
