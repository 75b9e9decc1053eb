package decision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/teleport"
)

// maxTried is how many people are looked at, and a review is tried for.
const maxTried = 50

const lookUp = "look up who people are (user: list, read)"

// Legs try the way back without a press: that presses reach the plugin, that the
// config names people whom the cluster knows, and that the cluster takes their reviews
// from the plugin. What somebody presses meanwhile is decided as always, but for what
// comes just as the connection ends, which the service shows as failed. No review is
// left behind. Legs is called once the version of the cluster is known, if there is a
// connection. Without the legs in needs presses are not listened to, and without
// the leg connection the cluster is not asked.
func Legs(o Options, l Listener, connection string, needs ...string) []check.Leg {
	t := &trial{Options: o, listener: l}
	legs := []check.Leg{{Name: "presses", What: "presses in " + o.Title, Needs: needs, Try: t.connects}}
	add := func(name, what string, try func(context.Context) error) {
		legs = append(legs, check.Leg{Name: name, What: what, Needs: []string{connection}, Try: try})
	}
	if version := o.Version(); o.Policy.SubmitAs == AsReviewer && version != "" && !teleport.TakesReviewsOnBehalf(version) {
		add("submit-reviews", "reviews in the name of others", t.tooOld)
		return legs
	}
	add("people", lookUp, t.people)
	if o.Policy.SubmitAs == AsPlugin {
		add("reviewers", "look up the people in [review.reviewers] (user: list, read)", t.reviewers)
	}
	add("locks", "look for locks (lock: list, read)", t.locks)
	what := "submit reviews in the name of others (review_requests: submit_for_users)"
	if o.Policy.SubmitAs == AsPlugin {
		what = "submit reviews in the plugin's name (review_requests: roles)"
	}
	add("submit-reviews", what, t.submits)
	return legs
}

// trial is what the legs have in common.
type trial struct {
	Options
	listener Listener
	known    []string // people who are known at the service and in Teleport
}

func (t *trial) tooOld(context.Context) error {
	return fmt.Errorf("the cluster runs %s and takes them from %s on; set submit_as = %q, or upgrade the cluster", t.Version(), teleport.OnBehalfVersion, AsPlugin)
}

// connects has the service listen until it says that presses reach it.
func (t *trial) connects(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	heard, fault := false, ""
	options := t.Options
	options.State = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		t.State(text)
		if fault = text; text == "" {
			heard = true
			stop()
		}
	}
	err := t.listener.Listen(ctx, New(options))
	mu.Lock()
	defer mu.Unlock()
	switch {
	case heard:
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return check.Lack("%v; that is as it should be while the plugin itself runs here", err)
	case err != nil:
		return err
	case fault != "":
		return errors.New(fault)
	}
	return errors.New("they do not reach the plugin")
}

// people finds some Teleport users who are known at the service.
func (t *trial) people(ctx context.Context) error {
	match, means := t.source()
	if match == nil {
		known, err := t.knows(ctx, "users", slices.Collect(maps.Values(t.Policy.Users)))
		t.known = known
		return err
	}
	people, err := t.Cluster.Users(ctx, match)
	if err != nil {
		return err
	}
	if t.known = people; len(people) == 0 {
		return check.Remark("no Teleport user has %s now, so nobody can decide; users of an identity provider exist only while they are signed in", means)
	}
	return nil
}

// source is what makes a Teleport user known at the service, and the words for it;
// neither where a table says so.
func (t *trial) source() (match func(name string, traits map[string][]string) bool, means string) {
	trait := strings.TrimSpace(t.Policy.Trait)
	byTrait := func(_ string, traits map[string][]string) bool { return len(traits[trait]) > 0 }
	byEmail := func(name string, _ map[string][]string) bool {
		_, domain, _ := strings.Cut(name, "@")
		return slices.Contains(t.Policy.domains(), strings.ToLower(domain))
	}
	switch t.Policy.Source(trait) {
	case ByUsers:
		return nil, ""
	case ByEmail:
		return byEmail, "a name in one of the email_domains"
	case ByTraitThenEmail:
		return func(name string, traits map[string][]string) bool {
			return byTrait(name, traits) || byEmail(name, traits)
		}, fmt.Sprintf("the trait %q, or a name in one of the email_domains", trait)
	}
	return byTrait, fmt.Sprintf("the trait %q", trait)
}

// knows are those of the users in a table whom the cluster knows.
func (t *trial) knows(ctx context.Context, table string, users []string) (known []string, err error) {
	var unknown []string
	for i, user := range users {
		users[i] = strings.TrimSpace(user) // as it is when somebody presses
	}
	slices.Sort(users)
	users = slices.DeleteFunc(slices.Compact(users), func(user string) bool { return user == "" })
	for _, user := range users[:min(len(users), maxTried)] {
		_, err := t.Cluster.UserRoles(ctx, user)
		switch {
		case err == nil:
			known = append(known, user)
		case teleport.IsNotFound(err):
			unknown = append(unknown, user)
		default:
			return nil, err
		}
	}
	if len(unknown) > 0 {
		return known, check.Remark("the cluster does not know %s of [review.%s] now, who cannot decide; users of an identity provider exist only while they are signed in", strings.Join(unknown, ", "), table)
	}
	return known, nil
}

// reviewers looks at what only reviews in the plugin's own name need.
func (t *trial) reviewers(ctx context.Context) error {
	var named []string
	for _, users := range t.Policy.Reviewers {
		named = append(named, users...)
	}
	_, err := t.knows(ctx, "reviewers", named)
	return check.Findings{
		err,
		check.Remark("with submit_as = \"plugin\" all that is pressed counts as one review, the plugin's: of several approvals only the first, and none after a denial"),
	}
}

// locks looks whether people who are locked can be told.
func (t *trial) locks(ctx context.Context) error {
	_, err := t.Cluster.Locked(ctx, t.Author(), nil)
	if teleport.IsDenied(err) && t.Policy.SubmitAs != AsPlugin {
		return check.Lack("the plugin may not read locks, so that only the cluster can refuse somebody who is locked")
	}
	return err
}

// submits submits a review of a request that does not exist: who may not submit it is
// refused before the request is looked for.
func (t *trial) submits(ctx context.Context) error {
	people := t.known
	r := types.AccessReview{ProposedState: types.RequestState_DENIED, Reason: "teleport-plugins check", Created: time.Now().UTC()}
	if t.Policy.SubmitAs == AsPlugin {
		people = []string{t.Author()}
	} else {
		teleport.OnBehalfOfAuthor(&r)
	}
	if len(people) == 0 {
		return check.Lack("not tried, for want of a person")
	}
	tried := people[:min(len(people), maxTried)]
	var refused error
	for _, person := range tried {
		r.Author = person
		_, err := t.Cluster.SubmitReview(ctx, teleport.NoRequest, r)
		switch {
		case teleport.IsNotFound(err):
			return nil
		case err == nil:
			return errors.New("the cluster took a review of a request that does not exist")
		case !teleport.IsDenied(err):
			return err
		}
		refused = err
	}
	if t.Policy.SubmitAs == AsReviewer {
		return fmt.Errorf("either the plugin's role may not submit for %s, or none of them may review anything: %w", strings.Join(tried, ", "), refused)
	}
	return refused
}
