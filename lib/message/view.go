// Package message holds what there is to tell about an access request, free of
// any service's form: the view of the request, its fields in the documented
// order, and the cutting and escaping that keep hostile or endless text from
// breaking a message. Each service turns the same view into its own blocks,
// embeds or incidents.
package message

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Status is the state of a request as it is told to people.
type Status string

// The states a message can show. Their values are those that Teleport's own
// plugins store and print.
const (
	Pending  Status = "PENDING"
	Approved Status = "APPROVED"
	Denied   Status = "DENIED"
	Promoted Status = "PROMOTED"
	Expired  Status = "EXPIRED"
)

// Ended reports whether nothing more can happen to a request in this state.
func (s Status) Ended() bool { return s != Pending }

// Index is a small number that tells the states apart; 0 stands for every state
// that has no constant here.
func (s Status) Index() int { return slices.Index(statuses[:], s) + 1 }

var statuses = [...]Status{Pending, Approved, Denied, Promoted, Expired}

// Emoji is the sign in front of the state; promoted requests have none.
func (s Status) Emoji() string {
	switch s {
	case Pending:
		return "⏳"
	case Approved:
		return "✅"
	case Denied:
		return "❌"
	case Expired:
		return "⌛"
	}
	return ""
}

// Review is one reviewer's word on a request.
type Review struct {
	Author  string
	State   Status // Approved or Denied; another state is shown by its name
	Reason  string
	Created time.Time
}

// View is all that a message can tell of one request. Texts are as the users
// wrote them: whoever renders them escapes them.
type View struct {
	ID      string
	Cluster string
	// User is the Teleport name of the requester.
	User string
	// Roles are sorted.
	Roles []string
	// Logins holds the logins that each requested role allows; nil when they
	// are not known.
	Logins map[string][]string
	// Resources are the requested resources by their most readable name, sorted,
	// each with what access to it is confined to: "node/web-1 (logins: root)".
	Resources []string
	// LongTerm says that access is asked for that stays.
	LongTerm bool
	Reason   string
	// Link leads to the request in Teleport's web UI; empty when the cluster
	// has no page for requests.
	Link string

	Status        Status
	ResolveReason string
	// AccessList is the title of the list that a promoted request led to.
	AccessList string
	// Reviews are in the order in which they were given.
	Reviews []Review
	// ApprovalsNeeded is how many approvals decide the request, or zero when
	// one number cannot say it.
	ApprovalsNeeded int

	Created time.Time
	// Expires is when the request lapses if nobody decides it.
	Expires time.Time
	// Start is when the access begins, if the requester asked for a later time.
	Start time.Time
	// AccessUntil is when the granted access ends.
	AccessUntil time.Time

	// SuggestedReviewers are named by the requester.
	SuggestedReviewers []string
	// Annotations are the system annotations that the requester's roles put on
	// the request.
	Annotations map[string][]string
}

// Count returns how many reviews propose the state.
func (v View) Count(s Status) int {
	n := 0
	for _, r := range v.Reviews {
		if r.State == s {
			n++
		}
	}
	return n
}

// Version names the state of a request that a message shows. Two views with the
// same version look the same; it changes with each review and each change of
// state, and with nothing that is looked up from elsewhere, so that every replica
// finds the same version. It is comparable; the zero value stands for a state
// that nobody knows.
type Version struct {
	Status  Status `json:"status,omitempty"`
	Reviews int    `json:"reviews,omitempty"`
}

// Version is that of the view.
func (v View) Version() Version { return Version{v.Status, len(v.Reviews)} }

// Title is the first line of an announcement.
func (v View) Title() string {
	if len(v.Resources) > 0 {
		return "You have a new Resource Request:"
	}
	return "You have a new Role Request:"
}

// Progress tells how far a pending request has come, such as "1 of 2
// approvals"; it is empty when there is nothing to count.
func (v View) Progress() string {
	if v.Status != Pending {
		return ""
	}
	yes, no := v.Count(Approved), v.Count(Denied)
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

// RequestLink is the address of the request's page in Teleport's web UI below
// the proxy's base address, for example https://teleport.example.com. It is
// empty when either cannot be part of an address.
func RequestLink(proxy, id string) string { return pageLink(proxy, "requests", id, "") }

// AccessListLinks are the addresses of the page of all access lists and of the
// review of one, as in RequestLink.
func AccessListLinks(proxy, list string) (all, review string) {
	review = pageLink(proxy, "accesslists", list, "review")
	if u := base(proxy); u != nil {
		all = u.JoinPath("web", "accesslists").String()
	}
	return all, review
}

func base(proxy string) *url.URL {
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" {
		return nil
	}
	return u
}

