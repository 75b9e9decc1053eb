package sandbox

import (
	"teleport-plugins/lib/sandbox/discordapi"
	"teleport-plugins/lib/sandbox/pagerdutyapi"
	"teleport-plugins/lib/sandbox/slackapi"
)

// vendors are the simulated services by name.
type vendors struct {
	slack     *slackapi.Server
	discord   *discordapi.Server
	pagerduty *pagerdutyapi.Server
}

func newVendors() (vendors, []service) {
	v := vendors{
		slack:     slackapi.New(slackapi.Options{}),
		discord:   discordapi.New(discordapi.Options{}),
		pagerduty: pagerdutyapi.New(pagerdutyapi.Options{OnCalls: rota()}),
	}
	return v, []service{slackService(v.slack), discordService(v.discord), pagerdutyService(v.pagerduty)}
}

// rota leaves Alice, who requests in most demonstrations, off call: the first
// request of hers is then decided by people.
func rota() []pagerdutyapi.OnCall {
	return []pagerdutyapi.OnCall{
		{User: "PUBOB01", Policy: "PEPAYMT", Schedule: "PRPRIMA", Level: 1},
		{User: "PUCAROL", Policy: "PEAPPRV", Level: 1},
	}
}

// Slack is the simulated Slack workspace.
func (v vendors) Slack() *slackapi.Server { return v.slack }

// Discord is the simulated Discord.
func (v vendors) Discord() *discordapi.Server { return v.discord }

// PagerDuty is the simulated PagerDuty account.
func (v vendors) PagerDuty() *pagerdutyapi.Server { return v.pagerduty }
