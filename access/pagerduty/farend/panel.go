package farend

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/lib/sandbox/panel"
)

// requestKey is what the deduplication key of an incident begins with.
const requestKey = "teleport-access-request/"

// Panel is the account as people see it: its services as channels, the incidents
// in them as messages, and notes as replies. A switch for each person and service
// says who is on call.
func (a *Account) Panel(limit int) panel.Panel {
	st := a.Snapshot(limit)
	out := panel.Panel{People: make(map[string]string, len(st.Users)), Switches: switches(st, time.Now())}
	for _, u := range st.Users {
		out.People[u.ID] = u.Name
	}
	for _, v := range st.Services {
		ch := panel.Channel{ID: v.ID, Name: v.Name, Kind: panel.Place, Messages: []panel.Message{}}
		for _, in := range st.Incidents {
			if in.Service == v.ID {
				ch.Messages = append(ch.Messages, incident(in, out.People)...)
			}
		}
		out.Channels = append(out.Channels, ch)
	}
	return out
}

// ending finds how a request ended in the note that says it.
var ending = regexp.MustCompile(`^Access request ([a-z]+)`)

// incident is an incident followed by its notes. An open one shows its request as
// pending, a resolved one in the state that its note tells.
func incident(in pagerdutyapi.Incident, people map[string]string) []panel.Message {
	m := panel.Message{
		ID: in.ID, Author: people[in.Creator], Created: in.Created, Status: in.Status,
		Text: strings.Join([]string{in.Title, in.Details, in.Status, in.Key}, "\n"),
		Body: []panel.Node{
			{Kind: panel.Title, Text: in.Title},
			{Kind: panel.Line, Nodes: addresses(in.Details)},
			{Kind: panel.Small, Text: fmt.Sprintf("#%d, %s urgency, key ", in.Number, in.Urgency), Nodes: panel.Text(panel.Code, in.Key)},
		},
	}
	out, endings, state := []panel.Message{}, make(map[string]int), "resolved and not told why"
	for _, n := range in.Notes {
		out = append(out, panel.Message{
			ID: n.ID, Thread: in.ID, Author: people[n.User], Created: n.Created, Text: n.Content,
			Body:   []panel.Node{{Kind: panel.Line, Nodes: addresses(n.Content)}},
			Review: strings.HasPrefix(n.Content, "Review by "),
		})
		if found := ending.FindStringSubmatch(n.Content); found != nil {
			state = strings.ToUpper(found[1])
			endings[state]++
		}
	}
	if request, ours := strings.CutPrefix(in.Key, requestKey); ours {
		switch {
		case in.Open():
			state = "PENDING"
		case endings[state] > 1:
			state += panel.Repeated
		}
		m.Request, m.State = request, state
	}
	return append([]panel.Message{m}, out...)
}

// plain has no markup; addresses are links all the same.
var plain = panel.Markup{Starts: "h", Rules: []panel.Form{{
	Form: regexp.MustCompile(`^https?://\S+`),
	Make: func(m []string) panel.Node { return panel.Node{Kind: panel.Link, Text: m[0], Href: m[0]} },
}}}

func addresses(text string) []panel.Node { return plain.Parse(text) }

// switches has one for everyone who could be on call for a service.
func switches(st pagerdutyapi.State, now time.Time) (out []panel.Switch) {
	for _, v := range st.Services {
		for _, u := range st.Users {
			if strings.EqualFold(u.Email, user) {
				continue
			}
			on := slices.ContainsFunc(st.OnCalls, func(o pagerdutyapi.OnCall) bool {
				return o.User == u.ID && o.Policy == v.Policy && (o.Start.IsZero() || !o.Start.After(now)) && (o.End.IsZero() || o.End.After(now))
			})
			out = append(out, panel.Switch{
				ID: v.Name + "/" + u.Email, Group: v.Name, Title: u.Name, Label: u.Name + " is on call for " + v.Name, On: on,
			})
		}
	}
	return out
}

// Switch puts a person on call for a service, on the first level and without end,
// or takes the person off. The other services of the same escalation policy
// follow, since it is the policy that has the rota.
func (a *Account) Switch(id string, on bool) error {
	st := a.Snapshot(1)
	service, email, _ := strings.Cut(id, "/")
	v := slices.IndexFunc(st.Services, func(v pagerdutyapi.Service) bool { return v.Name == service })
	u := slices.IndexFunc(st.Users, func(u pagerdutyapi.User) bool { return u.Email == email })
	if v < 0 || u < 0 {
		return fmt.Errorf("there is no switch %q", id)
	}
	person, policy := st.Users[u].ID, st.Services[v].Policy
	if on {
		a.PutOnCall(pagerdutyapi.OnCall{User: person, Policy: policy, Level: 1})
		return nil
	}
	// The account only takes people off as a whole; the rest is put back.
	a.TakeOffCall(person)
	for _, o := range st.OnCalls {
		if o.User == person && o.Policy != policy {
			a.PutOnCall(o)
		}
	}
	return nil
}
