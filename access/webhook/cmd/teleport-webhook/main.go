// Command teleport-webhook carries Teleport access requests to a notice webhook.
package main

import (
	"teleport-plugins/access/webhook"
	"teleport-plugins/lib/plugin"
)

func main() { plugin.Main(webhook.Integration()) }
