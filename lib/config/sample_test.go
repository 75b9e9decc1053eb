package config_test

import (
	"strings"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/recipient"
)

// sample is a config as a plugin composes it.
type sample struct {
	Teleport         config.Teleport `toml:"teleport"`
	Service          service         `toml:"service"`
	RoleToRecipients recipient.Table `toml:"role_to_recipients" doc:"whom to tell"`
	Log              config.Log      `toml:"log"`
	HTTP             config.Ignored  `toml:"http" deprecated:"remove the table; there is no web server any more"`
	TeleportUser     string          `alias:"teleport_user" doc:"author of approvals"`
}

type service struct {
	Token    config.Secret     `toml:"token" doc:"what the service knows us by"`
	APIURL   string            `toml:"api_url" alias:"apiurl" doc:"address of the service"`
	Channels []string          `toml:"channels" doc:"where to post"`
	Limit    int               `toml:"limit" doc:"posts at a time"`
	Ratio    float64           `toml:"ratio" doc:"share of something"`
	Labels   map[string]string `toml:"labels" doc:"labels of a post"`
	Deep     struct {
		On bool `toml:"on" doc:"a switch"`
	} `toml:"Deep"`
	Routes []route          `toml:"routes"`
	Teams  map[string]route `toml:"teams" doc:"a route for each team"`
}

type route struct {
	Name string `toml:"name" doc:"name of the route"`
}

func (r *route) Validate(f *config.Faults) {
	if r.Name == "" {
		f.Add("name", "the route has no name", "name it")
	}
}

func (s *service) Validate(f *config.Faults) {
	if !s.Token.IsSet() {
		f.Add("token", "the token is missing", "set token or token_file")
	}
	if s.APIURL != "" && !strings.HasPrefix(s.APIURL, "https://") {
		f.Add("api_url", "this is not an https address", "begin it with https://")
	}
}

func (s *sample) Validate(f *config.Faults) {
	s.RoleToRecipients.Require(f.In("role_to_recipients"))
}

func defaults() *sample {
	return &sample{
		Teleport: config.DefaultTeleport(),
		Log:      config.DefaultLog(),
		Service:  service{Limit: 8, APIURL: "https://service.example.com/"},
	}
}
