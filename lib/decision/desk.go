package decision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
)

// Cluster is what a desk asks of the cluster, whose answers are never kept: what
// counts is how it is at the press. [teleport.Conn] implements it; errors are told
// apart as its are.
type Cluster interface {
	// GetRequest returns nil and no error when the cluster shows none.
	GetRequest(ctx context.Context, id string) (types.AccessRequest, error)
	GetPluginData(ctx context.Context, kind, resource, plugin string) (map[string]string, error)
	SubmitReview(ctx context.Context, id string, r types.AccessReview) (types.AccessRequest, error)
	// Users names the users whom match accepts.
	Users(ctx context.Context, match func(name string, traits map[string][]string) bool) ([]string, error)
	// UserRoles names the roles of a user; that one does not exist is an error.
	UserRoles(ctx context.Context, user string) ([]string, error)
	// Locked reports whether a lock is in force for a user or one of the roles.
	Locked(ctx context.Context, user string, roles []string) (bool, error)
}

// Observer counts presses; metrics implement it.
type Observer interface {
	// Pressed is told each press, with what came of it.
	Pressed(kind Kind, took time.Duration)
}

// Options tell New what a desk works with.
type Options struct {
	// Plugin is the name under which records are kept, Title the name of the service.
	Plugin, Title string
	Policy        Policy
	Cluster       Cluster
	Codec         plugindata.Codec
	// Author returns the plugin's own user.
	Author func() string
	// Version returns the cluster's version, for what a refusal may mean.
	Version func() string
	// State is told whether presses reach us, as Desk.Heard is.
	State    func(fault string)
	Observer Observer
	Log      *zap.Logger
}

// The bounds of a desk.
const (
	// pressTime bounds the work on one press, and settleTime that of finding out what
	// became of a review whose answer was lost.
	pressTime, settleTime = 6 * time.Second, 2 * time.Second
	// maxWork is how many presses may be in work.
	maxWork = 32
	// perPerson is how many presses of one person are looked at within personTime.
	perPerson  = 20
	personTime = time.Minute
	// recording is how long a press waits for the record of a message that is just being
	// posted, and recordingLook the pause between two looks.
	recording, recordingLook = 4 * time.Second, 200 * time.Millisecond
	// remembered is how long the answer to a press is kept for the case that the
	// press arrives again: services repeat what was not acknowledged for minutes.
	remembered = 10 * time.Minute
)

// New makes a desk.
func New(o Options) Desk {
	return &desk{
		Options: o, work: make(chan struct{}, maxWork),
		presses: make(map[string]*outcome), persons: make(map[string][]time.Time), busy: make(map[string]bool),
	}
}

type desk struct {
	Options
	work chan struct{}

	mu      sync.Mutex
	presses map[string]*outcome
	persons map[string][]time.Time // of recent presses, by person
	busy    map[string]bool        // a person's press on a request is in work
	forgot  time.Time              // when what is too old was last let go
}

// outcome is what came of a press.
type outcome struct {
	done   chan struct{}
	at     time.Time
	answer Answer
}

// Heard implements Desk.
func (d *desk) Heard(fault string) { d.State(fault) }

// Press implements Desk.
func (d *desk) Press(ctx context.Context, p Press) Answer {
	o, first := d.admit(p)
	if !first {
		select {
		case <-o.done:
			return o.answer
		case <-ctx.Done():
			return Answer{TryAgain, "The plugin is stopping. Please press again."}
		}
	}
	began := time.Now()
	o.answer = d.bounded(ctx, p)
	close(o.done)
	d.Observer.Pressed(o.answer.Kind, time.Since(began))
	return o.answer
}

// admit takes a press, unless it is one that came before.
func (d *desk) admit(p Press) (o *outcome, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.forget(now)
	if o, ok := d.presses[p.ID]; ok && p.ID != "" {
		return o, false
	}
	o = &outcome{done: make(chan struct{}), at: now}
	if p.ID != "" {
		d.presses[p.ID] = o
	}
	return o, true
}

// forget lets go of what is too old to count, now and then: there may be thousands.
func (d *desk) forget(now time.Time) {
	if now.Sub(d.forgot) < personTime {
		return
	}
	d.forgot = now
	maps.DeleteFunc(d.presses, func(_ string, o *outcome) bool { return now.Sub(o.at) > remembered })
	maps.DeleteFunc(d.persons, func(_ string, times []time.Time) bool { return now.Sub(times[len(times)-1]) > personTime })
}

