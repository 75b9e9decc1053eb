package harness

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/discordapi"
	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/sandbox/pagerdutyapi"
	"teleport-plugins/lib/sandbox/slackapi"
)

// Service is what the simulated services have in common.
type Service interface {
	// Start and Close begin and end to serve.
	Start() error
	Close() error
	// Faults are the switches with which it is told to misbehave.
	Faults() *fault.Set
	// Calls is how often a method was called.
	Calls(method string) int
}

// Methods names calls of a service, as its faults and counters know them.
type Methods struct {
	// Post makes an announcement, Edit corrects one, and Find looks for one.
	Post, Edit, Find string
}

// farEnd is a simulated service as a world needs it.
type farEnd struct {
	Service
	methods Methods
	// section is the service's own part of the config: its name and content.
	section func(token string) map[string]any
	// place is the ID of a conversation that is named as in the config.
	place func(name string) string
	// posts are the announcements of the wanted requests.
	posts func(wanted map[string]bool) map[string][]post
	// threads reports whether reviews are told below an announcement there.
	threads func(name string) bool
	// remove removes an announcement as a person would.
	remove func(place, id string) error
	// renew replaces the token (or key) by another at once.
	renew func(token string)
}

// end makes the service that the options name, which does not serve yet.
func (w *World) end() (farEnd, error) {
	switch w.options.Service {
	case "slack":
		w.Slack = slackapi.New(w.options.Slack)
		return slackEnd(w.Slack), nil
	case "discord":
		w.Discord = discordapi.New(w.options.Discord)
		return discordEnd(w.Discord), nil
	case "pagerduty":
		w.PagerDuty = pagerdutyapi.New(w.options.PagerDuty)
		return pagerdutyEnd(w.PagerDuty), nil
	}
	return farEnd{}, fmt.Errorf("the harness knows no service %q", w.options.Service)
}

func slackEnd(s *slackapi.Server) farEnd {
	token := s.Token()
	return farEnd{
		Service: s,
		methods: Methods{Post: "chat.postMessage", Edit: "chat.update", Find: "conversations.history"},
		section: func(token string) map[string]any {
			return map[string]any{"slack": map[string]any{"token": or(token, s.Token()), "api_url": s.URL()}}
		},
		place: func(name string) string {
			if ch, ok := s.Channel(name); ok {
				return ch.ID
			}
			return name
		},
		posts:   func(wanted map[string]bool) map[string][]post { return slackPosts(s, wanted) },
		threads: func(string) bool { return true },
		remove: func(place, id string) error {
			return s.DeleteMessage(place, id)
		},
		renew: func(next string) {
			s.SetScopes(next, slackapi.DefaultScopes()...)
			s.RefuseToken(token, "token_revoked")
			token = next
		},
	}
}

// DiscordUsers maps the Teleport users of the cluster to the Discord users that
// the config of a world names for them.
func DiscordUsers() map[string]string {
	return map[string]string{
		cluster.Alice: discordapi.AliceID, cluster.Bob: discordapi.BobID,
		cluster.Carol: discordapi.CarolID, cluster.Dave: discordapi.DaveID,
	}
}

func discordEnd(s *discordapi.Server) farEnd {
	return farEnd{
		Service: s,
		methods: Methods{Post: discordapi.CreateMessage, Edit: discordapi.EditMessage, Find: discordapi.ListMessages},
		section: func(token string) map[string]any {
			return map[string]any{"discord": map[string]any{
				"token": or(token, s.Token()), "api_url": s.URL(), "users": DiscordUsers(),
			}}
		},
		place: func(name string) string {
			if ch, ok := s.Channel(strings.TrimPrefix(name, "user:")); ok {
				return ch.ID
			}
			return name
		},
		posts: func(wanted map[string]bool) map[string][]post { return discordPosts(s, wanted) },
		// A direct message has no threads; the announcement itself shows reviews.
		threads: func(name string) bool { return !strings.HasPrefix(name, "user:") },
		remove: func(place, id string) error {
			return s.DeleteMessage(place, id)
		},
		renew: s.SetToken,
	}
}

