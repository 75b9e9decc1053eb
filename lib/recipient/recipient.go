// Package recipient chooses who hears of an access request.
package recipient

import (
	"context"
	"net/mail"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// Static routes by the table of the config and by the reviewers whom the
// requester suggests.
type Static struct {
	Table Table
	Log   *zap.Logger
	// Reviewer turns a suggested reviewer, who is a Teleport user, into a
	// recipient; false leaves the reviewer out. Nil takes the user's name if it
	// is an e-mail address.
	Reviewer func(user string) (recipient string, ok bool)
}

// Recipients lists the recipients of a request, each once: those of its roles,
// then the suggested reviewers. A suggestion of whom no recipient can be made is
// left out, with a warning.
func (s Static) Recipients(_ context.Context, v request.View) integration.Choices {
	var list integration.Choosing
	for _, role := range orAnyone(v.Roles) {
		key := s.Table.keyOf(role)
		why := "[role_to_recipients] " + strconv.Quote(key)
		for _, name := range s.Table[key] {
			list.Add(name, why)
		}
	}
	for _, reviewer := range v.SuggestedReviewers {
		name, ok := reviewer, IsEmail(reviewer)
		if s.Reviewer != nil {
			name, ok = s.Reviewer(reviewer)
		}
		if !ok {
			short := message.Cut(reviewer, 100)
			s.Log.Warn("A suggested reviewer cannot be told", zap.String("request_id", v.ID), zap.String("reviewer", short))
			list.Add("", "the suggested reviewer "+strconv.Quote(short)+" cannot be told")
			continue
		}
		list.Add(name, "the suggested reviewer "+strconv.Quote(message.Cut(reviewer, 100)))
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

// IsEmail reports whether a text is an e-mail address and nothing else.
func IsEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// Named leaves out recipients who have no name but a web address, which may be a
// secret: nobody is told there, and no log or record may show it.
type Named struct {
	Router integration.Router
	Log    *zap.Logger
}

// Recipients lists what the router does.
func (n Named) Recipients(ctx context.Context, v request.View) integration.Choices {
	web := func(c integration.Choice) bool { return IsWebAddress(c.Recipient) }
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
