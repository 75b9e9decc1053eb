// Command teleport-pagerduty carries Teleport access requests to PagerDuty.
package main

import (
	"teleport-plugins/access/pagerduty"
	"teleport-plugins/lib/plugin"
)

func main() { plugin.Main(pagerduty.Integration()) }
