package scene

import (
	"fmt"
	"net/http"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/fault"
)

// Everywhere are the scenes that concern all services at once.
func Everywhere() []Scene {
	return []Scene{{
		Name: "cut", Title: "Teleport is cut off for a while",
		Sentence: "People ask and review while no plugin can reach Teleport. When it is back, everything is caught up.",
		Steps: []Step{
			{Says: "Alice asks for access, and everybody is told.", Ask: &Ask{User: cluster.Alice, Role: "demo-role", Reason: "Checkout errors since 14:00, see INC-2217"}, Told: true},
			{Says: "The connection to Teleport breaks, and new ones are refused.", Refuse: true, Action: "cut_connections", Seconds: 1},
			{Says: "Bob approves her request, and three people more ask. No plugin can see it.", Review: &Review{cluster.Bob, "Go ahead"}, Ask: &Ask{User: cluster.Dave, Role: "demo-role", Reason: "Roll back the payment service", Times: 3, Every: 500}, Missing: true, Seconds: 3},
			{Says: "Teleport can be reached again. The plugins compare, and catch up.", Heal: true, Told: true},
			{Says: "Every message is there, once, and says what is so."},
		},
	}}
}

// Of are the scenes that every service has, by its title. Presses says that people can
// decide there.
func Of(title string, presses bool) []Scene {
	list := []Scene{down(title), killed(title), replicas(title)}
	if presses {
		list = append(list, pressed(title))
	}
	return list
}

func down(title string) Scene {
	return Scene{
		Name: "down", Title: title + " is down for ten seconds",
		Sentence: "Three people ask meanwhile. Nothing that could not be delivered is forgotten.",
		Steps: []Step{
			{Says: title + " answers every call with the status 503.", Fault: &fault.Fault{Effect: fault.Status, HTTPStatus: http.StatusServiceUnavailable}},
			{Says: "Three people ask for access. Their messages are missing, and the log of the plugin says why.", Ask: &Ask{User: cluster.Alice, Role: "demo-role", Reason: "Checkout errors since 14:00, see INC-2217", Times: 3, Every: 700}, Missing: true, Seconds: 8},
			{Says: title + " is back. The plugin tries again, and delivers.", Heal: true, Told: true, Ready: true},
			{Says: "Every message is there, once."},
		},
	}
}

// slow makes calls take a while, so that people can see a burst in its middle.
func slow(title string) Step {
	return Step{Says: fmt.Sprintf("Each call of %s takes 200 ms, so that one can watch.", title), Fault: &fault.Fault{Effect: fault.Slow, DelayMS: 200}}
}

func burst(title string) Step {
	return Step{Says: fmt.Sprintf("Thirty people ask at once. %s fills up.", title), Ask: &Ask{User: cluster.Dave, Role: "demo-role", Reason: "Deploy 2024.11 to the canaries", Times: 30}, Begun: true}
}

func killed(title string) Scene {
	return Scene{
		Name: "killed", Title: "The plugin is killed in the middle of a burst", Plugin: true,
		Sentence: "Whatever it had begun is in its record. It goes on from there, and repeats nothing.",
		Steps: []Step{
			slow(title), burst(title),
			{Says: "The plugin is killed by SIGKILL, with calls under way.", Kill: true, Seconds: 1},
			{Says: "It is started again, reads its records, and looks for what may have been posted.", Told: true, Heal: true, Ready: true},
			{Says: "Every message is there, once."},
		},
	}
}

func replicas(title string) Scene {
	return Scene{
		Name: "replicas", Title: "Two replicas, one dies", Plugin: true,
		Sentence: "Two plugins share the work. What the dead one had claimed, the other takes over.",
		Steps: []Step{
			{Says: "A second replica of the plugin is started.", Replicas: 2, Ready: true},
			slow(title), burst(title),
			{Says: "The first replica is killed. The second one waits until its claims have run out, and goes on.", Kill: true, Told: true, Heal: true},
			{Says: "Every message is there, once. The second replica is stopped.", Replicas: 1},
		},
	}
}

func pressed(title string) Scene {
	return Scene{
		Name: "pressed", Title: "Approve in " + title,
		Sentence: "Bob approves where he reads. Teleport has the review in his name, and checks his rights.",
		Steps: []Step{
			{Says: "Alice asks for access, and the message has buttons.", Ask: &Ask{User: cluster.Alice, Role: "editor", Reason: "Disk full on web-1"}, Told: true, Seconds: 1.5},
			{Says: "Bob presses Approve in " + title + ".", Press: &Press{cluster.Bob, "Fine, I am watching"}, Approved: true},
			{Says: "Teleport has his review. Every service shows it, and the buttons are gone.", Told: true},
		},
	}
}
