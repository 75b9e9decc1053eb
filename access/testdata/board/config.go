package board

import (
	_ "embed" // for the example config
	"fmt"
	"strings"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
)

//go:embed example.toml
var example string

// Config is the config of teleport-board.
type Config struct {
	plugin.Base
	Board            Section         `toml:"board"`
	RoleToRecipients recipient.Table `toml:"role_to_recipients" doc:"requested role, or a pattern of roles, to boards; \"*\" stands for every other role"`
}

// Section is the section [board].
type Section struct {
	URL    string             `toml:"url" doc:"web address of the service"`
	CAFile config.Authorities `toml:"ca_file" doc:"path of a file with certificate authorities to trust beside the system's, in PEM form"`
	Token  config.Secret      `toml:"token" doc:"token of the service: the token itself, the path of a file that holds it, or env:NAME"`
}

// Integration describes teleport-board to the program that runs it.
func Integration() plugin.Integration {
	return plugin.Integration{
		Name: "board", Title: "Board", Example: example,
		New: func() plugin.Settings { return &Config{Base: plugin.DefaultBase()} },
	}
}

// Validate checks the routing.
func (c *Config) Validate(f *config.Faults) {
	c.RoleToRecipients.Require(f.In("role_to_recipients"))
}

// Validate checks the address and that there is a token.
func (s *Section) Validate(f *config.Faults) {
	f.WebAddress("url", s.URL, "https://board.example.com")
	if !s.Token.IsSet() {
		f.Add("token", "there is no token", "set the token that the board's administrator gave you")
	}
}

// Build makes the service.
func (c *Config) Build(d plugin.Deps) (plugin.Parts, error) {
	if err := d.Transport.Trust(c.Board.CAFile.Certificates()); err != nil {
		return plugin.Parts{}, fmt.Errorf("board.ca_file: %w", err)
	}
	return plugin.Parts{
		Service: &service{client{
			base: strings.TrimSuffix(c.Board.URL, "/"), token: c.Board.Token, http: d.Transport.Client(),
		}},
		Router: recipient.Static{Table: c.RoleToRecipients, Log: d.Log},
		Codec:  plugindata.Messages{},
	}, nil
}
