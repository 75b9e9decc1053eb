package email

import (
	_ "embed" // for the example config
	"fmt"
	"time"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/mail"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/recipient"
)

//go:embed example.toml
var example string

// Config is the config of teleport-email. The section [delivery] holds the keys of
// Mail and of a sender beside those that every plugin has there.
type Config struct {
	plugin.Base
	mail.Settings
	Mail             Mail             `toml:"delivery"`
	Reminders        plugin.Reminders `toml:"access_list_reminders"`
	RoleToRecipients recipient.Table  `toml:"role_to_recipients" doc:"requested role, or a pattern of roles, to e-mail addresses; \"*\" stands for every other role"`
}

// Mail is what this plugin adds to the section [delivery].
type Mail struct {
	Recipients []string `toml:"recipients" deprecated:"write it as \"*\" in [role_to_recipients]" doc:"addresses for requests for any role"`
	Copies     bool     `toml:"requester_notice" doc:"send requesters, too, what is told about their requests"`
}

// Integration describes teleport-email to the program that runs it.
func Integration() plugin.Integration {
	return plugin.Integration{
		Name: "email", Title: "Email", Example: example,
		New: func() plugin.Settings {
			reminders := plugin.DefaultReminders()
			reminders.Enabled = false // Teleport's own plugin sends none
			return &Config{Reminders: reminders, Base: plugin.DefaultBase(), Settings: mail.DefaultSettings()}
		},
	}
}

// Validate checks what concerns several sections.
func (c *Config) Validate(f *config.Faults) {
	table := f.In("role_to_recipients")
	switch old := recipient.Names(c.Mail.Recipients); {
	case len(old) > 0 && len(c.RoleToRecipients) > 0:
		f.In("delivery").Add("recipients", "it says the same as [role_to_recipients]", "keep one of the two")
	case len(old) > 0:
		c.RoleToRecipients = recipient.Table{recipient.Anyone: old}
	default:
		c.RoleToRecipients.Require(table)
	}
	for role, names := range c.RoleToRecipients {
		for _, name := range names {
			if !identity.IsEmail(name) {
				table.Warn(role, fmt.Sprintf("%q does not look like a valid email, and nobody is told in its place", name), "write the bare address, as in alice@example.com")
			}
		}
	}
	c.allowTime(f.In("delivery"))
}

// patience is how long a mail server may take: it looks for viruses and spam before it
// answers (RFC 5321, 4.5.3.2.6, allows ten minutes).
const patience = config.Duration(30 * time.Second)

// allowTime gives calls more time than web APIs need, where the config does not say.
func (c *Config) allowTime(f *config.Faults) {
	if d := &c.Delivery; !f.Has("call_timeout") {
		if !f.Has("lease") {
			d.Lease = 2 * patience
		}
		d.CallTimeout = max(d.CallTimeout, min(patience, d.Lease/2))
	}
}
