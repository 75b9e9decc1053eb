package mattermost

import (
	_ "embed" // for the example config
	"fmt"
	"slices"
	"strings"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/history"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
)

//go:embed example.toml
var example string

// Config is the config of teleport-mattermost.
type Config struct {
	plugin.Base
	Mattermost       Section          `toml:"mattermost"`
	RoleToRecipients recipient.Table  `toml:"role_to_recipients" doc:"requested role, or a pattern of roles, to recipients; \"*\" stands for every other role"`
	Reminders        plugin.Reminders `toml:"access_list_reminders"`
	Review           Review           `toml:"review"`
}

// Section is the section [mattermost].
type Section struct {
	// URL has no slash at its end after Load.
	URL    string             `toml:"url" doc:"web address of the Mattermost server, with its sub-path if it has one"`
	CAFile config.Authorities `toml:"ca_file" doc:"path of a file with certificate authorities to trust beside the system's, in PEM form"`
	Token  config.Secret      `toml:"token" doc:"access token of the bot: the token itself, the path of a file that holds it, or env:NAME"`
	// Recipients is the only routing that Teleport's own plugin documents.
	Recipients []string `toml:"recipients" doc:"recipients of every request for roles that are not in [role_to_recipients]: team/channel, e-mail addresses, @usernames or ids of channels"`
	Notices    bool     `toml:"requester_notice" doc:"requesters, too, hear of their requests and how they end, in direct messages"`
}

// Integration describes teleport-mattermost to the program that runs it.
func Integration() plugin.Integration {
	return plugin.Integration{
		Name: "mattermost", Title: "Mattermost", Example: example,
		New: func() plugin.Settings {
			return &Config{Base: plugin.DefaultBase(), Reminders: plugin.DefaultReminders(), Review: Review{Settings: decision.DefaultSettings()}}
		},
	}
}

// Validate checks what concerns several sections. Nobody need be named at all: suggested
// reviewers are told.
func (c *Config) Validate(f *config.Faults) {
	c.Review.validate(f.In("review"), f, c.Identity)
	for user, text := range c.Identity.Users {
		if _, ok := known(strings.TrimSpace(text)); !ok {
			f.In("identity").In("users").Warn(user, "this is neither an e-mail address nor @username nor the id of a Mattermost user, so the user is not told", "write one of the three")
		}
	}
	if slices.ContainsFunc(c.Mattermost.Recipients, message.IsWebAddress) {
		f.In("mattermost").Add("recipients", "a recipient is a web address, which may hold a secret", "name a channel as team/channel, or a person")
	}
	named := slices.DeleteFunc(slices.Clone(c.Mattermost.Recipients), func(name string) bool { return strings.TrimSpace(name) == "" })
	routing := f.In("role_to_recipients")
	switch {
	case len(named) == 0 && len(c.RoleToRecipients) == 0 && !f.Has("role_to_recipients"):
		f.In("mattermost").Warn("recipients", "there are none, so that only suggested reviewers are told", `write for example recipients = ["team/channel"]`)
		return
	case len(named) > 0 && c.RoleToRecipients[recipient.Anyone] == nil && !routing.Has(recipient.Anyone):
		if c.RoleToRecipients == nil {
			c.RoleToRecipients = make(recipient.Table)
		}
		c.RoleToRecipients[recipient.Anyone] = named
	case len(named) > 0:
		f.In("mattermost").Warn("recipients", `it has no effect beside "*" in [role_to_recipients]`, "remove one of the two")
	}
	c.RoleToRecipients.Require(routing)
}

// Validate checks the address and the token.
func (s *Section) Validate(f *config.Faults) {
	s.URL = strings.TrimSuffix(strings.TrimRight(s.URL, "/"), "/api/v4")
	if s.URL == "" {
		f.Add("url", "there is no address", "set the address of the Mattermost server as browsers know it, for example https://mattermost.example.com")
	} else {
		f.WebAddress("url", s.URL, "https://mattermost.example.com")
	}
	token, err := s.Token.Read()
	switch {
	case !s.Token.IsSet():
		f.Add("token", "there is no token", "set the access token that Mattermost shows when the bot account is made")
	case err == nil && strings.ContainsAny(token, " \t\r\n"):
		f.Add("token", "the token holds white space", `write it alone, without the word "Bearer"`)
	}
}

// Build makes the service.
func (c *Config) Build(d plugin.Deps) (plugin.Parts, error) {
	if err := d.Transport.Trust(c.Mattermost.CAFile.Certificates()); err != nil {
		return plugin.Parts{}, fmt.Errorf("mattermost.ca_file: %w", err)
	}
	s := &service{
		client: client{base: c.Mattermost.URL + "/api/v4", token: c.Mattermost.Token, http: d.Transport.Client()},
		log:    d.Log, note: d.Note, notices: c.Mattermost.Notices, review: c.Review,
		people: &identity.People{Section: c.Identity, Traits: d.Traits, Known: known},
	}
	s.history = history.New(s.readHistory)
	return plugin.Parts{
		Service: s, People: s.people, Router: recipient.Static{Table: c.RoleToRecipients, Log: d.Log, People: s.people},
		Codec: codec{}, Reminders: &c.Reminders, Decisions: &decision.Policy{Settings: c.Review.Settings, Trait: c.Review.Trait},
	}, nil
}

// codec reads and writes the records of Teleport's own plugin.
type codec struct{ plugindata.Messages }

// Decode reads the known part of a record. One of the oldest kind names one post by the
// keys channel_id and postID.
func (c codec) Decode(data map[string]string) (plugindata.Known, error) {
	k, err := c.Messages.Decode(data)
	old := plugindata.Message{Channel: data["channel_id"], ID: data["postID"]}
	if old.Channel != "" && old.ID != "" {
		k.Messages = slices.Insert(slices.DeleteFunc(k.Messages, func(m plugindata.Message) bool { return m == old }), 0, old)
	}
	return k, err
}
