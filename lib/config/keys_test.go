package config_test

import (
	"slices"
	"testing"

	"teleport-plugins/lib/config"
)

func TestKeysDescribeEverySetting(t *testing.T) {
	var got []string
	byPath := map[string]config.Key{}
	for _, k := range config.Keys(defaults()) {
		got = append(got, k.Path+": "+k.Type+" = "+k.Default)
		byPath[k.Path] = k
	}
	want := []string{
		`teleport.addr: string = "localhost:3025"`,
		`teleport.auth_server: string = `,
		`teleport.identity: string = `,
		`teleport.client_key: string = `,
		`teleport.client_crt: string = `,
		`teleport.root_cas: string = `,
		`teleport.refresh_identity: true or false = true with identity, else false`,
		`teleport.refresh_identity_interval: duration = "1m0s"`,
		`service.token: secret = `,
		`service.token_file: path = `,
		`service.api_url: string = "https://service.example.com/"`,
		`service.channels: list of string = `,
		`service.limit: whole number = 8`,
		`service.ratio: number = `,
		`service.labels: table of string = `,
		`service.Deep.on: true or false = false`,
		`service.routes[].name: string = `,
		`service.teams.NAME.name: string = `,
		`role_to_recipients: table of recipients = `,
		`log.output: string = "stderr"`,
		`log.severity: string = "info"`,
		`log.format: string = "text"`,
		`TeleportUser: string = `,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%q\nwant:\n%q", got, want)
	}
	for path, k := range byPath {
		if k.Doc == "" {
			t.Errorf("%s has no doc", path)
		}
	}
	if byPath["teleport.auth_server"].Deprecated == "" || !byPath["role_to_recipients"].Open {
		t.Error("deprecated or open is not told")
	}
}
