package harness

import (
	"regexp"
	"slices"
	"strings"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/sandbox/discordapi"
	"teleport-plugins/lib/sandbox/pagerdutyapi"
	"teleport-plugins/lib/sandbox/slackapi"
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
	// Reviews are the texts below it that tell a review, oldest first.
	Reviews []string
}

// What an announcement says of its request.
var (
	idLine     = regexp.MustCompile(`\*ID\*: ([0-9a-zA-Z-]+)`)
	statusLine = regexp.MustCompile(`\*Status\*: [^A-Z\n]*([A-Z]+)`)
)

// announcement finds the request and the state in a message that announces one.
// The message tells them as text; metadata is not relied on, since messages that
// Teleport's own plugin has posted have none.
func announcement(text string) (id, status string, ok bool) {
	request := idLine.FindStringSubmatch(text)
	state := statusLine.FindStringSubmatch(text)
	if request == nil || state == nil {
		return "", "", false
	}
	return request[1], state[1], true
}

// tellsReview finds the texts that tell a review in a chat.
const tellsReview = "reviewed the request"

func slackSights(s *slackapi.Server) (sights []Sight) {
	for _, ch := range s.Snapshot(0).Channels {
		reviews := make(map[string][]string) // by the post they stand below
		for _, m := range ch.Messages {
			if m.ThreadTS != "" && !m.Deleted && strings.Contains(m.Text, tellsReview) {
				reviews[m.ThreadTS] = append(reviews[m.ThreadTS], m.Text+"\n"+m.Rendered.Text)
			}
		}
		for _, m := range ch.Messages {
			if id, status, ok := announcement(m.Rendered.Text); ok && m.ThreadTS == "" {
				sights = append(sights, Sight{id, ch.ID, m.TS, status, m.Deleted, reviews[m.TS]})
			}
		}
	}
	return sights
}

func discordSights(s *discordapi.Server) (sights []Sight) {
	reviews := make(map[string][]string) // by the post whose thread they stand in
	channels := s.Snapshot(0).Channels
	for _, ch := range channels {
		for _, m := range ch.Messages {
			if ch.ParentID != "" && !m.Deleted && strings.Contains(m.Content, tellsReview) {
				reviews[ch.ID] = append(reviews[ch.ID], m.Content)
			}
		}
	}
	for _, ch := range channels {
		for _, m := range ch.Messages {
			if id, status, ok := announcement(m.Content); ok && ch.ParentID == "" {
				sights = append(sights, Sight{id, ch.ID, m.ID, status, m.Deleted, reviews[m.ID]})
			}
		}
	}
	return sights
}

// ending finds how a request ended in the note that says it.
var ending = regexp.MustCompile(`^Access request ([a-z]+)`)

// incidentSights shows an open incident as pending, and a resolved one in the
// state that its note tells. An incident that a person has removed is not seen.
func incidentSights(s *pagerdutyapi.Server) (sights []Sight) {
	for _, in := range s.Snapshot(0).Incidents {
		id, ours := strings.CutPrefix(in.Key, requestKey)
		if !ours {
			continue
		}
		seen := Sight{Request: id, Place: in.Service, ID: in.ID, Status: "resolved and not told why"}
		endings := make(map[string]int)
		for _, n := range in.Notes {
			if m := ending.FindStringSubmatch(n.Content); m != nil {
				seen.Status = strings.ToUpper(m[1])
				endings[seen.Status]++
			} else if strings.HasPrefix(n.Content, "Review by ") {
				seen.Reviews = append(seen.Reviews, n.Content)
			}
		}
		switch {
		case in.Open():
			seen.Status = string(message.Pending)
		case endings[seen.Status] > 1:
			seen.Status += ", told more than once"
		}
		sights = append(sights, seen)
	}
	return sights
}

// posts finds the announcements of the wanted requests, by the ID of the request.
func (f farEnd) posts(wanted map[string]bool) map[string][]post {
	posts := make(map[string][]post)
	for _, s := range f.sights() {
		if wanted[s.Request] && !s.Removed {
			posts[s.Request] = append(posts[s.Request], post{s.Place, s.ID, s.Status, tally(s.Reviews)})
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