func pageLink(proxy, kind, id, part string) string {
	u := base(proxy)
	if id = url.PathEscape(id); u == nil || strings.Trim(id, ".") == "" {
		return "" // a path would drop such an id, or take it for a way up
	}
	u = u.JoinPath("web", kind, id)
	u.Fragment = part
	return u.String()
}

// Limits on the length of values, in characters (runes) of the original text.
const (
	// InlineLimit bounds a role, a list of roles, logins or resources.
	InlineLimit = 400
	// ReasonLimit bounds the reason of a request, a review or a decision.
	ReasonLimit = 400
)

// Fields returns the lines of an announcement in the documented order.
func Fields(v View) []Field {
	fields := []Field{{Key: FieldID, Label: "ID", Text: v.ID}, {Key: FieldCluster, Label: "Cluster", Text: v.Cluster}}
	if v.User != "" {
		fields = append(fields, Field{Key: FieldUser, Label: "User", Text: v.User})
	}
	fields = append(fields, roleFields(v)...)
	if len(v.Resources) > 0 {
		fields = append(fields, Field{Key: FieldResources, Label: "Resource(s)", Kind: Code, Text: join(v.Resources, ",")})
	}
	if v.LongTerm {
		fields = append(fields, Field{Label: "Type", Text: "Long-term request"})
	}
	if v.Reason != "" {
		fields = append(fields, Field{Key: FieldReason, Label: "Reason", Kind: Block, Text: v.Reason})
	}
	fields = append(fields, timeFields(v)...)
	switch {
	case v.Link != "":
		fields = append(fields, Field{Key: FieldLink, Label: "Link", Kind: Address, Text: v.Link})
	case v.Status == Pending:
		fields = append(fields,
			Field{Key: FieldApprove, Label: "Approve", Kind: Code, Text: "tsh request review --approve " + v.ID},
			Field{Key: FieldDeny, Label: "Deny", Kind: Code, Text: "tsh request review --deny " + v.ID})
	}
	return fields
}

func roleFields(v View) []Field {
	if len(v.Roles) == 0 {
		return nil
	}
	if len(v.Logins) == 0 {
		return []Field{{Key: FieldRoles, Label: "Role(s)", Kind: Code, Text: join(v.Roles, ",")}}
	}
	var fields []Field
	for _, role := range v.Roles {
		logins := join(slices.Sorted(slices.Values(v.Logins[role])), ", ")
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
func timeFields(v View) []Field {
	var fields []Field
	moment := func(key Key, label string, at time.Time) {
		if !at.IsZero() {
			fields = append(fields, Field{Key: key, Label: label, Kind: Moment, Time: at})
		}
	}
	gives := v.Status == Pending || v.Status == Approved
	if gives {
		moment(FieldStarts, "Access starts", v.Start)
	}
	if d := duration(v); d > 0 {
		fields = append(fields, Field{Key: FieldDuration, Label: "Duration", Text: Duration(d)})
	}
	if gives {
		moment(FieldEnds, "Access ends", v.AccessUntil)
	}
	if v.Status == Pending {
		moment(FieldExpires, "Request expires", v.Expires)
	}
	return fields
}

// duration is how long access is asked for, or zero if that is not known.
func duration(v View) time.Duration {
	if v.AccessUntil.IsZero() || v.Created.IsZero() {
		return 0
	}
	if v.Start.After(v.Created) {
		return v.AccessUntil.Sub(v.Start)
	}
	return v.AccessUntil.Sub(v.Created)
}

// join joins at most as many items as can be shown, so that a list of ten
// thousand resources costs no more than one that fits.
func join(items []string, sep string) string {
	out := ""
	for i, item := range items {
		if i > 0 {
			out += sep
		}
		out += item
		if len(out) > InlineLimit*4 {
			break
		}
	}
	return out
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
