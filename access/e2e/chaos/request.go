package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"

	"github.com/gravitational/trace"
)

// The states of a request as people see them.
const (
	pending  = "PENDING"
	approved = "APPROVED"
	denied   = "DENIED"
	promoted = "PROMOTED"
	expired  = "EXPIRED"
)

// role is what can be asked for.
type role struct {
	name string
	// channels are the recipients, as indices of harness.Channels.
	channels []int
	// approve is how many approvals it takes; one denial is enough.
	approve int
}

func roles() []role {
	return []role{
		{"chaos-one", []int{0}, 1},
		{"chaos-two", []int{0, 1}, 2},
		{"chaos-all", []int{0, 1, 2}, 2},
	}
}

// robot is a user whom no service knows, stranger a reviewer whom nobody knows.
const (
	robot    = "deploy-robot"
	stranger = "nobody@example.com"
)

func people() []string { return []string{cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave} }

// request is an access request as it was planned, and what the plan makes of it.
type request struct {
	id      string
	user    string
	role    role
	reason  string
	suggest []string
	ttl     time.Duration // zero for one that does not expire by itself
	// adopted is how many announcements of Teleport's own plugin there are from
	// the start, at the first channel; zero if ours makes them.
	adopted int
	// put says that places which decide have opinions of it.
	put bool

	planned time.Duration // when it is made
	tried   int           // how often a press was planned for it
	// state is the last that was planned for it, gone says that the request is not
	// to exist any more. Who presses a button may come before that.
	state   string
	gone    bool
	authors []string
	reviews []string // their texts

	mu      sync.Mutex
	events  []event // what was done to it
	began   time.Time
	changed time.Time // when something was done that its announcements show
	// removed says when, and garbled how often, by service and channel or service.
	removed map[spot][]time.Time
	garbled map[string]int
	// last is what the cluster said of it when it was last asked, presses are those
	// that hit a button, and working is how many of them are on their way.
	last    truth
	presses []*press
	working int
	touched bool      // somebody has pressed, or tried to
	wrong   []offence // that were seen at presses
}

// spot is a channel of a service, as the config names it.
type spot struct{ service, recipient string }

type event struct {
	at   time.Time
	text string
}

// open reports whether people can still decide the request.
func (r *request) open() bool { return r.state == pending && !r.gone && r.ttl == 0 }

// review is what a review makes of the request.
func (r *request) review(author, state string) (text string) {
	text = fmt.Sprintf("rv-%s-%d", r.id[:13], len(r.reviews))
	r.authors, r.reviews = append(r.authors, author), append(r.reviews, text)
	switch {
	case state == denied:
		r.state = denied
	case len(r.reviews) >= r.role.approve: // no denial is among them
		r.state = approved
	}
	return text
}

// note keeps what was done.
func (r *request) note(shows bool, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.events = append(r.events, event{now, fmt.Sprintf(format, args...)})
	if shows {
		r.changed = now
	}
	if r.began.IsZero() {
		r.began = now
	}
}

// came reports whether a step was refused because a press has come before it. Then the
// step has changed nothing.
func (r *request) came(err error, before time.Time) bool {
	if !trace.IsAccessDenied(err) || !r.pressedBy() {
		return false
	}
	r.note(false, "which a press has come before: %v", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = before
	return true
}

// lastChange is when something last happened that messages are to show.
func (r *request) lastChange() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// recipients are those to whom a service tells the request.
func (r *request) recipients(w *harness.World, channels []string) []string {
	if r.adopted > 0 {
		return channels[:1]
	}
	var all []string
	for _, i := range r.role.channels {
		all = append(all, channels[i])
	}
	for _, user := range append([]string{r.user}, r.suggest...) {
		if p := w.Person(user); p != "" && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// firewalled is a text that a firewall before the service may dislike.
const firewalled = "/etc/passwd"

// reason makes up the words of a requester, who may be hostile. Other is the ID of
// another request.
func reason(rng *rand.Rand, other string) string {
	words := []string{
		"INC-204, replica lag", "INC-204, replica lag", "INC-204, replica lag", "",
		"<!channel> @everyone <@U0SANDBOX01> <#C0SANDBOX01>",
		"please *ID*: " + other + " and https://example.com/web/requests/" + other,
		"``` ~~~ > # \\ `x` </pre>\n```", "\u202egnihtemos \u200b\u200d\u2060 \U000e0041\U000e0042",
		"see " + firewalled, "a\r\nb\x00c\x1b[31m", "[link](javascript:alert(1)) <https://example.com|bank>",
		string(slices.Repeat([]rune("é"), 1500)),
	}
	return words[rng.IntN(len(words))]
}
