// Command teleport-discord tells Discord about Teleport's access requests.
package main

import (
	"teleport-plugins/access/discord"
	"teleport-plugins/lib/plugin"
)

func main() { plugin.Main(discord.Integration()) }
