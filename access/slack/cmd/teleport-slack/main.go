// Command teleport-slack carries Teleport access requests to Slack.
package main

import (
	"teleport-plugins/access/slack"
	"teleport-plugins/lib/plugin"
)

func main() { plugin.Main(slack.Integration()) }
