package timeline

import "teleport-plugins/lib/sandbox/pagerdutyapi"

// secret is what no log may show.
func (w *World) secret() string {
	switch w.service {
	case "slack":
		return w.Slack.Token()
	case "discord":
		return w.Discord.Token()
	}
	return pagerdutyapi.DefaultKey
}
