package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
	// URL is the base of the API, once it was started.
	URL() string
	// SetLatency changes the time that each call takes.
	SetLatency(d time.Duration)
	// Calls is how often a method was called, and Last when that was last
	// answered.
	Calls(method string) int
	Last(method string) time.Time
	// Wait returns once done reports true, which is asked after each call.
	Wait(ctx context.Context, done func() bool) error
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
	// annotation is that of a role which names recipients, empty where the config
	// has a table of them.
	annotation string
	// channels are some conversations for everybody, as the config names them.
	channels []string
	// person is the recipient that stands for a Teleport user, or empty where
	// users are not told.
	person func(user string) string
	// sights are all announcements that were ever made.
	sights func() []Sight
	// threads reports whether reviews are told below an announcement there.
	threads func(name string) bool
	// remove removes an announcement as a person would.
	remove func(place, id string) error
	// renew replaces the token (or key) by another at once.
	renew func(token string)
	// refuse makes the service refuse the present token until accept is called.
	refuse func() (accept func())
	// refusals are the service's own codes for a place that is closed to us.
	refusals []string
	// put makes an announcement as Teleport's own plugin would and returns its ID.
	put func(place, request, text string) (id string, err error)
	// record is what Teleport's own plugin writes for its announcements.
	record func(place string, ids []string) map[string]string
}

// Services are those that there are plugins for.
func Services() []string { return []string{"slack", "discord", "pagerduty"} }

// Channels are three conversations (or services) that are there for everybody, as
// the config names them; none for a service that is not known.
func Channels(service string) []string {
	far, _ := (&World{options: Options{Service: service}}).end()
	return far.channels
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
		channels: []string{"access-requests", "security", "db-team"},
		person: func(user string) string {
			for _, u := range s.Snapshot(1).Users {
				if strings.EqualFold(u.Email, user) {
					return u.ID
				}
			}
			return ""
		},
		sights:  func() []Sight { return slackSights(s) },
		threads: func(string) bool { return true },
		remove: func(place, id string) error {
			return s.DeleteMessage(place, id)
		},
		renew: func(next string) {
			s.SetScopes(next, slackapi.DefaultScopes()...)
			s.RefuseToken(token, "token_revoked")
			token = next
		},
		refuse: func() func() {
			refused := token
			s.RefuseToken(refused, "token_revoked")
			return func() { s.RefuseToken(refused, "") }
		},
		refusals: []string{"is_archived", "not_in_channel", "channel_not_found", "restricted_action"},
		put: func(place, _, text string) (string, error) {
			return s.PostAs(s.Snapshot(1).BotUser, place, text, "")
		},
		record: messagesRecord,
	}
}

// Blind takes from the plugin the right to look up what it has posted. It reports
// false where a service gives that right to everyone.
func (o *Options) Blind() bool {
	if o.Service != "slack" {
		return false
	}
	o.Slack.Scopes = slices.DeleteFunc(slackapi.DefaultScopes(), func(scope string) bool {
		return strings.HasSuffix(scope, ":history")
	})
	return true
}

// KeepNoCalls keeps no log of the calls of the service, which are only counted.
func (o *Options) KeepNoCalls() {
	o.Slack.KeepRequests, o.Discord.KeepRequests, o.PagerDuty.KeepRequests = -1, -1, -1
}

// messagesRecord is how Teleport's own plugins for chats name their messages.
func messagesRecord(place string, ids []string) map[string]string {
	items := make([]string, 0, len(ids))
	for _, id := range ids {
		items = append(items, place+"/"+id)
	}
	return map[string]string{"messages": strings.Join(items, ",")}
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
		channels: []string{discordapi.AccessRequestsChannel, discordapi.SecurityChannel, discordapi.DBTeamChannel},
		person: func(user string) string {
			if id := DiscordUsers()[user]; id != "" {
				return "user:" + id
			}
			return ""
		},
		sights: func() []Sight { return discordSights(s) },
		// A direct message has no threads; the announcement itself shows reviews.
		threads: func(name string) bool { return !strings.HasPrefix(name, "user:") },
		remove: func(place, id string) error {
			return s.DeleteMessage(place, id)
		},
		renew: s.SetToken,
		refuse: func() func() {
			token := s.Token()
			s.SetToken("another")
			return func() { s.SetToken(token) }
		},
		refusals: []string{"50001", "50013", "10003"},
		put: func(place, _, text string) (string, error) {
			return s.PostAs(s.Snapshot(1).BotUser, place, text)
		},
		record: messagesRecord,
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
		annotation: "pagerduty_notify_service",
		channels:   []string{"Access Approvals", "Payments", "Databases"},
		person:     func(string) string { return "" },
		sights:     func() []Sight { return incidentSights(s) },
		threads:    func(string) bool { return true },
		remove:     func(_, id string) error { return s.DeleteIncident(id) },
		renew: func(next string) {
			s.PutKey(pagerdutyapi.Key{Token: next})
			s.RevokeKey(key)
			key = next
		},
		refuse: func() func() {
			refused := key
			s.RevokeKey(refused)
			return func() { s.PutKey(pagerdutyapi.Key{Token: refused}) }
		},
		refusals: []string{"2010", "5001"},
		put: func(place, request, text string) (string, error) {
			in, err := s.OpenWithKey(place, text, requestKey+request)
			return in.ID, err
		},
		record: func(place string, ids []string) map[string]string {
			return map[string]string{"incident_id": ids[0], "service_id": place}
		},
	}
}

// requestKey is what the deduplication key of an incident begins with.
const requestKey = "teleport-access-request/"

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
