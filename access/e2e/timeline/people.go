package timeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// people press buttons in a world, and remember what they heard.
type people struct {
	far farend.PressFaults
	// dead are times at which the process that took a press may have been killed: they
	// excuse all. deaf are those without a connection, by the service's doing or because
	// there was no process: they excuse a press that was not acknowledged. slow are those
	// at which the machine itself was late by a second.
	dead, deaf, slow harness.Spans
	// barred are those who must not decide, whatever they press.
	barred map[string]bool
	rest   context.CancelFunc // ends the watch over the machine

	mu    sync.Mutex
	tries []try
}

// try is a press with what came of it.
type try struct {
	farend.Press
	from, to time.Time
	heard    farend.Heard
	err      error
}

// everybody are those who press; alice has made the requests.
var everybody = []string{cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave}

// reviewers are those who may decide.
var reviewers = everybody[1:]

// pressTime bounds a press: the plugin has eight seconds to decide, and some to tell.
const pressTime = 15 * time.Second

// offer lets people press. Requests take many reviews, so that buttons stay.
func (w *World) offer() {
	far, ok := w.Service().(farend.PressFaults)
	if !ok {
		w.must(errors.New("nobody can press anything there"))
		return
	}
	ctx, rest := context.WithCancel(w.ctx)
	w.people = &people{far: far, barred: map[string]bool{cluster.Alice: true}, rest: rest}
	go harness.WatchMachine(ctx, time.Second, w.people.slow.Note)
	w.Cluster.AddRole(w.role, cluster.RoleSpec{
		Logins: []string{"root"}, Approve: 10, Deny: 10, Annotations: w.Annotations(w.places...),
	})
}

// connected waits until presses reach every replica, by a connection that was made
// after so many others.
func (w *World) connected(earlier int) {
	w.until("presses reach the plugin", func() bool {
		now, ever := w.people.far.Connected()
		return now >= w.Replicas() && ever > earlier
	})
}

// ever is how many connections there were.
func (w *World) ever() int {
	_, n := w.people.far.Connected()
	return n
}

// press has a person press, and returns what that person heard.
func (w *World) press(p farend.Press) farend.Heard {
	ctx, cancel := context.WithTimeout(w.ctx, pressTime)
	defer cancel()
	return w.pressWith(ctx, p)
}

// pressWith is press for a person whose patience ends with the context.
func (w *World) pressWith(ctx context.Context, p farend.Press) farend.Heard {
	if w.failed() != nil {
		return farend.Heard{}
	}
	if p.Reason == "" {
		p.Reason = "because"
	}
	t := try{Press: p, from: time.Now()}
	t.heard, t.err = w.people.far.Try(ctx, p)
	t.to = time.Now()
	if !errors.Is(t.err, farend.ErrNoButton) {
		w.people.mu.Lock()
		defer w.people.mu.Unlock()
		w.people.tries = append(w.people.tries, t)
	}
	return t.heard
}

// pressing has everybody press buttons of the requests while something happens, and
// each at least so often.
func (w *World) pressing(ids []string, least int, happens func()) {
	if w.failed() != nil {
		return
	}
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(w.ctx)
	for _, person := range everybody {
		rng := rand.New(rand.NewPCG(w.rng.Uint64(), 1))
		all.Go(func() {
			// The plugin looks at twenty presses of a person within a minute; some are
			// left for what follows.
			for n, taken := 0, 0; (n < least || ctx.Err() == nil) && taken < 14 && w.failed() == nil; n++ {
				p := farend.Press{Person: person, Request: ids[rng.IntN(len(ids))], Verdict: "approve"}
				if rng.IntN(3) == 0 {
					p.Verdict = "deny"
				}
				if w.press(p).Acked {
					taken++
				} else {
					w.pass(300 * time.Millisecond)
				}
				w.pass(time.Duration(30+rng.IntN(170)) * time.Millisecond)
			}
		})
	}
	happens()
	stop()
	all.Wait()
}

// becomes has people press and makes sure that each press becomes a review, and that
// they hear of it.
func (w *World) becomes(id string, persons ...string) {
	for _, person := range persons {
		heard := w.press(farend.Press{Person: person, Request: id, Verdict: "approve"})
		w.promise(w.reviewed(id, person), "%s approved %s and heard %q, and there is no review", person, id, heard.Saw)
	}
}