// bounded decides about a press unless there are too many, from everybody or from one
// person, or one of the same person about the same request is in work.
func (d *desk) bounded(ctx context.Context, p Press) Answer {
	if !d.allowed(p.PersonID) {
		return d.told(p, "", "", refuse(TryAgain, "You press too fast. Wait a minute and press again.", "the rate of one person"))
	}
	select {
	case d.work <- struct{}{}:
		defer func() { <-d.work }()
	default:
		return d.told(p, "", "", refuse(TryAgain, Crowded, "too many presses"))
	}
	key := p.Request + "\n" + p.PersonID
	if !d.begin(key) {
		return d.told(p, "", "", refuse(TryAgain, "Your earlier press is still in work.", "an earlier press is in work"))
	}
	defer d.end(key)
	ctx, cancel := context.WithTimeoutCause(ctx, pressTime, errors.New("the press took too long"))
	defer cancel()
	return d.decide(ctx, p)
}

func (d *desk) allowed(person string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	times := d.persons[person]
	for len(times) > 0 && now.Sub(times[0]) > personTime {
		times = times[1:]
	}
	if len(times) >= perPerson {
		return false
	}
	d.persons[person] = append(times, now)
	return true
}

func (d *desk) begin(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[key] {
		return false
	}
	d.busy[key] = true
	return true
}

func (d *desk) end(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, key)
}

// decide is the flow of a press: what it hangs on, whether that may be decided, who
// pressed, and the review.
func (d *desk) decide(ctx context.Context, p Press) Answer {
	req, err := d.bindSoon(ctx, p)
	if err != nil {
		return d.told(p, "", "", err)
	}
	user, how, err := d.identify(ctx, p, req)
	if err == nil {
		err = d.entitled(req, user)
	}
	if err != nil {
		return d.told(p, user, how, err)
	}
	now, err := d.review(ctx, p, req, user)
	if err != nil {
		return d.told(p, user, how, err)
	}
	d.Log.Info("A press became a review", append(evidence(p, user, how), zap.String("outcome", string(Done)))...)
	return Answer{Done, d.done(p, now)}
}

// refusal is why a press did not become a review: what the person hears, and why for
// the log.
type refusal struct {
	Answer
	why string
}

func (r *refusal) Error() string { return r.why }

func refuse(kind Kind, text, why string) error { return &refusal{Answer{kind, text}, why} }

// told logs why a press did not become a review, and returns what the person hears.
// Any error that is no refusal leaves the matter open.
func (d *desk) told(p Press, user, how string, err error) Answer {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{Answer{TryAgain, "Teleport could not be asked just now. Please press again in a minute, or decide in Teleport."}, err.Error()}
	}
	fields := append(evidence(p, user, how), zap.String("outcome", string(r.Kind)), zap.String("why", r.why))
	if r.Kind == TryAgain {
		d.Log.Warn("A press could not become a review yet", fields...)
	} else {
		d.Log.Info("A press did not become a review", fields...)
	}
	return r.Answer
}

// evidence is what is logged of every press: all that says who did what, and nothing
// else of what came in.
func evidence(p Press, user, how string) []zap.Field {
	return []zap.Field{
		zap.String("request_id", cut(p.Request)), zap.String("verdict", string(p.Verdict)),
		zap.String("person", cut(p.PersonID)), zap.String("teleport_user", user), zap.String("identified_by", how),
		zap.String("channel", cut(p.Message.Channel)), zap.String("message", cut(p.Message.ID)),
		zap.String("team", cut(p.Team)), zap.String("press", cut(p.ID)),
	}
}

// done says what a review has led to.
func (d *desk) done(p Press, req types.AccessRequest) string {
	verb := lower(p.Verdict)
	if req == nil {
		return fmt.Sprintf("You %s this request.", verb)
	}
	v := teleport.View(req)
	if v.Status == request.Pending {
		return fmt.Sprintf("You %s this request. It is still pending: %s.", verb, pendingText(v))
	}
	return fmt.Sprintf("You %s this request. It is %s now.", verb, lower(v.Status))
}
