// Package recipient chooses who hears of an access request.
package recipient

import (
	"context"
	"net/mail"
	"slices"

	"go.uber.org/zap"

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
func (s Static) Recipients(_ context.Context, v request.View) []string {
	var list []string
	seen := make(map[string]bool)
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			list = append(list, name)
		}
	}
	for _, name := range s.Table.For(v.Roles) {
		add(name)
	}
	for _, reviewer := range v.SuggestedReviewers {
		name, ok := reviewer, IsEmail(reviewer)
		if s.Reviewer != nil {
			name, ok = s.Reviewer(reviewer)
		}
		if !ok {
			s.Log.Warn("A suggested reviewer cannot be told",
				zap.String("request_id", v.ID), zap.String("reviewer", message.Cut(reviewer, 100)))
			continue
		}
		add(name)
	}
	return list
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

// First routes by the first router that names anybody.
type First []interface {
	Recipients(ctx context.Context, v request.View) []string
}

// Recipients asks one router after the other.
func (f First) Recipients(ctx context.Context, v request.View) []string {
	for _, r := range f {
		if list := r.Recipients(ctx, v); len(list) > 0 {
			return list
		}
	}
	return nil
}