// pagerdutyUser is the user in whose name the plugin writes.
const pagerdutyUser = "teleport@example.com"

func pagerdutyEnd(s *pagerdutyapi.Server) farEnd {
	key := pagerdutyapi.DefaultKey
	return farEnd{
		Service: s,
		methods: Methods{Post: "POST /incidents", Edit: "PUT /incidents", Find: "GET /incidents"},
		section: func(token string) map[string]any {
			return map[string]any{"pagerduty": map[string]any{
				"api_key": or(token, pagerdutyapi.DefaultKey), "user_email": pagerdutyUser, "api_endpoint": s.URL(),
			}}
		},
		place: func(name string) string {
			for _, v := range s.Snapshot(1).Services {
				if strings.EqualFold(v.Name, name) {
					return v.ID
				}
			}
			return name
		},
		posts:   func(wanted map[string]bool) map[string][]post { return incidents(s, wanted) },
		threads: func(string) bool { return true },
		remove:  func(_, id string) error { return s.DeleteIncident(id) },
		renew: func(next string) {
			s.PutKey(pagerdutyapi.Key{Token: next})
			s.RevokeKey(key)
			key = next
		},
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func slackPosts(s *slackapi.Server, wanted map[string]bool) map[string][]post {
	posts := make(map[string][]post)
	for _, ch := range s.Snapshot(0).Channels {
		replies := make(map[string]map[int]int) // by the post they stand below
		for _, m := range ch.Messages {
			if review, ok := reviewOf(m); ok && !m.Deleted {
				if replies[m.ThreadTS] == nil {
					replies[m.ThreadTS] = make(map[int]int)
				}
				replies[m.ThreadTS][review]++
			}
		}
		for _, m := range ch.Messages {
			if m.Deleted || m.ThreadTS != "" {
				continue
			}
			if id, status, ok := announcement(m.Rendered.Text); ok && wanted[id] {
				posts[id] = append(posts[id], post{ch.ID, m.TS, status, replies[m.TS]})
			}
		}
	}
	return posts
}

func discordPosts(s *discordapi.Server, wanted map[string]bool) map[string][]post {
	posts, threads := make(map[string][]post), make(map[string]map[int]int)
	channels := s.Snapshot(0).Channels
	for _, ch := range channels {
		if ch.ParentID == "" {
			continue
		}
		var told []string
		for _, m := range ch.Messages {
			if !m.Deleted && strings.Contains(m.Content, "reviewed the request") {
				told = append(told, m.Content)
			}
		}
		threads[ch.ID] = tally(told)
	}
	for _, ch := range channels {
		if ch.ParentID != "" {
			continue
		}
		for _, m := range ch.Messages {
			if id, status, ok := announcement(m.Content); ok && wanted[id] && !m.Deleted {
				posts[id] = append(posts[id], post{ch.ID, m.ID, status, threads[m.ID]})
			}
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

// requestKey is what the deduplication key of an incident begins with.
const requestKey = "teleport-access-request/"

// ending finds how a request ended in the note that says it.
var ending = regexp.MustCompile(`^Access request ([a-z]+)`)

// incidents shows an open incident as pending, and a resolved one in the state
// that its note tells.
func incidents(s *pagerdutyapi.Server, wanted map[string]bool) map[string][]post {
	posts := make(map[string][]post)
	for _, in := range s.Snapshot(0).Incidents {
		id, ours := strings.CutPrefix(in.Key, requestKey)
		if !ours || !wanted[id] {
			continue
		}
		var told []string
		status, ended := "resolved and not told why", 0
		for _, n := range in.Notes {
			if m := ending.FindStringSubmatch(n.Content); m != nil {
				status = strings.ToUpper(m[1])
				ended++
			} else if strings.HasPrefix(n.Content, "Review by ") {
				told = append(told, n.Content)
			}
		}
		switch {
		case in.Open():
			status = string(message.Pending)
		case ended > 1:
			status += ", told more than once"
		}
		posts[id] = append(posts[id], post{in.Service, in.ID, status, tally(told)})
	}
	return posts
}
