// Command teleport-email carries Teleport access requests to a notice email.
package main

import (
	"teleport-plugins/access/email"
	"teleport-plugins/lib/plugin"
)

func main() { plugin.Main(email.Integration()) }
