// Package message provides what there is to say of an access request, free of any
// service's form: its fields in the documented order, and the cutting and escaping
// that keep hostile or endless text from breaking a message. Each service turns the
// same fields into its own blocks, embeds or incidents.
package message

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"teleport-plugins/lib/request"
)

// Emoji is the sign in front of a state; promoted requests have none.
func Emoji(s request.Status) string {
	switch s {
	case request.Pending:
		return "⏳"
	case request.Approved:
		return "✅"
	case request.Denied:
		return "❌"
	case request.Expired:
		return "⌛"
	}
	return ""
}

// Title is the first line of an announcement.
func Title(v request.View) string {
	if len(v.Resources) > 0 {
		return "You have a new Resource Request:"
	}
	return "You have a new Role Request:"
}

// Progress tells how far a pending request has come, such as "1 of 2
// approvals"; it is empty when there is nothing to count.
func Progress(v request.View) string {
	if v.Status != request.Pending {
		return ""
	}
	yes, no := v.Count(request.Approved), v.Count(request.Denied)
	text := ""
	switch {
	case v.ApprovalsNeeded > 1:
		text = fmt.Sprintf("%d of %d approvals", yes, v.ApprovalsNeeded)
	case yes > 0:
		text = counted(yes, "approval")
	}
	if no > 0 {
		if text != "" {
			text += ", "
		}
		text += counted(no, "denial")
	}
	return text
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Limits on the length of values, in characters (runes) of the original text.
const (
	// InlineLimit bounds a role, a list of roles, logins or resources.
	InlineLimit = 400
	// ReasonLimit bounds the reason of a request, a review or a decision.
	ReasonLimit = 500
)

// Fields returns the lines of an announcement in the documented order.
func Fields(v request.View) []Field {
	fields := []Field{{Key: FieldID, Label: "ID", Text: v.ID}, {Key: FieldCluster, Label: "Cluster", Text: v.Cluster}}
	if v.User != "" {
		fields = append(fields, Field{Key: FieldUser, Label: "User", Text: v.User})
	}
	fields = append(fields, roleFields(v)...)
	if len(v.Resources) > 0 {
		fields = append(fields, Field{Key: FieldResources, Label: "Resource(s)", Kind: Code, Text: Join(v.Resources, ",")})
	}
	if v.LongTerm {
		fields = append(fields, Field{Key: FieldType, Label: "Type", Text: "Long-term request"})
	}
	if v.Reason != "" {
		fields = append(fields, Field{Key: FieldReason, Label: "Reason", Kind: Block, Text: v.Reason})
	}
	if len(v.SuggestedReviewers) > 0 {
		fields = append(fields, Field{Key: FieldReviewers, Label: "Suggested reviewer(s)", Text: Join(v.SuggestedReviewers, ", ")})
	}
	fields = append(fields, timeFields(v)...)
	switch {
	case v.Link != "":
		fields = append(fields, Field{Key: FieldLink, Label: "Link", Kind: Address, Text: v.Link})
	case v.Status == request.Pending:
		fields = append(fields,
			Field{Key: FieldApprove, Label: "Approve", Kind: Code, Text: "tsh request review --approve " + v.ID},
			Field{Key: FieldDeny, Label: "Deny", Kind: Code, Text: "tsh request review --deny " + v.ID})
	}
	return fields
}

func roleFields(v request.View) []Field {
	if len(v.Roles) == 0 {
		return nil
	}
	if len(v.Logins) == 0 {
		return []Field{{Key: FieldRoles, Label: "Role(s)", Kind: Code, Text: Join(v.Roles, ",")}}
	}
	var fields []Field
	for _, role := range v.Roles {
		if _, known := v.Logins[role]; !known { // it may not be read, or not in time
			fields = append(fields, Field{Key: FieldRole, Label: "Role", Kind: Code, Text: role})
			continue
		}
		logins := Join(slices.Sorted(slices.Values(v.Logins[role])), ", ")
		if logins == "" {
			logins = "-"
		}
		fields = append(fields, Field{
			Key: FieldRole, Label: "Role", Kind: Code, Text: role,
			Also: &Field{Key: FieldLogins, Label: "Login(s)", Kind: Code, Text: logins},
		})
	}
	return fields
}

// timeFields tell when access begins and ends, and how long there is left to
// decide. A request that gave no access has neither beginning nor end; an ended
// one has nothing left to wait for.
func timeFields(v request.View) []Field {
	var fields []Field
	moment := func(key Key, label string, at time.Time) {
		if !at.IsZero() {
			fields = append(fields, Field{Key: key, Label: label, Kind: Moment, Time: at})
		}
	}
	gives := v.Status == request.Pending || v.Status == request.Approved
	if gives {
		moment(FieldStarts, "Access starts", v.Start)
	}
	if d := duration(v); d > 0 {
		fields = append(fields, Field{Key: FieldDuration, Label: "Duration", Text: Duration(d)})
	}
	if gives {
		moment(FieldEnds, "Access ends", v.AccessUntil)
	}
	if v.Status == request.Pending {
		moment(FieldExpires, "Request expires", v.Expires)
	}
	return fields
}

// duration is how long access is asked for, or zero if that is not known.
func duration(v request.View) time.Duration {
	if v.AccessUntil.IsZero() || v.Created.IsZero() {
		return 0
	}
	if v.Start.After(v.Created) {
		return v.AccessUntil.Sub(v.Start)
	}
	return v.AccessUntil.Sub(v.Created)
}

// countRoom is the room for the count of what is left out of a list, in characters.
const countRoom = 24

// Join joins as many items as have room and counts the others, so that a list of ten
// thousand resources costs no more than one that fits.
func Join(items []string, sep string) string {
	if whole(items, sep) {
		return strings.Join(items, sep)
	}
	var shown []string
	room := InlineLimit - countRoom
	for _, item := range items {
		if len(shown) == 0 {
			item = Cut(item, room)
		}
		if room -= utf8.RuneCountInString(item) + len(sep); room < 0 && len(shown) > 0 {
			break
		}
		shown = append(shown, item)
	}
	text := strings.Join(shown, sep)
	if more := len(items) - len(shown); more > 0 {
		text += " " + AndMore(more)
	}
	return text
}

// whole reports whether a list fits as it is.
func whole(items []string, sep string) bool {
	n := 0
	for _, item := range items {
		if n += utf8.RuneCountInString(item) + len(sep); n > InlineLimit+len(sep) {
			return false
		}
	}
	return true
}

// Duration writes a length of time as people say it, to the minute: "2 days
// 4 hours", "45 minutes".
func Duration(d time.Duration) string {
	minutes := int(d.Round(time.Minute) / time.Minute)
	if minutes <= 0 {
		return "less than a minute"
	}
	text := ""
	for _, part := range []struct {
		n    int
		noun string
	}{{minutes / (24 * 60), "day"}, {minutes / 60 % 24, "hour"}, {minutes % 60, "minute"}} {
		if part.n == 0 {
			continue
		}
		if text != "" {
			text += " "
		}
		text += counted(part.n, part.noun)
	}
	return text
}
