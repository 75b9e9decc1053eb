package harness

import (
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/message"
)

// Sight is an announcement of an access request as people see it.
type Sight struct {
	// Request is the ID of the request, Place that of the conversation (or
	// service) and ID that of the message (or incident).
	Request, Place, ID string
	// Status is the state that it shows.
	Status string
	// Removed says that a person has removed it.
	Removed bool
	// Buttons are those of Approve and Deny that it has.
	Buttons []string
	// Reviews are the texts below it that tell a review, oldest first.
	Reviews []string
	// Created is when it was made, and Reminders is how often it says below it that the
	// request is still pending.
	Created   time.Time
	Reminders int
}

// Sights are all announcements that were ever made at the service.
func (w *World) Sights() (sights []Sight) {
	for _, seen := range w.far.Panel(0).Sights() {
		s := Sight{Request: seen.Request, Place: seen.Place, ID: seen.ID, Status: seen.State, Created: seen.Created, Removed: seen.Deleted}
		for _, button := range []string{"Approve", "Deny"} {
			if strings.Contains(seen.Text, "["+button+"]") {
				s.Buttons = append(s.Buttons, button)
			}
		}
		for _, reply := range seen.Replies {
			s.Reminders += strings.Count(reply.Text, message.StillPending)
			if reply.Review {
				s.Reviews = append(s.Reviews, reply.Text)
			}
		}
		sights = append(sights, s)
	}
	return sights
}

// posts finds the announcements of the wanted requests, by the ID of the request.
func (w *World) posts(wanted map[string]bool) map[string][]post {
	posts := make(map[string][]post)
	for _, s := range w.Sights() {
		if wanted[s.Request] && !s.Removed {
			posts[s.Request] = append(posts[s.Request], post{s.Place, s.ID, s.Status, tally(s.Reviews), s.Reminders})
		}
	}
	return posts
}

// tally counts texts that tell a review, no two of which are the same, by the
// order of their first appearance.
func tally(texts []string) map[int]int {
	var seen []string
	counts := make(map[int]int)
	for _, text := range texts {
		i := slices.Index(seen, text)
		if i < 0 {
			i = len(seen)
			seen = append(seen, text)
		}
		counts[i]++
	}
	return counts
}
