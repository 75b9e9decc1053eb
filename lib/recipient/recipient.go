// Package recipient chooses who hears of an access request.
package recipient

import (
	"context"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// Static routes by the table of the config and by the reviewers whom the
// requester suggests.
type Static struct {
	Table Table
	Log   *zap.Logger
	// People finds out who a suggested reviewer, who is a Teleport user, is at the
	// service. Nil takes the user's name if it is an e-mail address.
	People *identity.People
}

// maxCalls bounds the users whose traits are read for one request: a requester can
// suggest any number of reviewers.
const maxCalls = 100

// Recipients lists the recipients of a request, each once: those of its roles,
// then the suggested reviewers. A suggestion of whom no recipient can be made is
// left out, with a warning.
func (s Static) Recipients(ctx context.Context, v request.View) integration.Choices {
	var list integration.Choosing
	for _, role := range orAnyone(v.Roles) {
		key := s.Table.keyOf(role)
		choice := integration.Choice{Why: "[role_to_recipients] " + strconv.Quote(key), Default: key == Anyone}
		for _, name := range s.Table[key] {
			choice.Recipient = name
			list.AddAll(integration.Choices{choice})
		}
		if names := s.Table[key]; names != nil && len(names) == 0 {
			list.AddAll(integration.Choices{{Why: choice.Why + ": nobody", Nobody: true}})
		}
	}
	people := identity.People{Known: identity.ByEmail}
	if s.People != nil {
		people = *s.People
	}
	asked := make(map[string]bool)
	for _, reviewer := range v.SuggestedReviewers {
		if asked[reviewer] {
			continue
		}
		asked[reviewer] = true
		if len(asked) > maxCalls {
			people.Traits = nil
		}
		person, short := people.Find(ctx, reviewer), message.Cut(reviewer, 100)
		if person.Name == "" {
			s.Log.Warn("A suggested reviewer cannot be told; add the user to [identity.users]",
				zap.String("request_id", v.ID), zap.String("reviewer", short), zap.String("why", person.Why()))
			list.Add("", "the suggested reviewer "+strconv.Quote(short)+" cannot be told: "+person.Why())
			continue
		}
		list.Add(person.Name, "the suggested reviewer "+strconv.Quote(short))
	}
	return list.Choices
}

// Configured lists the recipients that the config names, each once, sorted.
func (s Static) Configured() (list []string) {
	for _, names := range s.Table {
		list = append(list, names...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Named leaves out recipients who have no name but a web address, which may be a
// secret: nobody is told there, and no log or record may show it.
type Named struct {
	Router integration.Router
	Log    *zap.Logger
}

// Recipients lists what the router does.
func (n Named) Recipients(ctx context.Context, v request.View) integration.Choices {
	web := func(c integration.Choice) bool { return message.IsWebAddress(c.Recipient) }
	list := n.Router.Recipients(ctx, v)
	if !slices.ContainsFunc(list, web) {
		return list
	}
	n.Log.Warn("A recipient of an access request is a web address, which may be a secret, and is left out; name a channel or a person",
		zap.String("request_id", v.ID))
	list = slices.DeleteFunc(slices.Clone(list), web)
	return append(list, integration.Choice{Why: "a web address, which may be a secret, is no recipient"})
}

// First routes by the first router that names anybody.
type First []integration.Router

// Recipients asks one router after the other. What a router says that names nobody is
// kept: it explains why the next one counts.
func (f First) Recipients(ctx context.Context, v request.View) (list integration.Choices) {
	for _, r := range f {
		if list = append(list, r.Recipients(ctx, v)...); len(list.Recipients()) > 0 {
			break
		}
	}
	return list
}
