// Command teleport-board carries Teleport access requests to a notice board.
package main

import (
	"teleport-plugins/access/board"
	"teleport-plugins/lib/plugin"
)

func main() { plugin.Main(board.Integration()) }
