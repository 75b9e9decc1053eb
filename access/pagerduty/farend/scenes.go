package farend

import (
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/scene"
)

// onCall is the switch that puts Bob on call for the service whose people on call may
// have demo-role at once.
const onCall = "Payments/" + cluster.Bob

// scenes are the plays that are about the rota.
func scenes() []scene.Scene {
	return []scene.Scene{{
		Name: "on-call", Title: "Bob is on call", Plugin: true,
		Sentence: "Who is on call for a service gets the access at once, and the incident says why.",
		Steps: []scene.Step{
			{Says: "Bob is put on call for Payments.", Switch: &scene.Switch{ID: onCall, On: true}, Seconds: 1},
			{Says: "He asks for the role that people on call for Payments may have. The plugin sees that he is, and approves.", Ask: &scene.Ask{User: cluster.Bob, Role: "demo-role", Reason: "Paged: payments API is slow"}, Approved: true, Seconds: 1},
			{Says: "The incident is resolved and says why. So does every other service.", Told: true, Seconds: 1},
			{Says: "His shift ends.", Switch: &scene.Switch{ID: onCall, On: false}},
		},
	}}
}