// refused has a person press what must not become a review, and makes sure that the
// person hears the text.
func (w *World) refused(p farend.Press, text string) {
	heard := w.press(p)
	w.promise(strings.Contains(strings.Join(heard.Saw, " "), text), "%s heard %q and not %q", p.Person, heard.Saw, text)
}

// reviewed reports whether there is a review by a person.
func (w *World) reviewed(id, person string) bool {
	req, ok := w.Cluster.Request(id)
	return ok && slices.ContainsFunc(req.GetReviews(), func(r types.AccessReview) bool { return r.Author == person })
}

// submissions is how many reviews the cluster was asked to take.
func (w *World) submissions() int { return w.Cluster.Calls()["SubmitAccessReview"] }

// askedFor makes sure that the cluster was asked to take so many reviews.
func (w *World) askedFor(n int) {
	got := w.submissions()
	w.promise(got == n, "%d reviews were submitted, and not %d", got, n)
}

// pressable makes requests and waits until all can be pressed.
func (w *World) pressable(n int) (ids []string) {
	ids = w.create(n)
	w.settle()
	return ids
}

// followAll takes over what became of all requests, for what messages are to show.
func (w *World) followAll() {
	for i := range w.expected {
		e := &w.expected[i]
		if req, ok := w.Cluster.Request(e.ID); ok {
			e.Reviews = len(req.GetReviews())
			w.follow(e.ID)
		}
	}
}

// judgePresses counts what came of all presses.
func (w *World) judgePresses() *Presses {
	c := w.people
	if c == nil {
		return nil
	}
	c.rest()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &Presses{Made: len(c.tries)}
	meant := make(map[string]bool)
	for _, t := range c.tries {
		w.judgeTry(t, out)
		if t.On == "" && !c.barred[t.Person] {
			meant[t.Request+t.Person+t.Verdict] = true
		}
		w.keepsItsWord(t)
	}
	for _, e := range w.expected {
		req, ok := w.Cluster.Request(e.ID)
		if !ok {
			continue
		}
		by := make(map[string]bool)
		for _, r := range req.GetReviews() {
			if cluster.SubmittedBy(r) == "" {
				continue // it was made in Teleport
			}
			out.Reviews++
			if by[r.Author] || r.Author == req.GetUser() || !meant[e.ID+r.Author+verdict(r)] {
				out.TooMany++
				w.broken = append(w.broken, fmt.Sprintf("a review too many: %s of %s by %s", verdict(r), e.ID, r.Author))
			}
			by[r.Author] = true
		}
	}
	return out
}

func verdict(r types.AccessReview) string {
	if r.ProposedState.IsDenied() {
		return "deny"
	}
	return "approve"
}

// judgeTry counts one press.
func (w *World) judgeTry(t try, out *Presses) {
	c := w.people
	excused := c.dead.Hit(t.from, t.to) || !t.heard.Acked && c.deaf.Hit(t.from, t.to) || c.slow.Hit(t.from, t.to)
	unheard, late := len(t.heard.Saw) == 0, !t.heard.Acked
	if unheard {
		out.Unheard++
		if excused {
			out.Excused++
		}
	}
	if late && !excused {
		out.Late++
	}
	if (unheard || late) && !excused {
		w.broken = append(w.broken, fmt.Sprintf("a press from %s to %s: %s of %s by %s; acknowledged %v, saw %q, %v",
			t.from.Format("15:04:05.000"), t.to.Format("15:04:05.000"), t.Verdict, t.Request, t.Person, t.heard.Acked, t.heard.Saw, t.err))
	}
}

// keepsItsWord makes sure that there is a review where a person heard so.
func (w *World) keepsItsWord(t try) {
	said := "You approved this request"
	if t.Verdict == "deny" {
		said = "You denied this request"
	}
	req, ok := w.Cluster.Request(t.Request)
	if !ok || !strings.Contains(strings.Join(t.heard.Saw, " "), said) {
		return
	}
	there := slices.ContainsFunc(req.GetReviews(), func(r types.AccessReview) bool {
		return r.Author == t.Person && verdict(r) == t.Verdict
	})
	if !there {
		w.broken = append(w.broken, fmt.Sprintf("%s heard %q of %s, and there is no such review", t.Person, t.heard.Saw, t.Request))
	}
}
