// Command teleport-mattermost carries Teleport access requests to a notice mattermost.
package main

import (
	"teleport-plugins/access/mattermost"
	"teleport-plugins/lib/plugin"
)

func main() { plugin.Main(mattermost.Integration()) }
