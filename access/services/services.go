// Package services provides the list of all services: whatever is to be done for
// each of them, from the suite to the archives, is done for those named here.
package services

import (
	discord "teleport-plugins/access/discord/farend"
	email "teleport-plugins/access/email/farend"
	mattermost "teleport-plugins/access/mattermost/farend"
	pagerduty "teleport-plugins/access/pagerduty/farend"
	slack "teleport-plugins/access/slack/farend"
	webhook "teleport-plugins/access/webhook/farend"
	"teleport-plugins/lib/sandbox/farend"
)

// All lists the services.
func All() []farend.Service {
	return []farend.Service{slack.Service(), discord.Service(), pagerduty.Service(), webhook.Service(), mattermost.Service(), email.Service()}
}
