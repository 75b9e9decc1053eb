package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/request"
)

// Expected is what must be seen at the service of one request in the end.
type Expected struct {
	ID string
	// Recipients are all conversations that hold a post: a channel by its name
	// or ID, a direct message by the ID of the user. The requester's own copy
	// counts as one.
	Recipients []string
	// Reviews is how many reviews stand below each post, each once.
	Reviews int
	// Reminded are the recipients below whose post it says that the request is still
	// pending, each as often as it stands here.
	Reminded []string
	// Status is what each post shows; PENDING when empty.
	Status request.Status
	// Earlier is what an earlier post at each place shows, which belongs to a
	// request that was deleted and had the same ID; empty if there was none.
	Earlier request.Status
}

// Verdict compares what is seen at the service with what was expected, in posts
// and replies together.
type Verdict struct {
	// Expected is how many posts and replies there should be.
	Expected int `json:"expected"`
	// Posted is how many of them there are, counting none twice.
	Posted int `json:"posted"`
	// Lost is how many there are not.
	Lost int `json:"lost"`
	// Doubled is how many there are beyond the first of each.
	Doubled int `json:"doubled"`
	// Wrong is how many posts show another state than the request's, or are at
	// a place where nobody expected them. Of a post that is doubled, one must
	// show the state: the other is already counted, and the plugin need not know
	// of it.
	Wrong int `json:"wrong"`
	// Details says in words what is not as expected, for the first few.
	Details []string `json:"details,omitempty"`
}

// Good reports whether everything is as expected.
func (v Verdict) Good() bool { return v.Lost == 0 && v.Doubled == 0 && v.Wrong == 0 }

// String is the verdict as one line, and the details on further ones.
func (v Verdict) String() string {
	return fmt.Sprintf("expected %d, posted %d, lost %d, doubled %d, wrong %d\n%s",
		v.Expected, v.Posted, v.Lost, v.Doubled, v.Wrong, strings.Join(v.Details, "\n"))
}

// maxDetails bounds the details of a verdict.
const maxDetails = 20

func (v *Verdict) note(format string, args ...any) {
	if len(v.Details) < maxDetails {
		v.Details = append(v.Details, fmt.Sprintf(format, args...))
	}
}

// count takes one expected thing of which n were seen.
func (v *Verdict) count(n int, format string, args ...any) {
	v.Expected++
	switch {
	case n == 0:
		v.Lost++
		v.note("lost: "+format, args...)
	case n > 1:
		v.Doubled += n - 1
		v.note("doubled: "+format, args...)
	}
	v.Posted += min(n, 1)
}

// post is an announcement as it stands at the service.
type post struct {
	place   string
	id      string
	status  string
	replies map[int]int // index of a review to how often it is told
	// reminders is how often it says below it that the request is still pending.
	reminders int
}

// Judge compares what stands at the service now with what is expected.
func (w *World) Judge(expected ...Expected) Verdict {
	wanted := make(map[string]bool, len(expected))
	for _, e := range expected {
		wanted[e.ID] = true
	}
	posts := w.posts(wanted)
	places := make(map[string]string)
	place := func(name string) string {
		if _, known := places[name]; !known {
			places[name] = w.Place(name)
		}
		return places[name]
	}
	var v Verdict
	for _, e := range expected {
		v.judge(e, posts[e.ID], place, w.Threads)
	}
	return v
}

func (v *Verdict) judge(e Expected, posts []post, placeOf func(string) string, threads func(string) bool) {
	status := e.Status
	if status == "" {
		status = request.Pending
	}
	seen := make(map[string][]post)
	for _, p := range posts {
		seen[p.place] = append(seen[p.place], p)
	}
	for _, recipient := range e.Recipients {
		place := placeOf(recipient)
		at := seen[place]
		delete(seen, place)
		if e.Earlier != "" {
			at = v.earlier(e, at, recipient)
		}
		v.count(len(at), "post of %s at %s", e.ID, recipient)
		if len(at) > 0 && !slices.ContainsFunc(at, func(p post) bool { return p.status == string(status) }) {
			v.Wrong++
			v.note("wrong: %s at %s shows %q and not %s", e.ID, recipient, at[0].status, status)
		}
		v.reminders(e, at, recipient)
		if !threads(recipient) {
			continue
		}
		for review := range e.Reviews {
			n := 0
			for _, p := range at {
				n += p.replies[review]
			}
			v.count(n, "review %d of %s at %s", review, e.ID, recipient)
		}
	}
	for at, stray := range seen {
		v.Wrong += len(stray)
		v.note("wrong: a post of %s at %s, where none belongs", e.ID, at)
	}
}

// reminders judges the reminders below the posts at a place.
func (v *Verdict) reminders(e Expected, at []post, recipient string) {
	n := 0
	for _, p := range at {
		n += p.reminders
	}
	for _, name := range e.Reminded {
		if name == recipient {
			v.count(min(n, 1), "reminder of %s at %s", e.ID, recipient)
			n--
		}
	}
	if n > 0 {
		v.Doubled += n
		v.note("doubled: %d reminders more of %s at %s", n, e.ID, recipient)
	}
}

// earlier judges the first of the posts at a place as that of the request that
// was deleted, and returns the others.
func (v *Verdict) earlier(e Expected, at []post, recipient string) []post {
	v.count(min(len(at), 1), "earlier post of %s at %s", e.ID, recipient)
	if len(at) == 0 {
		return at
	}
	if at[0].status != string(e.Earlier) {
		v.Wrong++
		v.note("wrong: the earlier post of %s at %s shows %q and not %s", e.ID, recipient, at[0].status, e.Earlier)
	}
	return at[1:]
}

// judgePause is the time between two looks at the service: to look takes time,
// which the plugin needs as well.
const judgePause = 20 * time.Millisecond

// Outcome waits until nothing is lost or wrong any more and every record is
// complete, and judges then; or judges when the context ends.
func (w *World) Outcome(ctx context.Context, expected ...Expected) Verdict {
	for {
		v := w.Judge(expected...)
		if v.Lost == 0 && v.Wrong == 0 {
			w.finish(ctx, expected)
			return w.Judge(expected...)
		}
		select {
		case <-time.After(judgePause):
		case <-ctx.Done():
			return v
		}
	}
}

// finish waits until the records of the requests that still exist are complete.
func (w *World) finish(ctx context.Context, expected []Expected) {
	for _, e := range expected {
		if _, exists := w.Cluster.Request(e.ID); exists {
			_ = w.Settled(ctx, e.ID) // what is not complete in time shows in the next verdict
		}
	}
}

// Place is the ID of a conversation (or service) that is named as in the config.
func (w *World) Place(recipient string) string { return w.far.Place(recipient) }

// Remove removes the announcements of a request in a conversation, as a person
// would do by hand, and tells how many there were.
func (w *World) Remove(request, recipient string) (n int, err error) {
	for _, p := range w.posts(map[string]bool{request: true})[request] {
		if p.place == w.Place(recipient) {
			n++
			err = errors.Join(err, w.far.Remove(p.place, p.id))
		}
	}
	return n, err
}

// Of is a copy of e for each of the requests.
func (e Expected) Of(ids ...string) []Expected {
	all := make([]Expected, 0, len(ids))
	for _, id := range ids {
		of := e
		of.ID, of.Recipients = id, slices.Clone(e.Recipients)
		all = append(all, of)
	}
	return all
}
