package sandbox

import (
	"teleport-plugins/lib/sandbox/slackapi"
)

// vendors are the simulated services by name.
type vendors struct {
	slack *slackapi.Server
}

func newVendors() (vendors, []service) {
	v := vendors{slack: slackapi.New(slackapi.Options{})}
	return v, []service{slackService(v.slack)}
}

// Slack is the simulated Slack workspace.
func (v vendors) Slack() *slackapi.Server { return v.slack }
